"""Results as files: CSV, JSONL and OpenAI's batch output, in the order of the input.

Everything is a generator over chunks of rows, each read in a short scope of its own, so memory stays constant
and no transaction stays open for as long as a slow reader takes. A batch that still runs gives what is there.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from apps.batches.models import BatchItem, BatchJob, CostStatus, ItemStatus
from apps.batches.queries import ResultRow, input_columns, untaken, with_source
from apps.core import ids
from apps.core.scope import organization_scope
from apps.core.spreadsheets import safe_cell
from apps.runs.models import Run
from apps.runs.queries import load_content

CHUNK: Final = 500
OUTCOME_COLUMNS: Final = (
    "status",
    "output",
    "expected",
    "match",
    "error_code",
    "error_message",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_status",
    "latency_ms",
    "run_id",
)


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file."""

    content_type: str
    extension: str
    stream: Callable[[BatchJob, str], Iterator[bytes]]


def stream_csv(job: BatchJob, status: str = "") -> Iterator[bytes]:
    """CSV in UTF-8: the dataset's columns, one column a field of the output, then how the row ended.

    Cells that a spreadsheet would take for a formula get an apostrophe in front.
    """
    with organization_scope(job.organization_id):
        inputs = input_columns(job)
        fields = output_fields(job)
    inner = _distinct([*inputs, *fields, *OUTCOME_COLUMNS])
    yield _lines([["row", *inner]])
    for rows in _chunks(job, status):
        yield _lines([_cells(row, inputs, fields) for row in rows])


def stream_jsonl(job: BatchJob, status: str = "") -> Iterator[bytes]:
    """One JSON object a row: input, output, expected value and how the row ended."""
    for rows in _chunks(job, status):
        yield b"".join(orjson.dumps(_as_json(row)) + b"\n" for row in rows)


def stream_openai(job: BatchJob, status: str = "") -> Iterator[bytes]:
    """OpenAI's batch output lines; `custom_id` is `row-<number>`. Rows that have not ended are left out."""
    for rows in _chunks(job, status):
        lines = (_openai_line(job, row) for row in rows)
        yield b"".join(orjson.dumps(line) + b"\n" for line in lines if line is not None)


FORMATS: Final = {
    "csv": Format("text/csv; charset=utf-8", "csv", stream_csv),
    "jsonl": Format("application/jsonl", "jsonl", stream_jsonl),
    "openai": Format("application/jsonl", "openai.jsonl", stream_openai),
}


def file_name(job: BatchJob, chosen: Format) -> str:
    """The name that a download gets."""
    plain = "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in job.name).strip()
    return f"{plain or job.public_id}.{chosen.extension}"


def output_fields(job: BatchJob) -> list[str]:
    """The top fields of the version's output schema, in the order it is stored; none for plain text."""
    schema = job.prompt_version.output_schema or {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _chunks(job: BatchJob, status: str) -> Iterator[list[ResultRow]]:
    # By ranges of numbers, which are gapless, and not by LIMIT: the planner can't mistake it for a sort.
    job_rest = ItemStatus.CANCELLED if job.is_terminal else ItemStatus.PENDING
    for first in range(1, job.total + 1, CHUNK):
        with organization_scope(job.organization_id):
            found = BatchItem.objects.filter(batch=job, number__gte=first, number__lt=first + CHUNK)
            if status:
                found = found.filter(status=status)
            items = list(found.order_by("number"))
            if not status or status == job_rest:
                items += untaken(job, range(first, min(first + CHUNK, job.total + 1)))
            _complete_outputs(items)
            rows = with_source(job, items)
        if rows:
            yield rows


def _complete_outputs(items: list[BatchItem]) -> None:
    """Items hold the beginning of a long answer; the whole one is sealed with the run, while it is kept."""
    cut = {item.run_id: item for item in items if item.output_truncated and item.run_id}
    for run in Run.objects.filter(pk__in=list(cut)):
        content = load_content(run)
        if content is not None:
            cut[run.pk].output = content.output


def _lines(rows: list[list[object]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([safe_cell(cell) for cell in cells] for cells in rows)
    return buffer.getvalue().encode()


def _distinct(names: list[str]) -> list[object]:
    """Column heads that are all different: a dataset's own `output` does not hide ours."""
    seen: dict[str, int] = {"row": 1}
    heads: list[object] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        heads.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return heads


def _cells(row: ResultRow, inputs: list[str], fields: list[str]) -> list[object]:
    item = row.item
    source = {**row.metadata, **row.variables}
    parsed = item.parsed if isinstance(item.parsed, dict) else {}
    return [
        item.number,
        *(_text(source.get(name)) for name in inputs),
        *(_text(parsed.get(name)) for name in fields),
        item.status,
        item.output,
        row.expected or "",
        match_word(item),
        item.error_code,
        item.error_message,
        _text(item.input_tokens),
        _text(item.output_tokens),
        cost_text(item),
        item.cost_status,
        _text(item.latency_ms),
        ids.encode("run", item.run_id) if item.run_id else "",
    ]


def match_word(item: BatchItem) -> str:
    """ "match", "differs", or "" where nothing was compared."""
    if item.matches is None:
        return ""
    return "match" if item.matches else "differs"


def cost_text(item: BatchItem) -> str:
    """The cost as plain digits; "unknown" is spelled out and never 0."""
    if item.cost_status == CostStatus.UNKNOWN:
        return "unknown"
    return "" if item.cost is None else f"{item.cost.normalize():f}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return orjson.dumps(value).decode()


def _as_json(row: ResultRow) -> dict[str, Any]:
    item = row.item
    return {
        "row": item.number,
        "status": item.status,
        "variables": row.variables,
        "metadata": row.metadata,
        "output": item.output if item.status != ItemStatus.PENDING else None,
        "parsed": item.parsed,
        "expected": row.expected,
        "match": item.matches,
        "error": error_json(item),
        "usage": {"input_tokens": item.input_tokens, "output_tokens": item.output_tokens},
        "cost": {
            "usd": None if item.cost is None else f"{item.cost.normalize():f}",
            "status": item.cost_status,
        },
        "latency_ms": item.latency_ms,
        "run_id": ids.encode("run", item.run_id) if item.run_id else None,
    }


def error_json(item: BatchItem) -> dict[str, str] | None:
    """Why a row failed, if it did."""
    if not item.error_code:
        return None
    return {"code": item.error_code, "message": item.error_message}


def _openai_line(job: BatchJob, row: ResultRow) -> dict[str, Any] | None:
    item = row.item
    line = {"id": f"batch_req_{item.id.hex}", "custom_id": f"row-{item.number}"}
    if item.status == ItemStatus.SUCCEEDED:
        return line | {"response": _openai_response(job, item), "error": None}
    if item.status in (ItemStatus.FAILED, ItemStatus.CANCELLED):
        expired = {"code": "batch_cancelled", "message": "The batch ended before this row was run."}
        return line | {"response": None, "error": error_json(item) or expired}
    return None


def _openai_response(job: BatchJob, item: BatchItem) -> dict[str, Any]:
    given, made = item.input_tokens or 0, item.output_tokens or 0
    run_id = ids.encode("run", item.run_id) if item.run_id else ""
    message = {"role": "assistant", "content": item.output, "refusal": None}
    return {
        "status_code": 200,
        "request_id": run_id,
        "body": {
            "id": run_id,
            "object": "chat.completion",
            "created": int(item.finished_at.timestamp()) if item.finished_at else 0,
            "model": job.model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": item.finish_reason or "stop",
                }
            ],
            "usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made},
        },
    }
