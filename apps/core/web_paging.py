"""Cursor paging of HTML lists, newest first, with every other query parameter kept in the links."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict

from apps.core import ids

PAGE_ROWS: Final = 50

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class WebPage:
    """One page of a list; an empty link means that there is no such page."""

    rows: list[Any]
    newer: str
    older: str


def web_page(queryset: QuerySet[Row], request: HttpRequest, *, limit: int = PAGE_ROWS) -> WebPage:
    """The page that ``?after=`` or ``?before=`` (public ids) names; a malformed id means the first page."""
    prefix = str(getattr(queryset.model, "PREFIX", ""))
    after, before = _cursor(request.GET, "after", prefix), _cursor(request.GET, "before", prefix)
    if before:
        found = list(queryset.filter(pk__gt=before).order_by("pk")[: limit + 1])
        rows = found[:limit][::-1]
        has_newer, has_older = len(found) > limit, True
    else:
        older = queryset.filter(pk__lt=after) if after else queryset
        found = list(older.order_by("-pk")[: limit + 1])
        rows = found[:limit]
        has_newer, has_older = after is not None, len(found) > limit
    return WebPage(
        rows=rows,
        newer=_href(request.GET, "before", prefix, rows[0].pk) if rows and has_newer else "",
        older=_href(request.GET, "after", prefix, rows[-1].pk) if rows and has_older else "",
    )


def _cursor(parameters: QueryDict, name: str, prefix: str) -> UUID | None:
    return ids.decode_or_none(prefix, str(parameters.get(name, "")))


def _href(parameters: QueryDict, name: str, prefix: str, pk: UUID) -> str:
    kept = parameters.copy()
    for cursor in ("after", "before"):
        kept.pop(cursor, None)
    kept[name] = ids.encode(prefix, pk)
    return f"?{kept.urlencode()}"
