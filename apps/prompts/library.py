"""Finding prompts in a library of any size: by words, in texts, by folder, tag and label.

How the search stays fast behind row security: docs/decisions/0014-search.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from django.contrib.postgres.aggregates import BoolOr
from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest, Lower, StrIndex, Substr

from apps.prompts.models import Label, Prompt, PromptVersion
from apps.prompts.types import LATEST, PRODUCTION
from apps.tenants.models import Project

# More hits than this make a word common, and common words are found fastest without the index.
MOST_HITS: Final = 3_000
SHORTEST_INDEXED: Final = 3
LONGEST_SEARCH: Final = 200
MOST_LABELS: Final = 50
_BEFORE: Final = 60
_WINDOW: Final = 240


class Where(Enum):
    """Where a search looks, beside names, descriptions and tags."""

    NAMES = ""
    NEWEST = "newest"
    EVERY = "every"


class Archived(Enum):
    """Which prompts a list has."""

    NO = ""
    ONLY = "only"
    ALSO = "also"


@dataclass(frozen=True, slots=True)
class Found:
    """The line of a version's text in which a search found its words."""

    number: int
    before: str
    match: str
    after: str


class _ILike(Func):
    """``text ILIKE pattern``."""

    template = "%(expressions)s"
    arg_joiner = " ILIKE "
    output_field = BooleanField()


class _Text(Func):
    """The text of a version's messages."""

    function = "prompts_text"
    output_field = TextField()


class _Head(Func):
    """Name, description and tags of a prompt as one text."""

    function = "prompts_head"
    output_field = TextField()


def filter_prompts(
    project: Project,
    *,
    search: str = "",
    where: Where = Where.NAMES,
    folder: str = "",
    tag: str = "",
    label: str = "",
    archived: Archived = Archived.NO,
) -> QuerySet[Prompt]:
    """A project's prompts that match everything given. Looks its words up at once, so call it once a list.

    `search` is a phrase, upper or lower case; `folder` means everything below it; `label` may be ``latest``,
    which every prompt has.
    """
    prompts = Prompt.objects.filter(project=project)
    if archived is not Archived.ALSO:
        prompts = prompts.filter(archived_at__isnull=archived is Archived.NO)
    if folder:
        prompts = below(prompts, folder)
    if tag:
        prompts = prompts.filter(tags__contains=[tag])
    if label and label != LATEST:
        prompts = prompts.filter(pk__in=Label.objects.filter(name=label).values("prompt_id"))
    phrase = search.strip()[:LONGEST_SEARCH]
    return _searched(project, prompts, phrase, where) if phrase else prompts


def below(prompts: QuerySet[Prompt], folder: str) -> QuerySet[Prompt]:
    """Those of the prompts that lie in a folder or deeper."""
    return prompts.filter(name__startswith=f"{folder.strip('/')}/")


def directly_in(prompts: QuerySet[Prompt], folder: str) -> QuerySet[Prompt]:
    """Of a folder's prompts those that lie in no deeper folder; an empty folder is the top."""
    return prompts.annotate(rest=_rest(folder)).exclude(rest__contains="/")


def folders_in(prompts: QuerySet[Prompt], folder: str) -> list[tuple[str, int]]:
    """The folders right below a folder and how many prompts each holds, by name."""
    first = Func(F("rest"), Value("/"), Value(1), function="split_part", output_field=CharField())
    found = prompts.annotate(rest=_rest(folder)).filter(rest__contains="/").annotate(first=first)
    return list(found.order_by("first").values_list("first").annotate(total=Count("pk")))


def all_folders(prompts: QuerySet[Prompt]) -> list[str]:
    """Every folder that holds a prompt, and those above them, by name."""
    beginning = Func(
        F("name"), Value("/[^/]*$"), Value(""), function="regexp_replace", output_field=CharField()
    )
    names = prompts.filter(name__contains="/").annotate(path=beginning).values_list("path", flat=True)
    paths = dict.fromkeys(names.distinct().order_by("path"))
    for path in list(paths):
        segments = path.split("/")
        paths |= {"/".join(segments[:depth]): None for depth in range(1, len(segments))}
    return sorted(paths)


def tags_of(prompts: QuerySet[Prompt]) -> list[str]:
    """Every tag of the prompts, by name."""
    names = prompts.order_by().annotate(tag=Func(F("tags"), function="unnest", output_field=CharField()))
    return sorted(names.values_list("tag", flat=True).distinct())


def labels_among(prompts: QuerySet[Prompt]) -> list[str]:
    """Every label of the prompts, production first."""
    known = Label.objects.order_by().values_list("name", flat=True).distinct()
    own = Label.objects.order_by().filter(prompt__in=prompts.order_by())
    names = list(known[: MOST_LABELS + 1])
    if 0 < len(names) <= MOST_LABELS:
        # A first row for each name is found many times faster than the names of all rows.
        first, *others = (own.filter(name=name).values_list("name", flat=True)[:1] for name in names)
        names = list(first.union(*others, all=True))
    elif names:
        names = list(own.values_list("name", flat=True).distinct())
    return sorted(names, key=lambda name: (name != PRODUCTION, name))


def found_lines(prompts: Iterable[Prompt], search: str, where: Where) -> dict[UUID, Found]:
    """For each of a page's prompts the newest line with the words, where a text has them; one query."""
    phrase = search.strip()[:LONGEST_SEARCH]
    latest = {prompt.pk: prompt.latest_number for prompt in prompts}
    if not phrase or where is Where.NAMES or not latest:
        return {}
    versions = PromptVersion.objects.filter(prompt_id__in=list(latest))
    if where is Where.NEWEST:
        versions = versions.filter(number=F("prompt__latest_number"))
    text = _Text("messages")
    start = Greatest(StrIndex(Lower(text), Lower(Value(phrase))) - _BEFORE, 1)
    rows = (
        versions.alias(hit=_ILike(text, Value(_pattern(phrase))))
        .filter(hit=True)
        .order_by("prompt_id", "-number")
        .distinct("prompt_id")
        .annotate(window=Substr(text, start, _WINDOW + len(phrase)))
    )
    found = {}
    for prompt_id, number, window in rows.values_list("prompt_id", "number", "window"):
        line = _line(window, phrase, number)
        if line is not None:
            found[prompt_id] = line
    return found


def _line(window: str, phrase: str, number: int) -> Found | None:
    at = window.lower().find(phrase.lower())
    if at < 0:
        return None
    start = max(window.rfind("\n", 0, at) + 1, 0)
    end = window.find("\n", at + len(phrase))
    end = len(window) if end < 0 else end
    return Found(number, window[start:at], window[at : at + len(phrase)], window[at + len(phrase) : end])


def _searched(project: Project, prompts: QuerySet[Prompt], phrase: str, where: Where) -> QuerySet[Prompt]:
    if len(phrase) >= SHORTEST_INDEXED:
        hits = _indexed(project, phrase, where)
        if hits is not None:
            return prompts.filter(pk__in=hits)
    pattern = Value(_pattern(phrase))
    in_head = _ILike(_Head("name", "description", "tags"), pattern)
    if where is Where.NAMES:
        return prompts.alias(in_head=in_head).filter(in_head=True)
    versions = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by()
    if where is Where.NEWEST:
        versions = versions.filter(number=OuterRef("latest_number"))
    # A scalar: the planner would turn EXISTS into a join over every text of the library.
    hits_text = versions.values("prompt").annotate(hit=BoolOr(_ILike(_Text("messages"), pattern)))
    in_text = Coalesce(Subquery(hits_text.values("hit")), Value(False))
    return prompts.alias(
        hit=Case(When(Q(in_head), then=Value(True)), default=in_text, output_field=BooleanField())
    ).filter(hit=True)


def _indexed(project: Project, phrase: str, where: Where) -> list[UUID] | None:
    """The prompts that the index finds; None where there are more than it is good for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prompt_id, number FROM prompts_search(%s, %s, %s, %s, %s, %s)",
            [
                project.pk,
                phrase,
                _pattern(phrase),
                where is not Where.NAMES,
                where is Where.EVERY,
                MOST_HITS + 1,
            ],
        )
        rows: list[tuple[UUID, int]] = cursor.fetchall()
    in_heads = sum(number == 0 for _, number in rows)
    if max(in_heads, len(rows) - in_heads) > MOST_HITS:
        return None
    return sorted({prompt_id for prompt_id, _ in rows})


def _pattern(phrase: str) -> str:
    escaped = phrase.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _rest(folder: str) -> Substr:
    return Substr("name", len(folder) + 2 if folder else 1)
