"""The search box: prompts, datasets and batches by name, everything that has a page by its id."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from apps.batches.queries import list_jobs
from apps.core import ids
from apps.datasets.models import Dataset
from apps.prompts.queries import list_prompts
from apps.runs.queries import find_run
from apps.tenants.access import Access
from apps.tenants.models import Project
from apps.tenants.roles import Permission

EACH = 6
"""How many hits of one kind are shown."""


@dataclass(frozen=True)
class Hit:
    """One line of the answer."""

    icon: str
    title: str
    note: str
    href: str


@dataclass(frozen=True)
class Kind:
    """What can be found by name, and the right that finding it takes."""

    name: str
    icon: str
    prefix: str
    view_name: str
    permission: Permission
    search: Callable[[Project, str], QuerySet[Any]]


def _datasets(project: Project, text: str) -> QuerySet[Dataset]:
    datasets = Dataset.objects.filter(project=project)
    return datasets.filter(name__icontains=text) if text else datasets


KINDS = (
    Kind(
        "Prompt",
        "prompt",
        "prm",
        "prompts:detail",
        Permission.PROMPTS_VIEW,
        lambda project, text: list_prompts(project, search=text),
    ),
    Kind("Dataset", "data", "dst", "datasets:detail", Permission.DATASETS_VIEW, _datasets),
    Kind(
        "Batch",
        "layers",
        "bat",
        "batches:detail",
        Permission.BATCHES_VIEW,
        lambda project, text: list_jobs(project, search=text),
    ),
)


def find(access: Access, project: Project, text: str) -> list[Hit]:
    """Return what `text` names in a project and `access` may see; nothing for an empty text."""
    text = text.strip()
    if not text:
        return []
    hits = [hit for kind in KINDS if access.can(kind.permission) for hit in _hits(kind, project, text)]
    if access.can(Permission.RUNS_VIEW):
        hits.extend(_runs(project, text))
    return hits


def _hits(kind: Kind, project: Project, text: str) -> Iterator[Hit]:
    row_id = ids.decode_or_none(kind.prefix, text)
    found = kind.search(project, "").filter(pk=row_id) if row_id else kind.search(project, text)
    for row in found.order_by("-pk")[:EACH]:
        public_id = ids.encode(kind.prefix, row.pk)
        href = reverse(kind.view_name, args=(project.organization.slug, project.slug, public_id))
        yield Hit(kind.icon, row.name, kind.name, href)


def _runs(project: Project, text: str) -> Iterator[Hit]:
    run = find_run(project.id, text)
    if run is not None:
        href = reverse("runs:detail", args=(project.organization.slug, project.slug, run.public_id))
        yield Hit("list", run.public_id, f"Run of {run.prompt_name or run.model}", href)
