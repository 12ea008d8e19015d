"""Which column is the text, which the expected answer: as told, else guessed and said. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.datasets.mapping import ColumnMapping, suggest
from promptsaas.demo.options import DemoError

TEXT_NAMES: Final = ("review", "text", "comment", "content", "body", "message", "feedback", "description")


@dataclass(frozen=True)
class ColumnChoice:
    """The columns to use; `column_reason` is empty when the column was named by the user."""

    column: str
    expected: str
    column_reason: str


def choose_columns(
    columns: Sequence[str],
    samples: Sequence[Mapping[str, Any]],
    *,
    variable: str,
    column: str,
    expected: str,
) -> ColumnChoice:
    """Find the columns of a file. Raises DemoError for a name that the file does not have."""
    wanted = _named("COLUMN", column, columns)
    answer = _named("EXPECTED", expected, columns)
    if wanted:
        return ColumnChoice(wanted, answer, "")
    guess, reason = _guess([name for name in columns if name != answer], samples, variable)
    return ColumnChoice(guess, answer, reason)


def _named(option: str, name: str, columns: Sequence[str]) -> str:
    if not name:
        return ""
    found = next((column for column in columns if column.strip().lower() == name.strip().lower()), None)
    if found is None:
        raise DemoError(f"{option}: the file has no column {name!r}; it has {', '.join(columns)}")
    return found


def _guess(columns: Sequence[str], samples: Sequence[Mapping[str, Any]], variable: str) -> tuple[str, str]:
    if not columns:
        raise DemoError("COLUMN: the file has no column left for the prompt")
    by_name = {column.strip().lower(): column for column in columns}
    if variable.lower() in by_name:
        return by_name[variable.lower()], "named like the prompt's variable"
    for name in TEXT_NAMES:
        if name in by_name:
            return by_name[name], "the usual name of such a column"
    longest = max(columns, key=lambda column: sum(len(str(row.get(column) or "")) for row in samples))
    return longest, "the longest texts"


def column_mapping(
    columns: Sequence[str],
    samples: Sequence[dict[str, Any]],
    choice: ColumnChoice,
    variables: Sequence[str],
) -> tuple[ColumnMapping, ...]:
    """The mapping for the import: the chosen columns, other variables by name, the rest as metadata.

    The first of `variables` is the one that the chosen column fills.
    """
    return tuple(_settled(item, choice, variables[0]) for item in suggest(columns, variables, samples))


def _settled(item: ColumnMapping, choice: ColumnChoice, variable: str) -> ColumnMapping:
    if item.column == choice.column:
        return ColumnMapping(item.column, "variable", variable, item.type)
    if item.column == choice.expected:
        return ColumnMapping(item.column, "expected", "expected")
    if item.role == "variable" and item.name != variable:
        return item
    return ColumnMapping(item.column, "metadata", item.column, item.type)
