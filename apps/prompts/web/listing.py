"""The list of prompts: its columns, filters and file, and what an address asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet, Value
from django.http import QueryDict

from apps.core.tables import Asked, Column, Filter, FilterKind, Table, register
from apps.prompts import library, queries
from apps.prompts.library import Archived, Found, Where
from apps.prompts.models import Prompt
from apps.tenants.models import Project

# What analytics knows of a prompt's last seven days; it fills these columns once the rows are there.
WEEK_COLUMNS: Final = {
    "calls": "7-day calls",
    "cost": "7-day cost",
    "errors": "7-day errors",
    "score": "7-day score",
}


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt with its labels, and the line of its text that a search found."""

    prompt: Prompt
    labels: Mapping[str, int]
    found: Found | None

    @property
    def folder(self) -> str:
        """The folder with a slash behind it; empty at the top."""
        return self.prompt.name[: len(self.prompt.name) - len(self.short_name)]

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.prompt.name.rpartition("/")[2]


def _rows(prompts: list[Prompt]) -> list[PromptRow]:
    searched = prompts[0] if prompts else None
    phrase, where = getattr(searched, "phrase", ""), Where(getattr(searched, "where", ""))
    lines = library.found_lines(prompts, phrase, where)
    return [PromptRow(prompt, queries.loaded_labels(prompt), lines.get(prompt.pk)) for prompt in prompts]


PROMPTS: Final = register(
    Table[Prompt, PromptRow](
        key="prompts",
        prefix=Prompt.PREFIX,
        noun=("prompt", "prompts"),
        search="Search prompts",
        default_sort="-changed",
        prepare=_rows,
        filters=(
            Filter(
                "in",
                "Search in",
                [(Where.NEWEST.value, "Names and newest texts"), (Where.EVERY.value, "Every version's text")],
                usual="names and tags",
            ),
            Filter("label", "Label"),
            Filter("tag", "Tag"),
            Filter("folder", "Folder", kind=FilterKind.TEXT),
            Filter(
                "archived",
                "Archive",
                [(Archived.ONLY.value, "Archived only"), (Archived.ALSO.value, "Archived too")],
                usual="left out",
            ),
        ),
        columns=(
            Column("id", "Id", lambda row: row.prompt.public_id, export_only=True),
            Column("name", "Name", lambda row: row.prompt.name, sort="name", always=True),
            Column("description", "Description", lambda row: row.prompt.description, export_only=True),
            Column("kind", "Kind", lambda row: row.prompt.kind, default=False),
            Column("labels", "Labels", lambda row: dict(row.labels)),
            Column("tags", "Tags", lambda row: row.prompt.tags),
            Column("newest", "Newest", lambda row: row.prompt.latest_number, numeric=True),
            *(
                Column(key, title, lambda row: "", numeric=True, page_only=True)
                for key, title in WEEK_COLUMNS.items()
            ),
            Column(
                "changed", "Last change", lambda row: row.prompt.changed_at, sort="changed_at", downwards=True
            ),
            Column("changed_by", "Changed by", lambda row: row.prompt.changed_by, export_only=True),
            Column(
                "created",
                "Created",
                lambda row: row.prompt.created_at,
                sort="id",
                downwards=True,
                default=False,
            ),
            Column("archived", "Archived", lambda row: row.prompt.archived_at, export_only=True),
        ),
    )
)


def read(data: QueryDict, visible: QuerySet[Prompt]) -> Asked:
    """What an address asks of the list; `visible` are the prompts that the caller may know of."""
    return PROMPTS.read(
        data,
        choices={
            "label": [(name, name) for name in library.labels_among(visible)],
            "tag": [(name, name) for name in library.tags_of(visible)],
        },
    )


def matching(project: Project, asked: Asked) -> QuerySet[Prompt]:
    """The prompts that match what is asked, ready for ``PROMPTS``."""
    where = Where(asked.filters["in"])
    found = library.filter_prompts(
        project,
        search=asked.search,
        where=where,
        folder=asked.filters["folder"],
        tag=asked.filters["tag"],
        label=asked.filters["label"],
        archived=Archived(asked.filters["archived"]),
    )
    found = found.annotate(phrase=Value(asked.search), where=Value(where.value))
    return queries.with_labels(found)
