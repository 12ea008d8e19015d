"""A list as a file: exactly the rows that match, all columns, in constant memory, newest first.

Every chunk is read in a scope of its own, by id and not in the order of the page: a row that changes while
the file is written is in it once all the same.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from apps.core.scope import organization_scope
from apps.core.spreadsheets import safe_cell
from apps.core.streaming import ended_honestly
from apps.core.tables.asking import Asked
from apps.core.tables.declaring import Table

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")

CHUNK: Final = 500
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def export_answer(
    table: Table[Row, Item], asked: Asked, rows: QuerySet[Row], *, organization_id: UUID
) -> StreamingHttpResponse:
    """The rows that match, or those of them that are chosen, as a download.

    Raises InvalidRequest where a parameter was not understood. The first chunk is read at once, so that what
    goes wrong at the start is an ordinary error.
    """
    asked.check()
    chosen = asked.selected(rows) if asked.ids else rows
    is_csv = asked.export != "jsonl"
    write = _csv_lines if is_csv else _json_lines
    chunks = _chunks(table, chosen, organization_id, write)
    head = (BYTE_ORDER_MARK if asked.export == "csv-bom" else b"") + (_csv_head(table) if is_csv else b"")
    first = head + next(chunks, b"")
    name = f"{table.key}-{timezone.now().astimezone(UTC):%Y-%m-%d}.{'csv' if is_csv else 'jsonl'}"
    return StreamingHttpResponse(
        ended_honestly(chain([first], chunks), "csv" if is_csv else "jsonl"),
        content_type="text/csv; charset=utf-8" if is_csv else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"},
    )


def _chunks(
    table: Table[Row, Item],
    rows: QuerySet[Row],
    organization_id: UUID,
    write: Callable[[Table[Row, Item], Sequence[Item]], bytes],
) -> Iterator[bytes]:
    last: Any = None
    while True:
        with organization_scope(organization_id):
            beyond = rows.filter(pk__lt=last) if last else rows
            found = list(beyond.order_by("-pk")[:CHUNK])
            written = write(table, table.prepare(found)) if found else b""
        if found:
            last = found[-1].pk
            yield written
        if len(found) < CHUNK:
            return


def _csv_head(table: Table[Row, Item]) -> bytes:
    return _csv_text([[column.key for column in table.exported]])


def _csv_lines(table: Table[Row, Item], items: Sequence[Item]) -> bytes:
    return _csv_text([[cell_text(column.value(item)) for column in table.exported] for item in items])


def _csv_text(lines: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([safe_cell(cell) for cell in cells] for cells in lines)
    return buffer.getvalue().encode()


def _json_lines(table: Table[Row, Item], items: Sequence[Item]) -> bytes:
    objects = ({column.key: column.value(item) for column in table.exported} for item in items)
    return b"".join(
        orjson.dumps(each, default=_json_value, option=orjson.OPT_UTC_Z) + b"\n" for each in objects
    )


def cell_text(value: object) -> str:
    """A value as a cell: times in UTC, numbers as plain digits, lists and objects as JSON, None empty."""
    for kinds, write in _CELLS:
        if isinstance(value, kinds):
            return write(value)
    return "" if value is None else str(value)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# In this order: a bool is an int and a datetime is a date.
_CELLS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...]] = (
    (bool, lambda value: "true" if value else "false"),
    (datetime, _utc),
    (date, date.isoformat),
    (Decimal, lambda value: f"{value:f}"),
    ((list, tuple, dict), lambda value: orjson.dumps(value, default=_json_value).decode()),
)


def _json_value(value: object) -> object:
    """Money as text: a float would round it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)
