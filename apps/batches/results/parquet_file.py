"""Results as Parquet with typed columns, written row group by row group while they are sent.

Whole numbers are 64 bits, money is decimal(20,10), times are in UTC, JSON is text. A value that is not of its
column's type is null there; the answer as a whole stands in `output`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from apps.batches.results.heads import Column, Kind
from apps.batches.results.rows import FileRow
from apps.batches.results.words import value_text
from apps.core import lazy

GROUP_ROWS: Final = 20_000
GROUP_BYTES: Final = 16 * 1024 * 1024
LARGEST_WHOLE: Final = 2**63 - 1


class _Sink:
    """Takes what the writer writes, so that it can be sent on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0
        self.closed = False

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def write_parquet(columns: Sequence[Column], chunks: Iterator[list[FileRow]]) -> Iterator[bytes]:
    """The pieces of one Parquet file. One that ends early has no footer, which every reader refuses."""
    arrow, parquet = lazy.load("pyarrow"), lazy.load("pyarrow.parquet")
    types = _types(arrow)
    schema = arrow.schema([(column.head, types[column.kind]) for column in columns])
    sink = _Sink()
    writer = parquet.ParquetWriter(arrow.PythonFile(sink, mode="w"), schema, compression="zstd")
    group: list[Any] = []
    for rows in chunks:
        group.append(_batch(arrow, schema, columns, rows))
        if _is_full(group):
            writer.write_table(arrow.Table.from_batches(group, schema))
            group.clear()
            yield sink.take()
    if group:
        writer.write_table(arrow.Table.from_batches(group, schema))
    writer.close()
    yield sink.take()


def _is_full(group: Sequence[Any]) -> bool:
    rows: int = sum(each.num_rows for each in group)
    size: int = sum(each.nbytes for each in group)
    return rows >= GROUP_ROWS or size >= GROUP_BYTES


def _batch(arrow: Any, schema: Any, columns: Sequence[Column], rows: Sequence[FileRow]) -> Any:
    arrays = [
        arrow.array(map(_FITTING[column.kind], map(column.read, rows)), type=field.type, size=len(rows))
        for column, field in zip(columns, schema, strict=True)
    ]
    return arrow.record_batch(arrays, schema=schema)


def _types(arrow: Any) -> Mapping[Kind, Any]:
    return {
        "text": arrow.string(),
        "json": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "money": arrow.decimal128(20, 10),
        "time": arrow.timestamp("us", tz="UTC"),
    }


def _text(value: Any) -> str | None:
    return None if value is None else value_text(value)


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value.__class__ is not int or not -LARGEST_WHOLE - 1 <= value <= LARGEST_WHOLE:
        return None
    return int(value)


def _number(value: Any) -> float | None:
    if value.__class__ not in (int, float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _boolean(value: Any) -> bool | None:
    return value if value.__class__ is bool else None


def _money(value: Any) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


_FITTING: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "text": _text,
    "json": _text,
    "integer": _whole,
    "number": _number,
    "boolean": _boolean,
    "money": _money,
    "time": _time,
}
