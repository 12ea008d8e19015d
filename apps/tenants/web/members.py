"""Members of an organization: the list, another role, removal; and who waits to join."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.core import errors
from apps.tenants import people, services
from apps.tenants.models import Invitation, Membership
from apps.tenants.roles import Permission, name_of_role, permissions_of_role
from apps.tenants.web.member_list import MEMBERS
from apps.tenants.web.people_pages import SettingsPage

INVITATIONS_SHOWN = 200


class MembersPage(SettingsPage, abstract=True):
    """The list of members, and what the dialogs over it share."""

    def listing(self, **dialog: object) -> HttpResponseBase:
        """The page; `dialog` opens a confirmation over it."""
        roles = people.role_options()
        asked = MEMBERS.read(
            self.request.GET, choices={"role": [(each.reference, each.name) for each in roles]}
        )
        found = people.members(
            search=asked.search, role=asked.filters["role"], second_factor=asked.filters["mfa"]
        )
        waiting = list(people.open_invitations()[:INVITATIONS_SHOWN])
        context = {
            "may_manage": self.access.can(Permission.MEMBERS_MANAGE),
            "held": self.access.permissions,
            "invitations": [self._invitation(each) for each in waiting],
            "me": self.user.pk,
            **dialog,
        }
        return self.list_page(MEMBERS, asked, found, "tenants/members.html", context)

    def member(self, public_id: str) -> Membership:
        """A member of the address. Raises NotFound."""
        return people.get_member(public_id)

    def may_change(self, member: Membership) -> bool:
        """Whether the caller holds all that the member's role gives."""
        return permissions_of_role(member) <= self.access.permissions

    def _invitation(self, invitation: Invitation) -> dict[str, Any]:
        may = permissions_of_role(invitation) <= self.access.permissions
        role = name_of_role(invitation)
        return {
            "invitation": invitation,
            "role": role if invitation.custom_role_id else role.capitalize(),
            "expired": invitation.expires_at <= timezone.now(),
            "resend": self.here("resend-invitation", invitation.public_id) if may else "",
            "revoke": self.here("revoke-invitation", invitation.public_id),
        }


class MembersView(MembersPage):
    """Who is in the organization."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        return self.listing()


class MemberRoleView(MembersPage):
    """Give a member another role: a dialog over the list."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, member: str, **_: str) -> HttpResponseBase:
        return self._dialog(self.member(member))

    def post(self, request: HttpRequest, member: str, **_: str) -> HttpResponseBase:
        found = self.member(member)
        try:
            changed = services.change_role(
                actor=self.access.actor, membership=found, role=request.POST.get("role", "")
            )
        except (errors.InvalidRequest, errors.PermissionDenied, errors.Conflict) as problem:
            return self._dialog(found, problem.message)
        messages.info(request, f"{found.user.display_name} is {name_of_role(changed)} now.")
        return redirect(self.here("members"))

    def _dialog(self, member: Membership, problem: str = "") -> HttpResponseBase:
        context = {
            "dialog": "role",
            "member": member,
            "problem": problem,
            "options": self.givable_roles(),
            "current": member.custom_role.public_id if member.custom_role else member.role,
            "above": not self.may_change(member),
        }
        response = self.listing(**context)
        response.status_code = 422 if problem else 200
        return response


class RemoveMemberView(MembersPage):
    """Take a member out: a dialog that says what ends."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, member: str, **_: str) -> HttpResponseBase:
        return self._dialog(self.member(member))

    def post(self, request: HttpRequest, member: str, **_: str) -> HttpResponseBase:
        found = self.member(member)
        try:
            services.remove_membership(actor=self.access.actor, membership=found)
        except (errors.PermissionDenied, errors.Conflict) as problem:
            return self._dialog(found, problem.message)
        messages.info(request, f"{found.user.display_name} is no longer a member.")
        if found.user_id == self.user.pk:
            return redirect("tenants:start")
        return redirect(self.here("members"))

    def _dialog(self, member: Membership, problem: str = "") -> HttpResponseBase:
        context = {
            "dialog": "remove",
            "member": member,
            "problem": problem,
            "ending": people.ending_of(member),
            "above": not self.may_change(member),
        }
        response = self.listing(**context)
        response.status_code = 422 if problem else 200
        return response
