"""What each column of a file becomes: variable, expected output, metadata or nothing. Free of Django."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import orjson

from apps.core.json_bodies import is_too_deep

ColumnRole = Literal["variable", "expected", "metadata", "ignore"]
ColumnType = Literal["text", "number", "boolean", "json"]
ROLES: Final[tuple[str, ...]] = get_args(ColumnRole)
TYPES: Final[tuple[str, ...]] = get_args(ColumnType)
EXPECTED_NAMES: Final = (
    "expected",
    "expected_output",
    "expected_label",
    "expected_answer",
    "reference_answer",
    "label",
    "answer",
    "target",
    "ground_truth",
    "sentiment",
)
METADATA_NAMES: Final = ("id", "uuid", "key", "created_at", "date", "url", "source")

_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})


class MappingProblem(ValueError):
    """A mapping that can't be used; ``column`` names the culprit."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


class ValueProblem(ValueError):
    """A value that isn't of the type its column was mapped to."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """One column: its name in the file, its role, and for a variable or metadata its new name and type."""

    column: str
    role: ColumnRole
    name: str
    type: ColumnType = "text"

    def as_json(self) -> dict[str, str]:
        return {"column": self.column, "role": self.role, "name": self.name, "type": self.type}


@dataclass(frozen=True, slots=True)
class RowValues:
    """A row after mapping."""

    variables: dict[str, Any]
    expected: str | None
    metadata: dict[str, Any]


def suggest(
    columns: Sequence[str], variables: Iterable[str] = (), samples: Iterable[dict[str, Any]] = ()
) -> tuple[ColumnMapping, ...]:
    """A proposal to be shown and confirmed: by equal names first, then by common column names.

    With the variables of a prompt given, only columns of the same name become variables. ``samples`` are rows
    of the file: a column whose values are not all text (JSONL) keeps their type.
    """
    wanted = {name.lower(): name for name in variables}
    expected = next((column for column in columns if _plain(column) in EXPECTED_NAMES), None)
    rows = list(samples)
    return tuple(_suggest_one(column, wanted, expected, _type_of(column, rows)) for column in columns)


def _plain(column: str) -> str:
    return "_".join(column.lower().split())


def _type_of(column: str, rows: list[dict[str, Any]]) -> ColumnType:
    return type_of(row.get(column) for row in rows)


def type_of(found: Iterable[Any]) -> ColumnType:
    """The narrowest type that all the values have; null fits every type."""
    values = [value for value in found if value is not None]
    if all(isinstance(value, str) for value in values):
        return "text"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return "number" if numbers else "json"


def _suggest_one(
    column: str, wanted: dict[str, str], expected: str | None, column_type: ColumnType
) -> ColumnMapping:
    lowered = column.strip().lower()
    if lowered in wanted:
        return ColumnMapping(column, "variable", wanted[lowered], column_type)
    if column == expected:
        return ColumnMapping(column, "expected", "expected")
    if wanted or lowered in METADATA_NAMES:
        return ColumnMapping(column, "metadata", column, column_type)
    return ColumnMapping(column, "variable", variable_name(column), column_type)


def variable_name(column: str) -> str:
    """A column's name as a template variable: letters, digits and underscores, not beginning with a digit."""
    characters = (
        character if character.isascii() and character.isalnum() else "_" for character in column.strip()
    )
    name = "".join(characters).strip("_").lower() or "value"
    return f"column_{name}" if name[0].isdigit() else name


def check(mapping: Sequence[ColumnMapping], columns: Sequence[str]) -> None:
    """Raises MappingProblem for an unknown or repeated column or name, or when nothing is a variable."""
    seen: set[tuple[str, str]] = set()
    for item in mapping:
        if item.column not in columns:
            raise MappingProblem(item.column, f"The file has no column {item.column!r}.")
        if item.role not in ROLES or item.type not in TYPES:
            raise MappingProblem(item.column, f"Column {item.column!r} has an unknown role or type.")
        if item.role == "variable" and not item.name.isidentifier():
            raise MappingProblem(item.column, f"{item.name!r} can't be the name of a variable.")
        target = (item.role, "" if item.role == "expected" else item.name)
        if item.role != "ignore" and target in seen:
            raise MappingProblem(item.column, f"Two columns are mapped to {item.role} {item.name!r}.")
        seen.add(target)
    if len({item.column for item in mapping}) < len(mapping):
        raise MappingProblem("", "A column is mapped twice.")
    if not any(item.role == "variable" for item in mapping):
        raise MappingProblem("", "Map at least one column to a variable.")


def convert(values: Mapping[str, Any], mapping: Sequence[ColumnMapping], *, text: bool = True) -> RowValues:
    """Map one row; `text` says that every value came as text, so that a JSON column's is to be parsed.

    Raises ValueProblem that names the column and the value.
    """
    variables: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    expected: str | None = None
    for item in mapping:
        if item.role == "ignore" or item.column not in values:
            continue
        value = values[item.column]
        if item.role == "expected":
            expected = _as_text(value)
        else:
            target = variables if item.role == "variable" else metadata
            keep = item.type == "json" and not text
            target[item.name] = value if keep else _typed(value, item)
    return RowValues(variables, expected, metadata)


def _as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _typed(value: Any, item: ColumnMapping) -> Any:
    if item.type == "text":
        return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
    if not isinstance(value, str):
        return _checked(value, item)
    if value.strip() == "":
        return None
    return _parsed(value.strip(), item)


def _checked(value: Any, item: ColumnMapping) -> Any:
    fits = {
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "json": True,
    }[item.type]
    if value is not None and not fits:
        raise ValueProblem(f"column {item.column!r}: {str(value)[:60]!r} is not a {item.type}")
    return value


def _parsed(text: str, item: ColumnMapping) -> Any:
    problem = ValueProblem(f"column {item.column!r}: {text[:60]!r} is not a {item.type}")
    if item.type == "boolean":
        if text.lower() not in _TRUE | _FALSE:
            raise problem
        return text.lower() in _TRUE
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise problem from None
    if is_too_deep(value):
        raise problem
    return _checked(value, item)
