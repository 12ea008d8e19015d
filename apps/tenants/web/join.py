"""``/invitations/<token>/``: whoever has the link sees who invites whom to what, and joins.

The link proves the address, so an account made here needs no other proof. It is sent to no other site, and
the browser keeps nothing of the page.
"""

from dataclasses import replace
from typing import Any

from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from apps.audit.actor import Actor
from apps.core import errors
from apps.core.request_id import current_request_id
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.invitation_door import OPEN, FoundInvitation, find_invitation, is_member
from apps.tenants.invitation_limits import check_opening
from apps.tenants.models import User
from apps.tenants.services.invitations import owns_address
from apps.tenants.web.people_forms import JoinForm


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class JoinView(View):
    """Look at an invitation, and accept it: as who is signed in, or with a new account."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        check_opening(client_ip(request))
        response = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        # Not "no-referrer": the form would come with "Origin: null", which the CSRF check refuses.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        found = find_invitation(token)
        return self._page(found, self._form(found) if found else None)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        found = find_invitation(token)
        if found is None or found.state != OPEN:
            return self._page(found, None)
        if isinstance(request.user, User):
            return self._accept(found, request.user)
        return self._sign_up(found)

    def _accept(self, found: FoundInvitation, user: User) -> HttpResponse:
        try:
            with organization_scope(found.invitation.organization_id):
                services.accept_invitation(actor=self._actor(user), invitation=found.invitation, user=user)
        except errors.Conflict as problem:
            if problem.code != "already_a_member":
                return self._page(found, None, problem=problem.message)
        except (errors.PermissionDenied, errors.QuotaExceeded) as problem:
            return self._page(found, None, problem=problem.message)
        else:
            messages.success(self.request, f"Welcome to {found.organization}.")
        return redirect("tenants:organization", organization=found.organization_slug)

    def _sign_up(self, found: FoundInvitation) -> HttpResponse:
        form = JoinForm(self.request.POST, email=found.invitation.email)
        if found.has_account or not form.is_valid():
            return self._page(found, form, status=422)
        try:
            # One transaction: without the membership there is no account either.
            with organization_scope(found.invitation.organization_id):
                user = self._made_account(form)
                services.accept_invitation(actor=self._actor(user), invitation=found.invitation, user=user)
        except (errors.Conflict, errors.QuotaExceeded) as problem:
            return self._page(found, form, problem=problem.message)
        address = reverse("tenants:organization", args=[found.organization_slug])
        signed_in: HttpResponse = perform_login(
            self.request, user, email_verification="none", redirect_url=address
        )
        return signed_in

    def _made_account(self, form: JoinForm) -> User:
        newcomer = User(email=form.email, name=form.cleaned_data["name"])
        return services.create_user(
            actor=replace(self._actor(newcomer), id=None),
            email=newcomer.email,
            password=form.cleaned_data["password"],
            name=newcomer.name,
            verified=True,
        )

    def _actor(self, user: User) -> Actor:
        return user_actor(user, ip=client_ip(self.request), request_id=current_request_id())

    @staticmethod
    def _form(found: FoundInvitation) -> JoinForm:
        return JoinForm(email=found.invitation.email)

    def _page(
        self, found: FoundInvitation | None, form: JoinForm | None, *, problem: str = "", status: int = 200
    ) -> HttpResponse:
        user = self.request.user
        person = user if isinstance(user, User) else None
        context = {
            "found": found,
            "form": form,
            "problem": problem,
            "here": self.request.path,
            "mine": bool(found and person and owns_address(person, found.invitation.email)),
            "member": bool(found and person and is_member(found, person)),
        }
        status = 404 if found is None else 409 if problem else status
        return render(self.request, "tenants/join.html", context, status=status)
