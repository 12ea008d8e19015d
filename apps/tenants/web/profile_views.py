"""``/profile/``: a person's own pages, outside every organization."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import cached_property

from apps.audit.actor import Actor
from apps.core import errors
from apps.core.request_id import current_request_id
from apps.tenants import account_queries
from apps.tenants.access import places_of, user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.models import Organization, User
from apps.tenants.services import accounts
from apps.tenants.web.adapter import AccountAdapter
from apps.tenants.web.base import SignedInView, to_sign_in, zone_of
from apps.tenants.web.profile_forms import ProfileForm
from apps.tenants.web.shell import home_path
from apps.tenants.zones import offered_zones, time_in


class AccountView(SignedInView):
    """A page of the account: in the shell, with times in the reader's zone and no organization."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return to_sign_in(request)
        with timezone.override(zone_of(request.user)):
            return super().dispatch(request, *args, **kwargs)

    @cached_property
    def organizations(self) -> list[Organization]:
        """The organizations that the reader belongs to."""
        return [organization for organization, _ in places_of(self.user)]

    @property
    def actor(self) -> Actor:
        return user_actor(self.user, ip=client_ip(self.request), request_id=current_request_id())

    def render(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """Render a page with what the shell needs."""
        organizations = [
            {"name": organization.name, "href": home_path(organization, None), "current": False}
            for organization in self.organizations
        ]
        shell = {"account": True, "navigation": {"organizations": organizations, "projects": []}}
        return render(self.request, template, {**shell, **context}, status=status)


class ProfileView(AccountView):
    """Name, theme, time zone and shortcuts."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(ProfileForm.of(self.user))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProfileForm(request.POST)
        if form.is_valid():
            try:
                accounts.update_profile(actor=self.actor, user=self.user, **form.cleaned_data)
            except errors.InvalidRequest as problem:
                form.add_error(problem.param, problem.message)
            else:
                messages.info(request, "Your profile is saved.")
                return redirect("tenants:profile")
        return self._page(form, status=422)

    def _page(self, form: ProfileForm, status: int = 200) -> HttpResponse:
        zone = str(zone_of(self.user))
        words = f"Type to search. In {zone} it is {time_in(zone, timezone.now())}."
        context = {"form": form, "zones": offered_zones(), "zone_words": words}
        return self.render("tenants/profile.html", context, status)


class SecurityView(AccountView):
    """Password, addresses, second factors, passkeys, recovery codes and sessions."""

    def get(self, request: HttpRequest) -> HttpResponse:
        sessions = account_queries.sessions_of(self.user, request.session.session_key)
        context = {
            "factors": account_queries.second_factors_of(self.user),
            "addresses": account_queries.addresses_of(self.user),
            "sessions": sessions,
            "others": sum(not session.current for session in sessions),
            "asking": [each for each in self.organizations if each.requires_mfa],
            "has_password": self.user.has_usable_password(),
        }
        return self.render("tenants/security.html", context)


class EndSessionView(AccountView):
    """End one session. Ending the current one signs out here."""

    def post(self, request: HttpRequest, session: str) -> HttpResponse:
        try:
            ended = accounts.end_session(actor=self.actor, user=self.user, session=session)
        except errors.NotFound as problem:
            messages.error(request, problem.message)
            return redirect("tenants:security")
        if ended.session_id == request.session.session_key:
            request.session.flush()
            return redirect("account_login")
        notify_sessions_ended(request, self.user, 1)
        messages.info(request, "The session has ended: its browser is signed out.")
        return redirect("tenants:security")


class EndOtherSessionsView(AccountView):
    """End every session but this one."""

    def post(self, request: HttpRequest) -> HttpResponse:
        ended = accounts.end_other_sessions(
            actor=self.actor, user=self.user, keep=request.session.session_key
        )
        if ended:
            notify_sessions_ended(request, self.user, ended)
            words = "1 other session has" if ended == 1 else f"{ended} other sessions have"
            messages.info(request, f"{words} ended: only this browser is signed in.")
        else:
            messages.info(request, "There was no other session: only this browser is signed in.")
        return redirect("tenants:security")


def notify_sessions_ended(request: HttpRequest, user: User, count: int) -> None:
    """Tell the user by mail; a stranger at their browser would do this first."""
    AccountAdapter(request).send_notification_mail("account/email/sessions_ended", user, {"count": count})
