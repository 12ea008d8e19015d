"""Pages of a list by cursor: right for equal and for missing sort values, at a cost that depth doesn't raise.

A page is `(sort value, id)` beyond the cursor. Rows without a sort value stand last in both directions and
are a query of their own, so that each query is one walk along an index.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from apps.core.tables.asking import EVERY, Asked, Cursor, FilterKind, FilterValues, Order, sort_text
from apps.core.tables.declaring import Column, Table

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Head:
    """The head of a column; ``direction`` is "ascending", "descending" or "" where it isn't sorted by."""

    key: str
    title: str
    numeric: bool
    href: str
    direction: str


@dataclass(frozen=True)
class Chip:
    """A filter that is on, and the address without it."""

    title: str
    value: str
    href: str


@dataclass(frozen=True)
class Control:
    """A filter as a form asks for it."""

    key: str
    title: str
    kind: str
    options: FilterValues
    current: str


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """One page of a list, as templates take it.

    ``items`` are the rows as the table prepared them, ``shows`` says by key which columns are shown,
    ``previous`` and ``next`` are addresses or empty, ``total`` is the exact number of rows that match where
    all of them are chosen, else None.
    """

    table: Table[Any, Item]
    asked: Asked
    items: Sequence[Item]
    columns: Sequence[Column[Item]]
    previous: str
    next: str
    total: int | None

    @property
    def shows(self) -> Mapping[str, bool]:
        """By key whether a column is shown."""
        shown = {column.key for column in self.columns}
        return {column.key: column.key in shown for column in self.table.choosable}

    @property
    def width(self) -> int:
        """How many columns are shown, the checkboxes' own not counted."""
        return len(self.columns)

    @property
    def heads(self) -> list[Head]:
        """The heads of the shown columns."""
        return [self._head(column) for column in self.columns]

    @property
    def sorts(self) -> list[tuple[str, str]]:
        """Every order as value and words, for the select that phones get instead of heads."""
        titles = {column.key: column.title for column in self.table.columns}
        keys = list(self.table.orders)
        return [
            (sign + key, f"{titles[key]}, {words}")
            for key in keys
            for sign, words in (("", "ascending"), ("-", "descending"))
        ]

    @property
    def chips(self) -> list[Chip]:
        """The filters that are on."""
        return [
            Chip(each.title, self._words(each.key), self.asked.address(**{each.key: None}))
            for each in self.table.filters
            if self.asked.filters[each.key]
        ]

    @property
    def controls(self) -> list[Control]:
        """The filters that have a control; one with nothing to choose from has none."""
        return [
            Control(
                each.key,
                each.title,
                each.kind.value,
                [("", f"{each.title}: {each.usual}"), *self.asked.choices[each.key]],
                self.asked.filters[each.key],
            )
            for each in self.table.filters
            if each.kind is FilterKind.DATE
            or (each.kind is FilterKind.CHOICE and self.asked.choices[each.key])
        ]

    @property
    def links(self) -> list[tuple[str, str]]:
        """Filters without a control that are on, for a form to carry along."""
        texts = [each.key for each in self.table.filters if each.kind is FilterKind.TEXT]
        return [(key, self.asked.filters[key]) for key in texts if self.asked.filters[key]]

    @property
    def choices(self) -> list[tuple[Column[Item], bool]]:
        """The columns that can be shown or hidden, and which are shown."""
        return [(each, self.shows[each.key]) for each in self.table.choosable if not each.always]

    @property
    def exports(self) -> list[tuple[str, str]]:
        """Words and addresses of the whole filtered set as a file."""
        names = {"csv": "CSV", "csv-bom": "CSV for Excel (with BOM)", "jsonl": "JSON lines"}
        return [(words, self.asked.address(export=name)) for name, words in names.items()]

    @property
    def here(self) -> str:
        """The address of this view, from its first page on."""
        return self.asked.address()

    @property
    def clear(self) -> str:
        """The address of the list without search and filters."""
        empty: dict[str, str | None] = {"q": None, **dict.fromkeys(self.asked.filters)}
        return self.asked.address(**empty)

    @property
    def without_search(self) -> str:
        """The address of this view without its search."""
        return self.asked.address(q=None)

    @property
    def choose_all(self) -> str:
        """The address of this view with every matching row chosen."""
        return self.asked.address(select=EVERY)

    @property
    def count_address(self) -> str:
        """The address that answers with the number of rows that match."""
        return self.asked.address(count="1")

    def _head(self, column: Column[Item]) -> Head:
        if column.sort is None:
            return Head(column.key, column.title, column.numeric, "", "")
        order = self.asked.order
        current = order.key == column.key
        downwards = not order.descending if current else column.downwards
        sign = f"-{column.key}" if downwards else column.key
        direction = ("descending" if order.descending else "ascending") if current else ""
        href = self.asked.address(sort=None if sign == self.asked.usual_sort else sign)
        return Head(column.key, column.title, column.numeric, href, direction)

    def _words(self, key: str) -> str:
        value = self.asked.filters[key]
        return dict(self.asked.choices[key]).get(value, value)


def page_of(
    table: Table[Row, Item], asked: Asked, rows: QuerySet[Row], *, chosen: Mapping[str, Any] | None = None
) -> Listing[Item]:
    """The page that is asked for. ``chosen`` is the user's choice of columns, of all lists.

    A place that no longer exists, such as beyond the last row, leads to the first page.
    """
    found, cursor = _found(table, asked, rows)
    more = len(found) > table.page_rows
    kept = found[: table.page_rows]
    backwards = cursor is not None and cursor.backwards
    if backwards:
        kept.reverse()
    has_previous, has_next = (more, True) if backwards else (cursor is not None, more)
    return Listing(
        table=table,
        asked=asked,
        items=table.prepare(kept),
        columns=table.shown((chosen or {}).get(table.key)),
        previous=_link(asked, "before", kept[0]) if kept and has_previous else "",
        next=_link(asked, "after", kept[-1]) if kept and has_next else "",
        total=rows.count() if asked.every else None,
    )


def _found(table: Table[Row, Item], asked: Asked, rows: QuerySet[Row]) -> tuple[list[Row], Cursor | None]:
    if asked.cursor:
        try:
            found = _walk(rows, asked.order, asked.cursor, table.page_rows + 1)
        except (ValueError, ValidationError):
            # A value that its field can't read: no page of ours ever wrote it.
            found = []
        if found:
            return found, asked.cursor
    return _walk(rows, asked.order, None, table.page_rows + 1), None


def _walk(rows: QuerySet[Row], order: Order, cursor: Cursor | None, limit: int) -> list[Row]:
    found: list[Row] = []
    for segment in _segments(rows, order, cursor):
        found.extend(segment[: limit - len(found)])
        if len(found) >= limit:
            break
    return found


def _segments(rows: QuerySet[Row], order: Order, cursor: Cursor | None) -> Iterator[QuerySet[Row]]:
    backwards = cursor is not None and cursor.backwards
    down = order.descending != backwards
    beyond = "lt" if down else "gt"
    sign = "-" if down else ""
    by_id = Q(**{f"pk__{beyond}": cursor.row_id}) if cursor else Q()
    if order.expression is None:
        yield rows.filter(by_id).order_by(f"{sign}pk")
        return
    keyed = rows.annotate(table_sort=order.expression)
    filled = keyed.filter(table_sort__isnull=False) if order.nullable else keyed
    filled = filled.order_by(f"{sign}table_sort", f"{sign}pk")
    empty = keyed.filter(table_sort__isnull=True).order_by(f"{sign}pk")
    if cursor is None:
        parts: list[QuerySet[Any, Any]] = [filled, empty]
    elif cursor.value is None:
        parts = [empty.filter(by_id), filled] if backwards else [empty.filter(by_id)]
    else:
        # Not `a OR (b AND c)`: the first condition alone is where the index begins to be read.
        reached = Q(**{f"table_sort__{beyond}e": cursor.value})
        past = Q(**{f"table_sort__{beyond}": cursor.value}) | by_id
        filled = filled.filter(reached & past)
        parts = [filled] if backwards else [filled, empty]
    for part in parts:
        if order.nullable or part is filled:
            yield part


def _link(asked: Asked, name: str, row: Model) -> str:
    value = sort_text(getattr(row, "table_sort", None))
    return asked.address(**{name: Cursor(asked.order.sign, value, row.pk).token()})
