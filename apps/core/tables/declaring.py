"""What a list has: its columns, its filters and the order that it stands in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from django.db.models import F, Model
from django.db.models.expressions import Combinable
from django.http import QueryDict

from apps.core.errors import InvalidRequest, NotFound
from apps.core.tables.asking import Asked, FilterKind, FilterValues, Order, read_asked

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")

PAGE_ROWS: Final = 50


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column.

    ``value`` gives the cell of an export: text, number, time, list, or None for an empty cell. ``sort`` is
    the field, annotation or expression that a click on the head sorts by; ``nullable`` says that it may be
    NULL (those rows stand last, both ways up) and ``downwards`` that the first click sorts the largest first.
    ``always`` columns can't be hidden, those without ``default`` are shown once they are chosen, and
    ``export_only`` ones stand in files alone. ``page_only`` ones stand in no file: they are another room's
    facts, which the page loads after its rows.
    """

    key: str
    title: str
    value: Callable[[Item], object]
    sort: str | Combinable | None = None
    nullable: bool = False
    downwards: bool = False
    numeric: bool = False
    always: bool = False
    default: bool = True
    export_only: bool = False
    page_only: bool = False

    @property
    def expression(self) -> Combinable | None:
        """What the database sorts by; None for the id, which needs no second key."""
        if self.sort is None or self.sort in ("id", "pk"):
            return None
        return F(self.sort) if isinstance(self.sort, str) else self.sort


@dataclass(frozen=True)
class Filter:
    """One way to narrow the list, by the parameter ``key``.

    A choice is a select; a date is a date field; a text has no control and is set by links, such as a click
    on a value. ``choices`` are pairs of value and words; those that depend on data go to ``Table.read``.
    ``usual`` says what the list has where nothing is chosen.
    """

    key: str
    title: str
    choices: Sequence[tuple[str, str]] = ()
    kind: FilterKind = FilterKind.CHOICE
    usual: str = "any"


@dataclass(frozen=True)
class Action:
    """Something that can be done with the chosen rows: a page that asks first. ``href`` is its address."""

    label: str
    icon: str
    href: str
    danger: bool = False


@dataclass(frozen=True)
class Table(Generic[Row, Item]):
    """A list of rows.

    ``key`` names it in a user's choice of columns and in file names; ``prefix`` is that of its rows' public
    ids, ``noun`` one row and many, as ("batch", "batches"). ``default_sort`` is a column's key, with ``-`` in
    front for the largest first. ``prepare`` turns a page of rows into what template and export functions
    take, with a constant number of queries.
    """

    key: str
    prefix: str
    noun: tuple[str, str]
    columns: Sequence[Column[Item]]
    default_sort: str
    filters: Sequence[Filter] = ()
    search: str = ""
    prepare: Callable[[list[Row]], Sequence[Item]] = field(
        default=cast(Callable[[list[Row]], Sequence[Item]], list)
    )
    page_rows: int = PAGE_ROWS

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if len(set(keys)) != len(keys):
            raise ValueError(f"the list {self.key} has two columns with one key")
        if self.default_sort.lstrip("-") not in self.orders:
            raise ValueError(f"the list {self.key} can't be sorted by {self.default_sort}")

    @property
    def orders(self) -> dict[str, Order]:
        """Every order that may be asked for, by the key of its column; upwards."""
        return {
            column.key: Order(column.key, column.expression, column.nullable)
            for column in self.columns
            if column.sort is not None
        }

    @property
    def exported(self) -> list[Column[Item]]:
        """The columns of a file."""
        return [column for column in self.columns if not column.page_only]

    @property
    def has_page_only(self) -> bool:
        """Whether the page shows columns that no file holds."""
        return any(column.page_only for column in self.columns)

    @property
    def choosable(self) -> list[Column[Item]]:
        """The columns that the page can show."""
        return [column for column in self.columns if not column.export_only]

    def shown(self, chosen: object) -> list[Column[Item]]:
        """The columns to show: the chosen keys, or the usual ones where nothing (valid) was chosen."""
        if isinstance(chosen, list):
            return [column for column in self.choosable if column.always or column.key in chosen]
        return [column for column in self.choosable if column.always or column.default]

    def check_columns(self, keys: Sequence[str]) -> list[str]:
        """The chosen keys in the order of the columns. Raises InvalidRequest for an unknown one."""
        known = [column.key for column in self.choosable]
        for key in keys:
            if key not in known:
                raise InvalidRequest(f"This list has no column {key[:64]!r}.", param="column")
        return [key for key in known if key in keys]

    def read(self, data: QueryDict, *, choices: Mapping[str, FilterValues] | None = None) -> Asked:
        """What an address or a form asks of this list. ``choices`` are those that depend on data.

        Nothing is refused here; ``Asked.refused`` names what was not understood.
        """
        given = choices or {}
        known = {each.key: given.get(each.key, each.choices) for each in self.filters}
        kinds = {each.key: each.kind for each in self.filters}
        return read_asked(
            data,
            filters=known,
            kinds=kinds,
            orders=self.orders,
            default_sort=self.default_sort,
            prefix=self.prefix,
        )


_TABLES: Final[dict[str, Table[Any, Any]]] = {}

AnyTable = TypeVar("AnyTable", bound=Table[Any, Any])


def register(table: AnyTable) -> AnyTable:
    """Make a list known by its key, so that a user's choice of columns can be checked and kept."""
    if table.key in _TABLES:
        raise ValueError(f"two lists are called {table.key}")
    _TABLES[table.key] = table
    return table


def registered() -> list[str]:
    """The keys of every list there is."""
    return sorted(_TABLES)


def table_named(key: str) -> Table[Any, Any]:
    """The list with this key. Raises NotFound."""
    if key not in _TABLES:
        raise NotFound("There is no such list.")
    return _TABLES[key]


__all__ = ["Action", "Column", "Filter", "FilterKind", "Table", "register", "registered", "table_named"]
