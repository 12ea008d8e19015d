"""Pages of organizations, projects, API keys and the user's theme."""

from datetime import timedelta
from typing import ClassVar, Final

from allauth.account import views as account_views
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.core import errors
from apps.core.request_id import current_request_id
from apps.core.web_paging import web_page
from apps.tenants import queries, services
from apps.tenants.access import places_of, user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.models import APIKey
from apps.tenants.roles import ANY_MEMBER, Permission
from apps.tenants.web.base import OrganizationView, ProjectView, SignedInView, safe_path
from apps.tenants.web.forms import KeyForm, OrganizationForm, ProjectForm
from apps.tenants.web.shell import home_path

UNUSED_AFTER: Final = timedelta(days=90)


class StartView(SignedInView):
    """``/``: to the first project, or to making an organization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        places = places_of(self.user)
        if not places:
            return redirect("tenants:new")
        organization, projects = places[0]
        return redirect(home_path(organization, projects[0] if projects else None))


class NewOrganizationView(SignedInView):
    """``/new/``: name an organization; its first project comes with it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._form(OrganizationForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OrganizationForm(request.POST)
        if not form.is_valid():
            return self._form(form, status=422)
        actor = user_actor(self.user, ip=client_ip(request), request_id=current_request_id())
        try:
            organization = services.create_organization(
                actor=actor, name=form.cleaned_data["name"], owner=self.user
            )
        except errors.Conflict as conflict:
            form.add_error("name", conflict.message)
            return self._form(form, status=422)
        return redirect("tenants:organization", organization=organization.slug)

    def _form(self, form: OrganizationForm, status: int = 200) -> HttpResponse:
        first = not places_of(self.user)
        return render(
            self.request, "tenants/new_organization.html", {"form": form, "first": first}, status=status
        )


class ThemeView(SignedInView):
    """Store the user's theme, then back to where the form stood."""

    def post(self, request: HttpRequest) -> HttpResponse:
        actor = user_actor(self.user, ip=client_ip(request), request_id=current_request_id())
        services.set_theme(actor=actor, user=self.user, theme=request.POST.get("theme", ""))
        return redirect(safe_path(request, request.POST.get("next", "")))


def addresses(request: HttpRequest) -> HttpResponseBase:
    """``/accounts/email/``: allauth's page, with an answer for an address that is another account's own.

    Two accounts may hold one address until one of them proves it, but only one may have it as its own.
    """
    try:
        with transaction.atomic():
            answer: HttpResponseBase = account_views.email(request)
    except IntegrityError:
        messages.error(
            request, "Another account was opened with this address, so it can't be your primary one."
        )
        return redirect("account_email")
    return answer


class OrganizationStartView(OrganizationView):
    """``/<organization>/``: to its first project."""

    permissions: ClassVar = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        projects = self.session.projects
        if not projects:
            return redirect("tenants:new-project", organization=organization)
        return redirect(home_path(self.organization, projects[0]))


class NewProjectView(OrganizationView):
    """``/<organization>/new/``: name a project."""

    permissions: ClassVar = {"GET": Permission.ORGANIZATION_MANAGE, "POST": Permission.ORGANIZATION_MANAGE}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        return self.render("tenants/new_project.html", {"form": ProjectForm()})

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = ProjectForm(request.POST)
        if not form.is_valid():
            return self._refused(form)
        try:
            project = services.create_project(
                actor=self.access.actor, organization=self.organization, name=form.cleaned_data["name"]
            )
        except errors.Conflict as conflict:
            form.add_error("name", conflict.message)
            return self._refused(form)
        return redirect(home_path(self.organization, project))

    def _refused(self, form: ProjectForm) -> HttpResponse:
        return self.render("tenants/new_project.html", {"form": form}, status=422)


class KeysPage(ProjectView, abstract=True):
    """What the list and its revoke dialog share."""

    def page(self, **context: object) -> HttpResponse:
        """The list of keys; ``revoke`` opens the dialog over it."""
        found = web_page(queries.keys_of(self.project), self.request)
        rows = [{"key": key, "state": _state(key), "unused": _is_unused(key)} for key in found.rows]
        may_manage = self.access.can(Permission.KEYS_MANAGE)
        return self.render(
            "tenants/keys.html", {"keys": rows, "pages": found, "may_manage": may_manage, **context}
        )


class KeysView(KeysPage):
    """A project's API keys."""

    permissions: ClassVar = {"GET": Permission.KEYS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.page()


class NewKeyView(ProjectView):
    """Make a key. Its secret is shown on the answer to the form, and nowhere afterwards."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._form(KeyForm(permissions=self.access.permissions))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = KeyForm(request.POST, permissions=self.access.permissions)
        if not form.is_valid():
            return self._form(form, status=422)
        key, token = services.create_api_key(
            actor=self.access.actor,
            project=self.project,
            created_by=self.user,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            livemode=form.cleaned_data["livemode"] == "live",
            expires_at=form.expires_at(),
        )
        command = f'curl {request.build_absolute_uri("/api/v1/me")} -H "Authorization: Bearer {token}"'
        response = self.render("tenants/key_made.html", {"key": key, "token": token, "command": command})
        response.headers["Cache-Control"] = "no-store"
        return response

    def _form(self, form: KeyForm, status: int = 200) -> HttpResponse:
        return self.render("tenants/new_key.html", {"form": form}, status=status)


class RevokeKeyView(KeysPage):
    """Ask, then end a key."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        found = self._key(key)
        address = reverse("tenants:keys", args=[self.organization.slug, self.project.slug])
        return self.page(
            revoke=found,
            revoke_title=f"Revoke {found.name}?",
            revoke_address=request.path,
            keys_address=address,
        )

    def post(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        revoked = services.revoke_api_key(actor=self.access.actor, key=self._key(key))
        messages.info(request, f"The key {revoked.name} no longer works.")
        return redirect("tenants:keys", organization=self.organization.slug, project=self.project.slug)

    def _key(self, public_id: str) -> APIKey:
        return queries.get_key(self.project, public_id)


def _state(key: APIKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return "expired"
    return "active"


def _is_unused(key: APIKey) -> bool:
    return _state(key) == "active" and (key.last_used_at or key.created_at) < timezone.now() - UNUSED_AFTER
