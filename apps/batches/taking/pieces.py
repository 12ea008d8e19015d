"""What a piece of work is, and how columns grow with the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apps.datasets.mapping import ColumnMapping, RowValues, type_of
from apps.datasets.services.versions import extended_columns


@dataclass(frozen=True, slots=True)
class Piece:
    """What one piece did: rows written, others left out, where the next begins (None: it was the last)."""

    written: int
    left_out: int
    place: str | None


def grown(columns: Sequence[ColumnMapping], rows: Sequence[RowValues]) -> tuple[ColumnMapping, ...]:
    """The columns with those of more rows; where types differ, any JSON.

    Raises InvalidRequest past the limit of columns.
    """
    known = {(item.role, item.name) for item in columns}
    found = extended_columns(columns, rows)
    return tuple(
        replace(item, type="json") if (item.role, item.name) in known and _differs(item, rows) else item
        for item in found
    )


def loose(columns: Iterable[ColumnMapping]) -> tuple[ColumnMapping, ...]:
    """The columns as values of any type are kept by."""
    return tuple(item if item.role == "expected" else replace(item, type="json") for item in columns)


def _differs(item: ColumnMapping, rows: Sequence[RowValues]) -> bool:
    if item.role not in ("variable", "metadata") or item.type == "json":
        return False
    held = [row.variables if item.role == "variable" else row.metadata for row in rows]
    values = [each[item.name] for each in held if each.get(item.name) is not None]
    return bool(values) and type_of(values) != item.type
