"""A project's settings: its name, and who has access to it and why."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import errors
from apps.tenants import people, services, sharing
from apps.tenants.permission_words import WORDS, in_words
from apps.tenants.roles import ANY_MEMBER, PROJECT_PERMISSIONS, Permission
from apps.tenants.web.base import ProjectView
from apps.tenants.web.people_forms import NameForm


class ShareForm(forms.Form):
    """A member, by e-mail address, and the right they get. Offers only rights that the giver holds."""

    member = forms.CharField(label="E-mail address of a member", max_length=254)
    permission = forms.ChoiceField(label="May")

    def __init__(
        self, *args: object, held: frozenset[str], grantable: frozenset[str], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        offered = held & grantable
        self.fields["permission"] = forms.ChoiceField(
            label="May",
            choices=[(words.permission.value, words.text) for words in WORDS if words.permission in offered],
        )


class ProjectSettingsPage(ProjectView, abstract=True):
    """Name and access, with what the forms on it share."""

    def settings_page(
        self, *, name: NameForm | None = None, share: ShareForm | None = None, status: int = 200
    ) -> HttpResponse:
        """The page with the forms as they stand."""
        may_share = self.access.can(Permission.MEMBERS_MANAGE)
        context = {
            "form": name or NameForm(initial={"name": self.project.name}),
            "share": share or self.share_form(),
            "may_rename": self.access.can(Permission.ORGANIZATION_MANAGE),
            "may_share": may_share,
            "held": self.access.permissions,
            "roles": sharing.by_role(PROJECT_PERMISSIONS),
            "people": sharing.by_person(sharing.project_rights(self.project)),
            "choosable": sharing.choosable_members() if may_share else [],
            "access_address": self.address("tenants:project-access"),
        }
        return self.render("tenants/project_settings.html", context, status=status)

    def share_form(self, data: Any = None) -> ShareForm:
        """The form that gives a right."""
        return ShareForm(data, held=self.access.permissions, grantable=PROJECT_PERMISSIONS)


class ProjectSettingsView(ProjectSettingsPage):
    """``/<organization>/<project>/settings/``."""

    permissions: ClassVar = {"GET": ANY_MEMBER, "POST": Permission.ORGANIZATION_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.settings_page()

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = NameForm(request.POST)
        if not form.is_valid():
            return self.settings_page(name=form, status=422)
        services.rename_project(actor=self.access.actor, project=self.project, name=form.cleaned_data["name"])
        messages.success(request, "The name is changed. Addresses stay as they are.")
        return redirect(self.address("tenants:project"))


class ProjectAccessView(ProjectSettingsPage):
    """Give a member a right on the project, or take one back (``action=take``)."""

    permissions: ClassVar = {"POST": Permission.MEMBERS_MANAGE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = self.share_form(request.POST)
        if not form.is_valid():
            return self.settings_page(share=form, status=422)
        member = people.member_by_email(form.cleaned_data["member"])
        if member is None:
            form.add_error("member", "No member has this address. Invite them to the organization first.")
            return self.settings_page(share=form, status=422)
        permission = Permission(form.cleaned_data["permission"])
        taking = request.POST.get("action") == "take"
        change = services.revoke_project_permission if taking else services.grant_project_permission
        try:
            change(actor=self.access.actor, project=self.project, user=member.user, permission=permission)
        except (errors.InvalidRequest, errors.PermissionDenied) as problem:
            form.add_error("permission", problem.message)
            return self.settings_page(share=form, status=422)
        verb = "may no longer, by a grant," if taking else "may now"
        messages.success(request, f"{member.user.display_name} {verb} {in_words(permission)}.")
        return redirect(self.address("tenants:project"))
