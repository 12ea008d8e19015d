"""Settings of an organization and of a project: names, leaving, handing ownership over, who has access."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import errors
from apps.tenants import people, services
from apps.tenants.limits import limits_of
from apps.tenants.models import Membership
from apps.tenants.roles import ANY_MEMBER, Permission, Role, name_of_role
from apps.tenants.web.forms import LimitsForm
from apps.tenants.web.mfa_rule import mfa_rule_context
from apps.tenants.web.people_forms import NameForm, TypedNameForm
from apps.tenants.web.people_pages import SettingsPage

HEIRS_SHOWN = 200


class GeneralPage(SettingsPage, abstract=True):
    """The organization's general settings, and what the dialogs over them share."""

    def general(
        self,
        form: NameForm | None = None,
        status: int = 200,
        limits: LimitsForm | None = None,
        **more: object,
    ) -> HttpResponse:
        """The page. Everybody sees the name and may leave; the rest is for whoever may change it."""
        own = self.own_membership()
        manages = self.access.can(Permission.ORGANIZATION_MANAGE)
        context: dict[str, Any] = {
            "form": form or NameForm(initial={"name": self.organization.name}),
            "may_manage": manages,
            "is_owner": own.role == Role.OWNER,
            "role": people.role_word(own),
            "mfa": mfa_rule_context(self.organization, self.user) if manages else None,
            "limits": (limits or LimitsForm(initial=limits_of(self.organization))) if manages else None,
            **more,
        }
        return self.render("tenants/settings.html", context, status=status)

    def own_membership(self) -> Membership:
        """The caller's own membership. Raises NotFound for one that ended just now."""
        found = people.member_by_user(self.user.pk)
        if found is None:
            raise errors.NotFound("You are no longer a member.")
        return found


class SettingsView(GeneralPage):
    """General settings: the name, the rule on second factors, leaving, handing over."""

    permissions: ClassVar = {"GET": ANY_MEMBER, "POST": Permission.ORGANIZATION_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.general()

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = NameForm(request.POST)
        if not form.is_valid():
            return self.general(form, status=422)
        services.rename_organization(
            actor=self.access.actor, organization=self.organization, name=form.cleaned_data["name"]
        )
        messages.success(request, "The name is changed. Addresses stay as they are.")
        return redirect(self.here("settings"))


class LimitsView(GeneralPage):
    """Change what all keys of the organization may ask for together."""

    permissions: ClassVar = {"POST": Permission.ORGANIZATION_MANAGE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = LimitsForm(request.POST)
        if not form.is_valid():
            return self.general(limits=form, status=422)
        services.set_organization_limits(
            actor=self.access.actor, organization=self.organization, limits=form.limits()
        )
        messages.success(request, "The limits are changed. They hold everywhere within a second.")
        return redirect(self.here("settings"))


class LeaveView(GeneralPage):
    """Leave the organization: a dialog that says what ends."""

    # Whoever doesn't want to set up a second factor may still go.
    without_mfa: ClassVar[bool] = True

    permissions: ClassVar = {"GET": ANY_MEMBER, "POST": ANY_MEMBER}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.general(dialog="leave", ending=people.ending_of(self.own_membership()))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        own = self.own_membership()
        try:
            services.leave_organization(actor=self.access.actor, membership=own)
        except errors.Conflict as problem:
            ending = people.ending_of(own)
            return self.general(status=409, dialog="leave", ending=ending, problem=problem.message)
        messages.info(request, f"You have left {self.organization.name}.")
        return redirect("tenants:start")


class TransferView(GeneralPage):
    """Make another member owner and oneself an admin; confirmed by typing the organization's name."""

    permissions: ClassVar = {"GET": ANY_MEMBER, "POST": ANY_MEMBER}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        if self.own_membership().role != Role.OWNER:
            return self._refused()
        return self._dialog(TypedNameForm(expected=self.organization.name))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        own = self.own_membership()
        if own.role != Role.OWNER:
            return self._refused()
        form = TypedNameForm(request.POST, expected=self.organization.name)
        heir = people.get_member(request.POST.get("member", "")) if request.POST.get("member") else None
        if heir is None:
            return self._dialog(form, "Choose who becomes owner.", status=422)
        if not form.is_valid():
            return self._dialog(form, status=422)
        try:
            services.transfer_ownership(actor=self.access.actor, membership=own, to=heir)
        except errors.Conflict as problem:
            return self._dialog(form, problem.message, status=422)
        messages.success(request, f"{heir.user.display_name} is owner now, and you are admin.")
        return redirect(self.here("settings"))

    def _refused(self) -> HttpResponse:
        return self.general(status=409, dialog="transfer", problem="Only an owner can hand ownership over.")

    def _dialog(self, form: TypedNameForm, problem: str = "", status: int = 200) -> HttpResponse:
        others = people.members().filter(user__is_active=True).exclude(user_id=self.user.pk)
        heirs = [
            {"value": each.public_id, "name": each.user.display_name, "role": name_of_role(each)}
            for each in others.order_by(F("shown_name"))[:HEIRS_SHOWN]
        ]
        return self.general(
            status=status,
            dialog="transfer",
            heirs=heirs,
            chosen=self.request.POST.get("member", ""),
            typed=form,
            problem=problem,
        )
