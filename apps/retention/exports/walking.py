"""Reading a kind's rows page by page, from wherever the last page ended. Inside the organization's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from apps.core.scope import current_organization_id
from apps.retention.exports.kinds import FILES, Kind
from apps.retention.models import ExportPart
from apps.tenants.models import Organization

Place = dict[str, Any]
"""Where a kind is read on: the values that its order ended with, and the parent they belong to. Is JSON."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where to go on; no place after the last page."""

    rows: Sequence[Model]
    place: Place | None


def next_page(kind: Kind, place: Place) -> Page:
    """The page that follows a place; an empty place is the beginning."""
    if kind.parent is not None:
        return _page_of_parent(kind, *kind.parent, place)
    rows = list(_following(_rows(kind), kind.order, place.get("after"))[: kind.at_once])
    return Page(rows, _after(kind, rows) if len(rows) == kind.at_once else None)


def _page_of_parent(kind: Kind, model: type[Model], link: str, place: Place) -> Page:
    parents = _manager(model).order_by("pk").values_list("pk", flat=True)
    parent = place.get("parent") or parents.first()
    if parent is None:
        return Page([], None)
    children = _following(_rows(kind).filter(**{link: parent}), kind.order, place.get("after"))
    rows = list(children[: kind.at_once])
    if len(rows) == kind.at_once:
        return Page(rows, {"parent": str(parent)} | _after(kind, rows))
    following = parents.filter(pk__gt=parent).first()
    return Page(rows, {"parent": str(following)} if following else None)


def _rows(kind: Kind) -> QuerySet[Any]:
    if kind.model is Organization:
        return Organization.objects.filter(pk=current_organization_id())
    rows = _manager(kind.model)
    if kind.related:
        rows = rows.select_related(*kind.related)
    if kind.name == FILES:
        # Without archives, this one too, and without what waits to be deleted.
        kept = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
        return kept.exclude(pk__in=ExportPart.objects.values("file_id"))
    return rows


def _manager(model: type[Model]) -> QuerySet[Any]:
    found: QuerySet[Any] = model._default_manager.all()
    return found


def _following(rows: QuerySet[Any], order: tuple[str, ...], after: list[Any] | None) -> QuerySet[Any]:
    """Rows behind the given values, compared one column after the other."""
    ordered = rows.order_by(*order)
    if after is None:
        return ordered
    behind = Q()
    equal: dict[str, Any] = {}
    for name, value in zip(order, after, strict=True):
        column, comparison = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        behind |= Q(**equal, **{f"{column}__{comparison}": value})
        equal[column] = value
    first, comparison = order[0].removeprefix("-"), "lte" if order[0].startswith("-") else "gte"
    # Says nothing new, but the index can begin there.
    return ordered.filter(behind, **{f"{first}__{comparison}": after[0]})


def _after(kind: Kind, rows: Sequence[Model]) -> Place:
    values = [getattr(rows[-1], name.removeprefix("-")) for name in kind.order]
    return {"after": [_as_json(value) for value in values]}


def _as_json(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value
