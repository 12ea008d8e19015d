"""Sharing one prompt: who has access and why, giving a member a right on it, taking it back."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import errors
from apps.prompts import grants, queries, services
from apps.prompts.models import GRANTABLE
from apps.prompts.web.presenting import OnePromptPage
from apps.tenants import people, sharing
from apps.tenants.permission_words import in_words
from apps.tenants.roles import Permission
from apps.tenants.web.project_settings import ShareForm

ON_PROJECT = "given on the whole project"


class ShareView(OnePromptPage):
    """Whoever sees a prompt sees who else does; who manages members gives and takes back."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(self._form())

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        member = people.member_by_email(form.cleaned_data["member"])
        if member is None:
            form.add_error("member", "No member has this address. Invite them to the organization first.")
            return self._page(form, status=422)
        permission = Permission(form.cleaned_data["permission"])
        taking = request.POST.get("action") == "take"
        change = services.unshare_prompt if taking else services.share_prompt
        try:
            change(actor=self.access.actor, prompt=self.prompt, user=member.user, permission=permission)
        except (errors.InvalidRequest, errors.PermissionDenied) as problem:
            form.add_error("permission", problem.message)
            return self._page(form, status=422)
        verb = "may no longer, by a grant," if taking else "may now"
        name = self.prompt.name
        messages.success(request, f"{member.user.display_name} {verb} {in_words(permission)}: {name}.")
        return redirect(self.share_address)

    @property
    def share_address(self) -> str:
        """The address of this page."""
        return self.request.path

    def _form(self, data: Any = None) -> ShareForm:
        return ShareForm(data, held=self.access.permissions, grantable=frozenset(GRANTABLE))

    def _page(self, form: ShareForm, status: int = 200) -> HttpResponse:
        may_share = self.access.can(Permission.MEMBERS_MANAGE)
        context = {
            **self.head(self.prompt, queries.labels_of([self.prompt])[self.prompt.pk], "share"),
            "share": form,
            "may_share": may_share,
            "held": self.access.permissions,
            "roles": sharing.by_role(GRANTABLE),
            "people": sharing.by_person(self._given()),
            "choosable": sharing.choosable_members() if may_share else [],
            "action": self.share_address,
            "may_see_members": self.access.can(Permission.MEMBERS_VIEW),
        }
        return self.render("prompts/share.html", context, status=status)

    def _given(self) -> dict[UUID, list[sharing.GivenRight]]:
        given: dict[UUID, list[sharing.GivenRight]] = {}
        for user_id, permission in grants.given_on(self.prompt):
            given.setdefault(user_id, []).append(sharing.GivenRight(permission))
        for user_id, rights in sharing.project_rights(self.project, why=ON_PROJECT).items():
            about = [right for right in rights if right.permission in GRANTABLE]
            if about:
                given.setdefault(user_id, []).extend(about)
        return given
