"""Roles in plain words: what each may do, and the organization's own ones."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import errors
from apps.tenants import people, services
from apps.tenants.models import CustomRole
from apps.tenants.permission_words import SUBJECTS, WORDS
from apps.tenants.roles import Permission, Role
from apps.tenants.web.people_pages import SettingsPage


class RoleForm(forms.Form):
    """A role of the organization's own."""

    name = forms.CharField(label="Name", max_length=40)
    description = forms.CharField(
        label="Description", max_length=200, required=False, help_text="One line that says who it is for."
    )
    permissions = forms.MultipleChoiceField(
        choices=[(words.permission.value, words.text) for words in WORDS],
        error_messages={"required": "Choose at least one right."},
    )


class RolesPage(SettingsPage, abstract=True):
    """The matrix, and what the dialog over it shares."""

    def matrix(self, status: int = 200, **more: object) -> HttpResponse:
        """The page: every role with what it may do, and how many have it."""
        counts = people.members_by_role()
        roles: list[dict[str, Any]] = [
            {
                "option": option,
                "count": counts.get(option.reference, 0),
                "own": option.reference not in set(Role),
                "above": not option.permissions <= self.access.permissions,
            }
            for option in people.role_options()
        ]
        context = {
            "roles": roles,
            "groups": [
                {
                    "subject": subject,
                    "rows": [
                        {
                            "text": words.text,
                            "cells": [words.permission in role["option"].permissions for role in roles],
                        }
                        for words in WORDS
                        if words.subject == subject
                    ],
                }
                for subject in SUBJECTS
            ],
            "columns": len(roles) + 1,
            "may_manage": self.access.can(Permission.MEMBERS_MANAGE),
            **more,
        }
        return self.render("tenants/roles.html", context, status=status)


class RolesView(RolesPage):
    """What each role may do."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.matrix()


class RoleFormPage(SettingsPage, abstract=True):
    """The form of a role: only rights that the caller holds can be chosen."""

    def form_page(self, form: RoleForm, role: CustomRole | None, status: int = 200) -> HttpResponse:
        """Render the form with its rights in groups."""
        chosen = set(_chosen(form))
        groups = [
            {
                "subject": subject,
                "rights": [
                    {
                        "value": words.permission.value,
                        "text": words.text,
                        "checked": words.permission in chosen,
                        "held": self.access.can(words.permission),
                    }
                    for words in WORDS
                    if words.subject == subject
                ],
            }
            for subject in SUBJECTS
        ]
        context = {"form": form, "role": role, "groups": groups}
        return self.render("tenants/role_form.html", context, status=status)


class NewRoleView(RoleFormPage):
    """Make a role."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.form_page(RoleForm(initial={"permissions": [Permission.PROMPTS_VIEW.value]}), None)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = RoleForm(request.POST)
        if not form.is_valid():
            return self.form_page(form, None, status=422)
        try:
            role = services.create_custom_role(
                actor=self.access.actor, organization=self.organization, **form.cleaned_data
            )
        except (errors.InvalidRequest, errors.Conflict, errors.PermissionDenied) as problem:
            _place(form, problem)
            return self.form_page(form, None, status=422)
        messages.success(request, f"The role {role.name} can be given now.")
        return redirect(self.here("roles"))


class RoleView(RoleFormPage):
    """Change a role; who holds it follows at once."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, role: str, **_: str) -> HttpResponse:
        found = people.get_custom_role(role)
        initial = {"name": found.name, "description": found.description, "permissions": found.permissions}
        return self.form_page(RoleForm(initial=initial), found)

    def post(self, request: HttpRequest, role: str, **_: str) -> HttpResponse:
        found, form = people.get_custom_role(role), RoleForm(request.POST)
        if not form.is_valid():
            return self.form_page(form, found, status=422)
        try:
            services.update_custom_role(actor=self.access.actor, role=found, **form.cleaned_data)
        except (errors.InvalidRequest, errors.Conflict, errors.PermissionDenied) as problem:
            _place(form, problem)
            return self.form_page(form, found, status=422)
        messages.success(request, f"The role {form.cleaned_data['name']} is changed, for all who have it.")
        return redirect(self.here("roles"))


class DeleteRoleView(RolesPage):
    """Ask, then delete a role that nobody has."""

    permissions: ClassVar = {"GET": Permission.MEMBERS_MANAGE, "POST": Permission.MEMBERS_MANAGE}

    def get(self, request: HttpRequest, role: str, **_: str) -> HttpResponse:
        return self._dialog(people.get_custom_role(role))

    def post(self, request: HttpRequest, role: str, **_: str) -> HttpResponse:
        found = people.get_custom_role(role)
        name = found.name
        try:
            services.delete_custom_role(actor=self.access.actor, role=found)
        except (errors.Conflict, errors.PermissionDenied) as problem:
            return self._dialog(found, problem.message, status=409)
        messages.info(request, f"The role {name} is deleted.")
        return redirect(self.here("roles"))

    def _dialog(self, role: CustomRole, problem: str = "", status: int = 200) -> HttpResponse:
        return self.matrix(status=status, deleting=role, problem=problem)


def _chosen(form: RoleForm) -> list[str]:
    value: Any = form["permissions"].value()
    return list(value or [])


def _place(form: RoleForm, problem: errors.PromptsaasError) -> None:
    form.add_error(problem.param if problem.param in form.fields else None, problem.message)
