"""Results as JSON: one object a line, with the row as it was given, its answer and how it ended."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from apps.batches.models import BatchJob, BatchVariant, ItemStatus
from apps.batches.results.heads import row_number
from apps.batches.results.rows import FileRow, Source
from apps.batches.results.words import error_json, plain_digits
from apps.core import ids


def write_json_lines(
    job: BatchJob, variants: Sequence[BatchVariant], chunks: Iterator[list[FileRow]]
) -> Iterator[bytes]:
    """A line a row; `variant`, `version` and `model` only where several run."""
    given = _reader(job)
    by_position = {each.position: each for each in variants} if job.variant_count > 1 else {}

    def line(row: FileRow) -> bytes:
        value: dict[str, Any] = {"row": row_number(job, row.number)}
        found = by_position.get((row.number - 1) % job.variant_count)
        if found:
            value |= {"variant": found.position + 1, "version": found.version_number, "model": found.model}
        return orjson.dumps(value | _told(row, given), option=orjson.OPT_APPEND_NEWLINE)

    for rows in chunks:
        yield b"".join(map(line, rows))


def _told(row: FileRow, given: Callable[[Source], dict[str, Any]]) -> dict[str, Any]:
    return {
        "status": row.status,
        "input": given(row.source),
        "output": row.output if row.status in _ANSWERED else None,
        "parsed": row.parsed,
        "expected": row.source.expected,
        "match": row.matches,
        "error": error_json(row),
        "finish_reason": row.finish_reason or None,
        "usage": {"input_tokens": row.input_tokens, "output_tokens": row.output_tokens},
        "cost": {
            "usd": None if row.cost is None else plain_digits(row.cost),
            "status": row.cost_status,
        },
        "latency_ms": row.latency_ms,
        "finished_at": row.finished_at,
        "run_id": ids.encode("run", row.run_id) if row.run_id else None,
    }


_ANSWERED = frozenset({ItemStatus.SUCCEEDED.value, ItemStatus.FAILED.value})


def _reader(job: BatchJob) -> Callable[[Source], dict[str, Any]]:
    """How the row as it was given is found: all its columns by the file's names, with the types they got."""
    columns = [(each["column"], each["name"], each["role"]) for each in job.dataset_version.columns]

    def read(source: Source) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for column, name, role in columns:
            if role == "variable":
                found[column] = source.variables.get(name)
            elif role == "metadata":
                found[column] = source.metadata.get(name)
            elif role == "expected":
                found[column] = source.expected
            elif source.given is not None:
                found[column] = source.given.get(column)
        return found

    return read
