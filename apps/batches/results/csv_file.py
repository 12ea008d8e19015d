"""Results as CSV in UTF-8. Cells that a spreadsheet would take for a formula get an apostrophe in front."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from apps.batches.results.heads import Column
from apps.batches.results.rows import FileRow
from apps.batches.results.words import plain_digits, value_text
from apps.core.spreadsheets import safe_cell


def write_csv(columns: Sequence[Column], chunks: Iterator[list[FileRow]], *, head: bool) -> Iterator[bytes]:
    """A line of heads, unless it is the rest of a file, then a line a row."""
    readers = [column.written or column.read for column in columns]
    if head:
        yield _lines([[safe_cell(column.head) for column in columns]])
    for rows in chunks:
        yield _lines(_cells(readers, row) for row in rows)


def _cells(readers: Sequence[Callable[[FileRow], Any]], row: FileRow) -> list[Any]:
    cells = []
    for read in readers:
        value = read(row)
        if value is None or value.__class__ is int:
            cells.append(value)
        elif value.__class__ is str:
            cells.append(safe_cell(value))
        else:
            cells.append(_WORDS.get(value.__class__, _json_cell)(value))
    return cells


def _json_cell(value: Any) -> Any:
    return safe_cell(value_text(value))


def _time_cell(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds")


def _amount_cell(value: Decimal) -> str:
    return plain_digits(value)


_WORDS: Final[dict[type, Callable[[Any], Any]]] = {Decimal: _amount_cell, datetime: _time_cell}


def _lines(rows: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
