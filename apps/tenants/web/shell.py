"""What the frame of every page shows beside the page: the switch, the sidebar, the settings' tabs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from apps.tenants.access import Access, SessionAccess
from apps.tenants.models import Organization, Project
from apps.tenants.roles import Permission

LAST_PROJECT: Final = "last_project"
LAST_PROJECT_SECONDS: Final = 90 * 24 * 3600

# Words, name of the address, whether a project stands in it.
SETTINGS: Final = (
    ("General", "tenants:settings", False),
    ("Project", "tenants:project", True),
    ("Members", "tenants:members", False),
    ("Roles", "tenants:roles", False),
    ("API keys", "tenants:keys", True),
    ("Providers", "providers:list", True),
    ("Serving", "prompts:project-serving", True),
    ("Webhooks", "notifications:list", True),
    ("Audit log", "tenants:audit", False),
    ("Privacy", "retention:policy", False),
    ("Usage", "billing:usage", False),
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the switch keeps: the name of a page that other projects or organizations have too, or ""."""

    name: str
    in_project: bool


def home_path(organization: Organization, project: Project | None) -> str:
    """The address of a project's home, or of the organization when it has no project."""
    if project is None:
        return reverse("tenants:organization", kwargs={"organization": organization.slug})
    return f"/{organization.slug}/{project.slug}/"


def shell_context(request: HttpRequest, session: SessionAccess) -> dict[str, Any]:
    """The shell's context. On a page of the whole organization, ``home_project`` is where one came from."""
    access = session.access
    organization, project = access.organization, access.project
    home = project or _last_project(request, session.projects)
    entries = settings_entries(access, home, request.path)
    kind = _kind_of_page(request)
    in_settings = "settings" in request.path.split("/")[2:4]
    return {
        "access": access,
        "organization": organization,
        "project": project,
        "home_project": home,
        "in_settings": in_settings,
        "settings_tabs": list(entries) if in_settings else [],
        "settings_href": "" if in_settings else next((each["href"] for each in entries), ""),
        "navigation": {
            "organizations": [
                _organization_entry(each, organization, kind) for each in session.organizations
            ],
            "projects": [_project_entry(organization, each, home, kind) for each in session.projects],
            "new_project": _new_project_path(access),
        },
    }


def settings_entries(access: Access, project: Project | None, path: str) -> Iterator[dict[str, Any]]:
    """The pages of the settings that exist and that the member may open, in their order."""
    for label, name, needs_project in SETTINGS:
        if needs_project and project is None:
            continue
        slugs = [access.organization.slug, *([project.slug] if needs_project and project else [])]
        try:
            href = reverse(name, args=slugs)
        except NoReverseMatch:
            continue
        if may_open(access, href):
            yield {"label": label, "href": href, "current": _stands_in(path, href)}


def may_open(access: Access, path: str) -> bool:
    """Whether the page at a path may be seen, by what its own class declares."""
    permission = _permissions_at(path).get("GET")
    return permission is not None and access.can(permission)


def _permissions_at(path: str) -> Mapping[str, str]:
    try:
        view = getattr(resolve(path).func, "view_class", None)
    except Resolver404:
        return {}
    permissions: Mapping[str, str] = getattr(view, "permissions", {})
    return permissions


def remember_project(request: HttpRequest, response: HttpResponseBase, project: Project) -> None:
    """Note where one is, so that a page of the whole organization can lead back there."""
    if request.COOKIES.get(LAST_PROJECT) != str(project.id):
        response.set_cookie(
            LAST_PROJECT,
            str(project.id),
            max_age=LAST_PROJECT_SECONDS,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )


def _last_project(request: HttpRequest, projects: Sequence[Project]) -> Project | None:
    wanted = request.COOKIES.get(LAST_PROJECT)
    known = next((project for project in projects if str(project.id) == wanted), None)
    return known or next(iter(projects), None)


def _stands_in(path: str, href: str) -> bool:
    # "General" is the beginning of every other page's address.
    return path == href if href.endswith("/settings/") else path.startswith(href)


def _new_project_path(access: Access) -> str:
    if not access.can(Permission.ORGANIZATION_MANAGE):
        return ""
    return reverse("tenants:new-project", args=[access.organization.slug])


def _organization_entry(organization: Organization, current: Organization, kind: _Kind) -> dict[str, Any]:
    href = home_path(organization, None)
    if kind.name and kind.in_project:
        # Its projects aren't known here; its start page goes on to the first one.
        href = f"{href}?{urlencode({'page': kind.name})}"
    elif kind.name:
        href = reverse(kind.name, args=[organization.slug])
    return {"name": organization.name, "href": href, "current": organization.id == current.id}


def _project_entry(
    organization: Organization, project: Project, current: Project | None, kind: _Kind
) -> dict[str, Any]:
    kept = page_path(kind.name, organization, project) if kind.in_project else ""
    return {
        "name": project.name,
        "href": kept or home_path(organization, project),
        "current": current is not None and project.id == current.id,
    }


def page_path(kind: str, organization: Organization, project: Project) -> str:
    """The address of a kind of page, such as ``prompts:list``, in a project; empty if it has none."""
    try:
        href = reverse(kind, args=[organization.slug, project.slug])
    except NoReverseMatch:
        return ""
    return href if "GET" in _permissions_at(href) else ""


def _kind_of_page(request: HttpRequest) -> _Kind:
    """This very page if only organization and project name it, else its room's list."""
    match = request.resolver_match
    if match is None:
        return _Kind("", in_project=False)
    names, in_project = set(match.kwargs), "project" in match.kwargs
    is_plain = names <= {"organization", "project"} and "GET" in _permissions_at(request.path)
    if is_plain:
        return _Kind(match.view_name, in_project)
    return _Kind(f"{match.app_name}:list" if in_project else "", in_project)
