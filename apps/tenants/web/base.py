"""Base of every page: who may see it is declared on the class, and the page renders inside the scope.

``permissions`` names a right for each HTTP method that a class handles; a class that forgets one can't be
imported. Strangers get 404; members without the right get a 403 that names who can grant it, and the
refusal is audited.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View

from apps.audit.services import record_refused
from apps.core.formatting import format_number
from apps.core.request_id import current_request_id
from apps.core.scope import organization_scope
from apps.core.tables import Asked, Table, export_answer, page_of
from apps.tenants import queries
from apps.tenants.access import Access, SessionAccess, open_session
from apps.tenants.entrance import check_permissions, client_ip, refusal_reason
from apps.tenants.models import Organization, Project, User
from apps.tenants.roles import Permission
from apps.tenants.web.shell import remember_project, shell_context


class SignedInView(View):
    """A page of the user, outside every organization. Anonymous visitors are sent to sign in."""

    http_method_names = ["get", "head", "post"]
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return to_sign_in(request)
        self.user = request.user
        return super().dispatch(request, *args, **kwargs)


class OrganizationView(View):
    """A page of one organization, addressed by ``<slug:organization>`` in its path.

    ``without_mfa = True`` lets a member in who lacks the second factor that the organization asks for.
    ``scoped = False`` leaves opening the scope to the handler (``with self.scope():``), for pages that call
    the network in between. A response with a status of 400 or more takes back what the handler wrote.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    permissions: ClassVar[Mapping[str, str]] = {}
    scoped: ClassVar[bool] = True
    without_mfa: ClassVar[bool] = False

    access: Access
    session: SessionAccess
    user: User

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not abstract:
            check_permissions(cls, cls.permissions)

    @property
    def organization(self) -> Organization:
        return self.access.organization

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Find the access, check the permission, open the scope and answer inside it."""
        if not isinstance(request.user, User):
            return to_sign_in(request)
        self.user = request.user
        self.session = self.open_session(request, **kwargs)
        self.access = self.session.access
        permission = self.permissions.get("GET" if request.method == "HEAD" else request.method or "")
        if permission is None:
            return self.http_method_not_allowed(request, *args, **kwargs)
        with timezone.override(zone_of(self.user)):
            if self.session.mfa_missing and not self.without_mfa:
                return self._ask_for_second_factor()
            if not self.allowed(permission):
                return self._refuse(permission)
            if not self.scoped:
                return super().dispatch(request, *args, **kwargs)
            with self.scope():
                return _answered(super().dispatch(request, *args, **kwargs))

    def open_session(self, request: HttpRequest, **kwargs: Any) -> SessionAccess:
        """The member's access to the organization of the address. Raises NotFound for strangers."""
        return open_session(
            self.user,
            organization=kwargs["organization"],
            ip=client_ip(request),
            request_id=current_request_id(),
        )

    def allowed(self, permission: str) -> bool:
        """Whether the caller may come in. Asked outside the scope; pages of one object widen it by grants."""
        return self.access.can(permission)

    def scope(self) -> AbstractContextManager[None]:
        """The organization's scope: one transaction."""
        return organization_scope(self.access.organization.id)

    def render(
        self, template: str, context: Mapping[str, Any] | None = None, status: int = 200
    ) -> HttpResponse:
        """Render a page with the shell's context, inside the open scope."""
        return render(self.request, template, {**self.shell(), **(context or {})}, status=status)

    def list_page(
        self,
        table: Table[Any, Any],
        asked: Asked,
        rows: QuerySet[Any],
        template: str,
        context: Mapping[str, Any] | None = None,
    ) -> HttpResponseBase:
        """Answer with one page of a list as ``table``, or with what the address asks of it instead:
        a file (``?export=``) or the number of rows that match (``?count=1``).
        """
        if asked.export:
            return export_answer(table, asked, rows, organization_id=self.organization.id)
        if asked.count:
            asked.check()
            return HttpResponse(format_number(rows.count()), content_type="text/plain")
        if asked.every:
            asked.check()
        page = page_of(table, asked, rows, chosen=self.user.table_columns)
        return self.render(template, {"table": page, **(context or {})})

    def shell(self) -> dict[str, Any]:
        """What every page's frame needs: organization, project, access, switch and settings."""
        return shell_context(self.request, self.session)

    def _ask_for_second_factor(self) -> HttpResponse:
        if self.request.headers.get("HX-Request"):
            # A fragment can't hold the page that explains it.
            return HttpResponse(status=403, headers={"HX-Refresh": "true"})
        with self.scope():
            context = {"askers": queries.granters(Permission.ORGANIZATION_MANAGE)}
            return self.render("tenants/mfa_required.html", context, status=403)

    def _refuse(self, permission: str) -> HttpResponse:
        record_refused(
            actor=self.access.actor,
            action="access.refused",
            target=self.access.project,
            organization_id=self.access.organization.id,
            reason=refusal_reason(permission, self.request),
        )
        with self.scope():
            granters = queries.granters(permission)
            context = {"permission": permission, "granters": granters}
            return self.render("tenants/denied.html", context, status=403)


class ProjectView(OrganizationView, abstract=True):
    """A page of one project, addressed by ``<slug:organization>/<slug:project>`` in its path."""

    def address(self, name: str, *args: str) -> str:
        """The address of a page of this project: ``self.address("prompts:detail", prompt.public_id)``."""
        return reverse(name, args=[self.organization.slug, self.project.slug, *args])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, and note the project for the pages that belong to the whole organization."""
        response = super().dispatch(request, *args, **kwargs)
        if hasattr(self, "access"):
            remember_project(request, response, self.project)
        return response

    @property
    def project(self) -> Project:
        if self.access.project is None:
            raise RuntimeError("a ProjectView's address names no project")
        return self.access.project

    def open_session(self, request: HttpRequest, **kwargs: Any) -> SessionAccess:
        return open_session(
            self.user,
            organization=kwargs["organization"],
            project=kwargs["project"],
            ip=client_ip(request),
            request_id=current_request_id(),
        )


def zone_of(user: User) -> ZoneInfo:
    """The time zone that a user reads times in."""
    try:
        return ZoneInfo(user.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def safe_path(request: HttpRequest, path: str) -> str:
    """A path that a form wants to go on to, as long as it stays on this site; else the start."""
    hosts = {request.get_host()}
    # Without a slash in front, `redirect` would take it for the name of a page.
    stays = path.startswith("/") and url_has_allowed_host_and_scheme(
        path, hosts, require_https=request.is_secure()
    )
    return path if stays else "/"


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send an anonymous visitor to sign in; htmx follows a header, since it can't follow into a page."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": reverse("account_login")})
    return redirect_to_login(request.get_full_path())


def _answered(response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        response = response.render()
    if response.status_code >= 400:
        transaction.set_rollback(True)
    return response
