"""Between a row as it was given and as it is kept, without loss in either direction. Free of Django.

A row is kept as variables, expected output and metadata. Where those alone would not give the given row back
(a column that is ignored, "1.50" in a column of numbers, keys in another order), its `source` does.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from apps.datasets.mapping import ColumnMapping, convert

Columns = Sequence[Mapping[str, str]]
LARGEST_PLAIN_FLOAT: Final = 1e16


@dataclass(frozen=True, slots=True)
class StoredValues:
    """What is kept of one row; `source` is JSON text, or None where the rest says it all."""

    variables: dict[str, Any]
    expected: str | None
    metadata: dict[str, Any]
    source: str | None = None


def stored(values: Mapping[str, Any], mapping: Sequence[ColumnMapping], *, text: bool) -> StoredValues:
    """What to keep of a row given by column; `text` says that all values came as text (CSV).

    Raises ValueProblem for a value that does not fit its column's type.
    """
    row = convert(values, mapping, text=text)
    rebuilt = _rebuilt(mapping, row.variables, row.expected, row.metadata, text=text)
    same = rebuilt == values if text else _same(rebuilt, values)
    kept = same and all(map(_survives, row.variables.values())) and all(map(_survives, row.metadata.values()))
    source = None if kept else orjson.dumps(dict(values)).decode()
    return StoredValues(row.variables, row.expected, row.metadata, source)


def original(columns: Columns, row: StoredValues, *, text: bool) -> dict[str, Any]:
    """The row as it was given, by column in its order: text only for CSV, JSON values otherwise."""
    if row.source is not None:
        values: dict[str, Any] = orjson.loads(row.source)
        return values
    return _rebuilt(columns_mapping(columns), row.variables, row.expected, row.metadata, text=text)


def as_cell(value: Any) -> str:
    """A value as CSV text: text as it is, nothing for null, JSON for the rest."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def as_json_row(columns: Columns, row: StoredValues, *, text: bool) -> dict[str, Any]:
    """The row as a JSON object by column: of a CSV file, with the types that its columns were given."""
    given = original(columns, row, text=text)
    if not text:
        return given
    for column in columns:
        if column["role"] == "variable":
            given[column["column"]] = row.variables.get(column["name"])
        elif column["role"] == "metadata":
            given[column["column"]] = row.metadata.get(column["name"])
    return given


def columns_mapping(columns: Iterable[Mapping[str, str]]) -> tuple[ColumnMapping, ...]:
    """A version's columns as the mapping that they are."""
    return tuple(
        ColumnMapping(each["column"], each["role"], each["name"], each.get("type", "text"))  # type: ignore[arg-type]
        for each in columns
    )


def _rebuilt(
    mapping: Sequence[ColumnMapping],
    variables: Mapping[str, Any],
    expected: str | None,
    metadata: Mapping[str, Any],
    *,
    text: bool,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for item in mapping:
        if item.role == "expected":
            found, value = expected is not None, expected
        elif item.role == "ignore":
            found, value = False, None
        else:
            source = variables if item.role == "variable" else metadata
            found, value = item.name in source, source.get(item.name)
        if text:
            values[item.column] = as_cell(value)
        elif found:
            values[item.column] = value
    return values


def _same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Equal in values, in types and in the order of keys: 1 is not 1.0, nor true."""
    return orjson.dumps(left) == orjson.dumps(right)


def _survives(value: Any) -> bool:
    """Whether Postgres's jsonb gives the value back as it is: it reorders keys and knows no exponent."""
    if isinstance(value, float):
        return abs(value) < LARGEST_PLAIN_FLOAT and not (value == 0 and math.copysign(1, value) < 0)
    if isinstance(value, list):
        return all(map(_survives, value))
    if isinstance(value, dict):
        keys = [(len(key.encode()), key.encode()) for key in value]
        return keys == sorted(keys) and all(map(_survives, value.values()))
    return True
