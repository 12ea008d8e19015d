"""Pages of organizations, projects and the user's theme."""

from typing import ClassVar

from allauth.account import views as account_views
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from apps.core import errors
from apps.core.request_id import current_request_id
from apps.tenants import services
from apps.tenants.access import places_of, user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.roles import ANY_MEMBER, Permission
from apps.tenants.web.base import OrganizationView, SignedInView, safe_path
from apps.tenants.web.forms import OrganizationForm, ProjectForm
from apps.tenants.web.shell import home_path, page_path


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
    """``/<organization>/``: to its first project; ``?page=prompts:list`` names the page to open there."""

    permissions: ClassVar = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        projects = self.session.projects
        if not projects:
            return redirect("tenants:new-project", organization=organization)
        kept = page_path(request.GET.get("page", ""), self.organization, projects[0])
        return redirect(kept or home_path(self.organization, projects[0]))


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
