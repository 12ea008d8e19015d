"""Inviting people: the form for several addresses, sending a link again, withdrawing it."""

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core import errors
from apps.tenants import people, services
from apps.tenants.invitation_limits import check_sending
from apps.tenants.roles import Permission
from apps.tenants.web.members import MembersPage
from apps.tenants.web.people_forms import InviteForm
from apps.tenants.web.people_pages import SettingsPage


class InviteView(SettingsPage):
    """Invite by e-mail; the answer says for each address what became of it."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}
    # Redis is asked for the limits, outside the scope.
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        with self.scope():
            return self._form(InviteForm(roles=self.givable_roles()))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        with self.scope():
            form = InviteForm(request.POST, roles=self.givable_roles())
        if not form.is_valid():
            return self._refused(form)
        try:
            check_sending(self.organization.id, form.addresses())
            with self.scope():
                outcomes = services.invite_many(
                    actor=self.access.actor,
                    organization=self.organization,
                    invited_by=self.user,
                    emails=form.addresses(),
                    role=form.cleaned_data["role"],
                )
        except (errors.InvalidRequest, errors.QuotaExceeded, errors.RateLimited) as problem:
            form.add_error("emails", problem.message)
            return self._refused(form)
        sent = [each for each in outcomes if each.invitation]
        failed = [each for each in outcomes if not each.invitation]
        if not failed:
            words = f"Invited {sent[0].email}." if len(sent) == 1 else f"Invited {len(sent)} people."
            messages.success(request, words)
            return redirect(self.here("members"))
        with self.scope():
            context = {"sent": sent, "failed": failed, "total": len(outcomes)}
            return self.render("tenants/invited.html", context)

    def _refused(self, form: InviteForm) -> HttpResponse:
        with self.scope():
            return self._form(form, status=422)

    def _form(self, form: InviteForm, status: int = 200) -> HttpResponse:
        return self.render("tenants/invite.html", {"form": form}, status=status)


class ResendInvitationView(MembersPage):
    """Send a new link; the old one is dead."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, invitation: str, **_: str) -> HttpResponseBase:
        with self.scope():
            found = people.get_invitation(invitation)
            return self.listing(dialog="resend", invitation=found)

    def post(self, request: HttpRequest, invitation: str, **_: str) -> HttpResponseBase:
        with self.scope():
            found = people.get_invitation(invitation)
        try:
            check_sending(self.organization.id, [found.email])
            with self.scope():
                services.resend_invitation(actor=self.access.actor, invitation=found, invited_by=self.user)
        except (errors.Conflict, errors.PermissionDenied, errors.RateLimited) as problem:
            messages.error(request, problem.message)
        else:
            messages.success(request, f"A new link is on its way to {found.email}. The old one is dead.")
        return redirect(self.here("members"))


class RevokeInvitationView(MembersPage):
    """Withdraw an invitation."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, invitation: str, **_: str) -> HttpResponseBase:
        return self.listing(dialog="revoke", invitation=people.get_invitation(invitation))

    def post(self, request: HttpRequest, invitation: str, **_: str) -> HttpResponseBase:
        found = people.get_invitation(invitation)
        try:
            services.revoke_invitation(actor=self.access.actor, invitation=found)
        except errors.Conflict as problem:
            messages.error(request, problem.message)
        else:
            messages.info(request, f"The invitation of {found.email} is withdrawn; its link is dead.")
        return redirect(self.here("members"))
