"""Results as CSV in UTF-8. Cells that a spreadsheet would take for a formula get an apostrophe in front.

Lines are put together here, column by column, and not by Python's writer, which takes as long as all the
rest: text is quoted unless it is one plain word.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from apps.batches.results.heads import Column
from apps.batches.results.rows import FileRow
from apps.batches.results.words import value_text
from apps.core.spreadsheets import safe_cell


def write_csv(columns: Sequence[Column], chunks: Iterator[list[FileRow]], *, head: bool) -> Iterator[bytes]:
    """A line of heads, unless it is the rest of a file, then a line a row."""
    if head:
        yield _lines([[_text(column.head)] for column in columns])
    for rows in chunks:
        yield _lines([_cells(column, rows) for column in columns])


def _cells(column: Column, rows: Sequence[FileRow]) -> list[str]:
    values = map(column.written or column.read, rows)
    if column.ours:
        return ["" if value is None else str(value) for value in values]
    return [_text(value) if value.__class__ is str else _cell(value) for value in values]


def _text(value: str) -> str:
    if not value or value.isalnum():
        return value
    return f'"{str(safe_cell(value)).replace(QUOTE, TWO_QUOTES)}"'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value_text(value)
    return text if isinstance(value, int | float) else _text(text)


def _lines(columns: Sequence[Iterable[str]]) -> bytes:
    lines = "\r\n".join(map(",".join, zip(*columns, strict=True)))
    return f"{lines}\r\n".encode()


QUOTE, TWO_QUOTES = '"', '""'
