"""A version as a file: what came in, in our canonical form. Streamed, so memory and transactions stay small.

CSV is UTF-8 with commas, line feeds and quotes where they are needed; JSONL has one compact object a line.
Both give back what was imported: every row, column, value and type, in order. `spreadsheet` is the one
exception, and on request only: a byte order mark, and an apostrophe before what a spreadsheet would run.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from apps.core.scope import organization_scope
from apps.core.spreadsheets import safe_cell
from apps.datasets.models import DatasetVersion
from apps.datasets.row_storage import ROWS_A_READ, demand_rows, read_page
from apps.datasets.values import StoredValues, as_cell, as_json_row, original

ExportFormat = Literal["csv", "jsonl", "spreadsheet"]
FORMATS: Final[tuple[ExportFormat, ...]] = ("csv", "jsonl", "spreadsheet")
# A byte order mark would be taken off as the file's own, so a value that begins with one is quoted too.
_NEEDS_QUOTES: Final = re.compile('[",\r\n]|^\ufeff')


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file to send: its name, its content type and its bytes, piece by piece."""

    name: str
    content_type: str
    chunks: Iterator[bytes]


def export_file(version: DatasetVersion, format: ExportFormat) -> ExportFile:  # noqa: A002 (the word of the API)
    """A version as a file. Its chunks open a scope of their own for each page of rows. Raises Conflict."""
    demand_rows(version)
    name = f"{version.dataset.name} v{version.number}".replace("/", "-")
    if format == "jsonl":
        return ExportFile(f"{name}.jsonl", "application/jsonl; charset=utf-8", _jsonl(version))
    chunks = _csv(version, safe=format == "spreadsheet")
    return ExportFile(f"{name}.csv", "text/csv; charset=utf-8", chunks)


def csv_record(cells: Iterable[str]) -> str:
    """One line of canonical CSV. Python's own writer leaves a lone carriage return unquoted."""
    quoted = [_quoted(cell) if _NEEDS_QUOTES.search(cell) else cell for cell in cells]
    # A record of one empty field would be a blank line, which readers skip.
    return (",".join(quoted) if quoted != [""] else '""') + "\n"


def is_text(version: DatasetVersion) -> bool:
    """Whether the version's values came as text: from CSV."""
    return bool(version.layout.get("format") == "csv")


def header_of(version: DatasetVersion) -> list[str] | None:
    """The first line of the CSV: the file's own, or the columns' names; None for a file that had none."""
    names = [column["column"] for column in version.columns]
    if not is_text(version):
        return names
    header = version.layout.get("header")
    return None if header is None else [*header, *names[len(header) :]]


def _csv(version: DatasetVersion, *, safe: bool) -> Iterator[bytes]:
    header = header_of(version)
    first = "\ufeff" if safe else ""
    if header is not None:
        first += csv_record(_safe(header) if safe else header)
    yield first.encode()
    text = is_text(version)
    names = [column["column"] for column in version.columns]
    for rows in _pages(version):
        yield "".join(_csv_row(version, names, row, text=text, safe=safe) for row in rows).encode()


def _csv_row(version: DatasetVersion, names: list[str], row: StoredValues, *, text: bool, safe: bool) -> str:
    values = original(version.columns, row, text=text)
    cells = [as_cell(values.get(name)) for name in names]
    return csv_record(_safe(cells) if safe else cells)


def _jsonl(version: DatasetVersion) -> Iterator[bytes]:
    text = is_text(version)
    for rows in _pages(version):
        yield b"".join(orjson.dumps(as_json_row(version.columns, row, text=text)) + b"\n" for row in rows)


def _pages(version: DatasetVersion) -> Iterator[list[StoredValues]]:
    for above in range(0, version.row_count, ROWS_A_READ):
        with organization_scope(version.organization_id):
            rows = read_page(version, above)
        yield rows


def _safe(cells: Iterable[Any]) -> list[str]:
    return [str(safe_cell(cell)) for cell in cells]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
