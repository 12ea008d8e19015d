"""What an address asks of a list: search, filters, order, place, chosen rows. Only known things pass."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import QueryDict

from apps.core import ids
from apps.core.errors import Conflict, InvalidRequest

LONGEST_TEXT: Final = 200
EVERY: Final = "all"
EXPORTS: Final = ("csv", "csv-bom", "jsonl")

FilterValues = Sequence[tuple[str, str]]


class FilterKind(Enum):
    """How a filter's value is checked and asked for."""

    CHOICE = "choice"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True)
class Order:
    """An order of rows. Without an expression it is that of the ids; equal rows always go by their ids."""

    key: str
    expression: Combinable | None
    nullable: bool
    descending: bool = False

    @property
    def sign(self) -> str:
        """The order as the parameter ``sort`` names it."""
        return f"-{self.key}" if self.descending else self.key


@dataclass(frozen=True)
class Cursor:
    """A place between two rows: after (or before) the row with this sort value and id."""

    sort: str
    value: str | None
    row_id: UUID
    backwards: bool = False

    def token(self) -> str:
        """The place as it stands in an address."""
        plain = json.dumps([self.sort, self.value, self.row_id.hex], ensure_ascii=False)
        return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Asked:
    """What is asked of a list.

    ``ids`` are the chosen rows, ``every`` means all that match. ``refused`` names parameters that were not
    understood: a page leaves them out, an export or an action must not (it would do more than was meant).
    """

    order: Order
    usual_sort: str
    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, FilterValues] = field(default_factory=dict)
    cursor: Cursor | None = None
    ids: tuple[UUID, ...] = ()
    prefix: str = ""
    every: bool = False
    matching: int | None = None
    export: str = ""
    count: bool = False
    refused: tuple[str, ...] = ()

    @property
    def narrowed(self) -> bool:
        """Whether search or a filter leaves rows out."""
        return bool(self.search) or any(self.filters.values())

    def parameters(self) -> dict[str, str]:
        """Search, filters and order: what the address of this view of the list holds."""
        narrowing = {"q": self.search, **self.filters}
        kept = {name: value for name, value in narrowing.items() if value}
        return kept if self.order.sign == self.usual_sort else {**kept, "sort": self.order.sign}

    def address(self, **changes: str | None) -> str:
        """The address of this view with some parameters changed, or left out where they are empty."""
        query = QueryDict(mutable=True)
        for name, value in {**self.parameters(), **changes}.items():
            if value:
                query[name] = value
        return f"?{query.urlencode()}"

    def selection(self) -> Iterator[tuple[str, str]]:
        """Hidden fields that carry the chosen rows from one form to the next."""
        yield from self.parameters().items()
        if self.every:
            yield "select", EVERY
        for row_id in self.ids:
            yield "id", ids.encode(self.prefix, row_id)

    def selected(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """The chosen ones of the rows that match.

        Raises InvalidRequest where nothing was chosen, or something asked for was not understood.
        """
        self.check()
        if self.every:
            return rows
        if not self.ids:
            raise InvalidRequest("Choose at least one row first.", param="id")
        return rows.filter(pk__in=self.ids)

    def check(self) -> None:
        """Raises InvalidRequest naming the first parameter that was not understood."""
        if self.refused:
            name = self.refused[0]
            raise InvalidRequest(f"The value of {name} is not one that this list knows.", param=name)

    def check_matching(self, count: int) -> None:
        """Raises Conflict where other than the number of rows that was agreed to would be changed."""
        if self.matching is not None and self.matching != count:
            raise Conflict(
                f"{count:,} rows match now; it was {self.matching:,} when you were asked.",
                code="selection_changed",
            )


def read_asked(
    data: QueryDict,
    *,
    filters: Mapping[str, FilterValues],
    kinds: Mapping[str, FilterKind],
    orders: Mapping[str, Order],
    default_sort: str,
    prefix: str,
) -> Asked:
    """What a query or a form asks for. See ``Table.read``."""
    refused: list[str] = []
    chosen = {name: _filter_value(data, name, filters[name], kinds[name], refused) for name in filters}
    order = _order(data, orders, default_sort, refused)
    export = _one_of(data, "export", EXPORTS, refused)
    found = [ids.decode_or_none(prefix, text) for text in data.getlist("id")]
    if None in found:
        refused.append("id")
    return Asked(
        order=order,
        usual_sort=default_sort,
        search=_text(data, "q"),
        filters=chosen,
        choices=filters,
        cursor=_cursor(data, order),
        ids=tuple(dict.fromkeys(each for each in found if each is not None)),
        prefix=prefix,
        every=_one_of(data, "select", (EVERY,), refused) == EVERY,
        matching=_matching(data, refused),
        export=export,
        count=bool(_text(data, "count")),
        refused=tuple(refused),
    )


def sort_text(value: object) -> str | None:
    """A sort value as a cursor keeps it: text that the column's field reads back without loss."""
    if value is None:
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def _text(data: QueryDict, name: str) -> str:
    return str(data.get(name, "")).replace("\0", "").strip()[:LONGEST_TEXT]


def _one_of(data: QueryDict, name: str, known: Sequence[str], refused: list[str]) -> str:
    value = _text(data, name)
    if value and value not in known:
        refused.append(name)
        return ""
    return value


def _filter_value(
    data: QueryDict, name: str, choices: FilterValues, kind: FilterKind, refused: list[str]
) -> str:
    if kind is FilterKind.CHOICE:
        return _one_of(data, name, [value for value, _ in choices], refused)
    value = _text(data, name)
    if kind is FilterKind.DATE and value:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            refused.append(name)
            return ""
    return value


def _order(data: QueryDict, orders: Mapping[str, Order], default_sort: str, refused: list[str]) -> Order:
    wanted = _text(data, "sort") or default_sort
    if wanted.removeprefix("-") not in orders:
        refused.append("sort")
        wanted = default_sort
    order = orders[wanted.removeprefix("-")]
    return Order(order.key, order.expression, order.nullable, descending=wanted.startswith("-"))


def _matching(data: QueryDict, refused: list[str]) -> int | None:
    text = _text(data, "matching")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        refused.append("matching")
        return None
    return int(text)


def _cursor(data: QueryDict, order: Order) -> Cursor | None:
    """The place to go on from; None for none, a broken one, or one of another order: the first page."""
    for name in ("before", "after"):
        token = str(data.get(name, ""))
        if token:
            return _read_cursor(token, order, backwards=name == "before")
    return None


def _read_cursor(token: str, order: Order, *, backwards: bool) -> Cursor | None:
    try:
        plain = json.loads(urlsafe_b64decode(token.encode("ascii") + b"=="))
        sort, value, row_id = plain
        place = Cursor(sort, value, UUID(hex=row_id), backwards)
    except (binascii.Error, UnicodeError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return place if place.sort == order.sign and _is_readable(value) else None


def _is_readable(value: object) -> bool:
    """Whether Postgres takes the value: JSON may spell NUL and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value is None
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
