"""The search box: pages and actions by word, things of the project by name, anything of one's own by its id.

An id is looked for in every organization that one belongs to, with the same statements whether it is
another tenant's or nobody's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import NoReverseMatch, reverse

from apps.analytics.alerts.models import AlertRule
from apps.analytics.alerts.queries import list_rules
from apps.analytics.incidents.models import Incident
from apps.analytics.incidents.words import summary
from apps.batches.models import BatchJob
from apps.batches.queries import list_jobs
from apps.core import ids
from apps.core.errors import NotFound, PermissionDenied
from apps.core.scope import organization_scope
from apps.datasets import queries as dataset_queries
from apps.datasets.models import Dataset, Origin
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import list_prompts
from apps.runs.models import Run
from apps.tenants.access import Access, SessionAccess, open_session_for_project
from apps.tenants.models import APIKey, Project, User
from apps.tenants.roles import ANY_MEMBER, Permission
from apps.tenants.web.shell import home_path, may_open, settings_entries

EACH: Final = 6
"""How many hits of one kind are shown."""

LONGEST_REQUEST_ID: Final = 64


@dataclass(frozen=True)
class Hit:
    """One line of the answer."""

    icon: str
    title: str
    note: str
    href: str


@dataclass(frozen=True)
class Group:
    """Hits of one kind under a heading."""

    title: str
    hits: list[Hit]


@dataclass(frozen=True)
class Place:
    """Where an id leads: the project it is in, the page's name and its further parts."""

    project_id: UUID
    title: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """What can be opened by its id, and the right that this takes.

    ``locate`` runs inside a scope and is given an id of its own kind only.
    """

    word: str
    icon: str
    view_name: str
    permission: str
    locate: Callable[[str], Place | None]


@dataclass(frozen=True)
class Named:
    """What can be found by name in a project."""

    title: str
    word: str
    icon: str
    prefix: str
    view_name: str
    permission: Permission
    search: Callable[[Access, Project, str], QuerySet[Any]]


def _named_row(rows: Callable[[], QuerySet[Any]], prefix: str) -> Callable[[str], Place | None]:
    def locate(text: str) -> Place | None:
        row = rows().filter(pk=ids.decode(prefix, text)).values_list("project_id", "name").first()
        return Place(row[0], row[1], (text,)) if row else None

    return locate


def _version(text: str) -> Place | None:
    versions = PromptVersion.objects.filter(pk=ids.decode("prv", text)).select_related("prompt")
    version = versions.first()
    if version is None:
        return None
    prompt = version.prompt
    parts = (prompt.public_id, str(version.number))
    return Place(prompt.project_id, f"{prompt.name}, v{version.number}", parts)


def _key(text: str) -> Place | None:
    row = APIKey.objects.filter(pk=ids.decode("key", text)).values_list("project_id", "name").first()
    return Place(row[0], row[1]) if row else None


def _incident(text: str) -> Place | None:
    incident = Incident.objects.filter(pk=ids.decode("inc", text)).first()
    return Place(incident.project_id, summary(incident), (text,)) if incident else None


def _project(text: str) -> Place | None:
    row = Project.objects.filter(pk=ids.decode("prj", text)).values_list("pk", "name").first()
    return Place(row[0], row[1]) if row else None


def _run(text: str) -> Place | None:
    if text.startswith("req_"):
        wanted = Q(request_id=text[:LONGEST_REQUEST_ID])
    else:
        wanted = Q(pk=ids.decode("run", text))
    run = Run.objects.filter(wanted).order_by("-pk").first()
    if run is None:
        return None
    return Place(run.project_id, f"{run.prompt_name or run.model}, {run.public_id}", (run.public_id,))


BY_ID: Final[dict[str, Kind]] = {
    "prm": Kind(
        "Prompt",
        "prompt",
        "prompts:detail",
        Permission.PROMPTS_VIEW,
        _named_row(lambda: Prompt.objects.all(), "prm"),
    ),
    "prv": Kind("Version", "prompt", "prompts:version", Permission.PROMPTS_VIEW, _version),
    "dst": Kind(
        "Dataset",
        "data",
        "datasets:detail",
        Permission.DATASETS_VIEW,
        _named_row(lambda: Dataset.objects.filter(origin=Origin.LIBRARY), "dst"),
    ),
    "bat": Kind(
        "Batch",
        "layers",
        "batches:detail",
        Permission.BATCHES_VIEW,
        _named_row(lambda: BatchJob.objects.all(), "bat"),
    ),
    "run": Kind("Run", "list", "runs:detail", Permission.RUNS_VIEW, _run),
    "req": Kind("Run", "list", "runs:detail", Permission.RUNS_VIEW, _run),
    "alr": Kind(
        "Alert rule",
        "bell",
        "analytics:alert",
        Permission.RUNS_VIEW,
        _named_row(lambda: AlertRule.objects.all(), "alr"),
    ),
    "inc": Kind("Incident", "alert", "analytics:incident", Permission.RUNS_VIEW, _incident),
    "key": Kind("API key", "key", "tenants:keys", Permission.KEYS_VIEW, _key),
    "prj": Kind("Project", "folder", "dashboard:home", ANY_MEMBER, _project),
}


def _datasets(access: Access, project: Project, text: str) -> QuerySet[Dataset]:
    return dataset_queries.library(project).filter(name__icontains=text)


BY_NAME: Final = (
    Named(
        "Prompts",
        "Prompt",
        "prompt",
        "prm",
        "prompts:detail",
        Permission.PROMPTS_VIEW,
        lambda access, project, text: list_prompts(project, search=text),
    ),
    Named("Datasets", "Dataset", "data", "dst", "datasets:detail", Permission.DATASETS_VIEW, _datasets),
    Named(
        "Batches",
        "Batch",
        "layers",
        "bat",
        "batches:detail",
        Permission.BATCHES_VIEW,
        lambda access, project, text: list_jobs(project, search=text),
    ),
    Named(
        "Alert rules",
        "Alert rule",
        "bell",
        "alr",
        "analytics:alert",
        Permission.RUNS_VIEW,
        lambda access, project, text: list_rules(
            project, quotas=access.can(Permission.USAGE_VIEW), search=text
        ),
    ),
)

# Words, icon, name of the address in a project.
PAGES: Final = (
    ("Home", "home", "dashboard:home"),
    ("Prompts", "prompt", "prompts:list"),
    ("Playground", "play", "runs:playground"),
    ("Datasets", "data", "datasets:list"),
    ("Batches", "layers", "batches:list"),
    ("Scale tests", "chart", "batches:scale-tests"),
    ("Analytics", "chart", "analytics:overview"),
    ("Costs", "card", "analytics:costs"),
    ("Versions compared", "split", "analytics:versions-of"),
    ("Alerts", "bell", "analytics:alerts"),
    ("Incidents", "alert", "analytics:incidents"),
    ("Runs", "list", "runs:list"),
    ("Example prompts", "layers", "dashboard:gallery"),
    ("Quickstart", "help", "dashboard:welcome"),
)
ACTIONS: Final = (
    ("New prompt", "plus", "prompts:new"),
    ("New batch", "plus", "batches:new"),
    ("New scale test", "plus", "batches:new-scale-test"),
    ("Upload dataset", "upload", "datasets:upload"),
    ("New alert rule", "bell", "analytics:alert-new"),
    ("New API key", "key", "tenants:new-key"),
    ("Add provider connection", "plus", "providers:new"),
)


def find(user: User, session: SessionAccess, project: Project, text: str) -> list[Group]:
    """What ``text`` names and the user may see; for an empty text the pages and actions there are.

    Opens scopes of its own, one organization after the other.
    """
    text = text.strip()
    prefix = text.partition("_")[0]
    if prefix in BY_ID and (prefix == "req" or ids.decode_or_none(prefix, text)):
        return _groups(Group("By its id", list(_by_id(user, session, BY_ID[prefix], text))))
    links = [
        Group("Actions", _links(ACTIONS, session.access, project, text)),
        Group("Go to", _pages(session.access, project, text)),
    ]
    if not text:
        return _groups(*links)
    named = _by_name(session.access, project, text)
    return _groups(*named, *links, Group("Projects and organizations", _places(session, text)))


def _groups(*groups: Group) -> list[Group]:
    return [group for group in groups if group.hits]


def _by_id(user: User, session: SessionAccess, kind: Kind, text: str) -> Iterator[Hit]:
    for organization in session.organizations:
        with organization_scope(organization.id):
            place = kind.locate(text)
        if place is None:
            continue
        try:
            access = open_session_for_project(user, project_id=place.project_id)
        except (NotFound, PermissionDenied):
            continue
        if access.project is not None and access.can(kind.permission):
            slugs = (organization.slug, access.project.slug)
            href = reverse(kind.view_name, args=(*slugs, *place.parts))
            yield Hit(kind.icon, place.title, f"{kind.word} in {access.project.name}", href)


def _by_name(access: Access, project: Project, text: str) -> list[Group]:
    with organization_scope(access.organization.id):
        return [
            Group(kind.title, [_named_hit(kind, access, project, row) for row in rows])
            for kind in BY_NAME
            if access.can(kind.permission)
            for rows in [kind.search(access, project, text).order_by("-pk")[:EACH]]
        ]


def _named_hit(kind: Named, access: Access, project: Project, row: Any) -> Hit:
    public_id = ids.encode(kind.prefix, row.pk)
    href = reverse(kind.view_name, args=(access.organization.slug, project.slug, public_id))
    return Hit(kind.icon, row.name, kind.word, href)


def _pages(access: Access, project: Project, text: str) -> list[Hit]:
    settings = (
        Hit("settings", entry["label"], "Settings", entry["href"])
        for entry in settings_entries(access, project, "")
    )
    wanted = [hit for hit in settings if _says(hit.title, text) or _says("Settings", text)]
    return [*_links(PAGES, access, project, text), *wanted]


def _links(links: tuple[tuple[str, str, str], ...], access: Access, project: Project, text: str) -> list[Hit]:
    hits = []
    for label, icon, name in links:
        try:
            href = reverse(name, args=(access.organization.slug, project.slug))
        except NoReverseMatch:
            continue
        if _says(label, text) and may_open(access, href):
            hits.append(Hit(icon, label, "", href))
    return hits


def _places(session: SessionAccess, text: str) -> list[Hit]:
    organization = session.access.organization
    projects = [
        Hit("folder", project.name, "Project", home_path(organization, project))
        for project in session.projects
        if _says(project.name, text)
    ]
    organizations = [
        Hit("users", each.name, "Organization", home_path(each, None))
        for each in session.organizations
        if _says(each.name, text) or text == ids.encode("org", each.pk)
    ]
    return [*projects[:EACH], *organizations[:EACH]]


def _says(title: str, text: str) -> bool:
    """Whether every word of the text begins a word of the title."""
    words = title.casefold().split()
    return all(any(word.startswith(part) for word in words) for part in text.casefold().split())
