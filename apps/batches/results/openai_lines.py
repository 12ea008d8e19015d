"""Results as the lines of OpenAI's batch output."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from apps.batches.models import BatchJob, BatchVariant, ItemStatus, Source
from apps.batches.results.heads import row_number
from apps.batches.results.rows import FileRow
from apps.batches.results.words import error_json
from apps.core import ids

LEFT_OUT: Final = {"code": "batch_cancelled", "message": "The batch ended before this row was run."}


def write_openai_lines(
    job: BatchJob, variants: Sequence[BatchVariant], chunks: Iterator[list[FileRow]]
) -> Iterator[bytes]:
    """A line for each row that has ended; `custom_id` is `row-7`, with several variants `row-7-variant-2`."""
    models = {each.position: each.model for each in variants}
    for rows in chunks:
        lines = (_line(job, models.get((row.number - 1) % job.variant_count, job.model), row) for row in rows)
        piece = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines if line)
        if piece:
            yield piece


def custom_id(job: BatchJob, row: FileRow) -> str:
    """What names a row: the id that an OpenAI batch file gave it, else its number."""
    if job.source == Source.FILE and row.source.metadata.get("custom_id"):
        return str(row.source.metadata["custom_id"])
    name = f"row-{row_number(job, row.number)}"
    if job.variant_count == 1:
        return name
    return f"{name}-variant-{(row.number - 1) % job.variant_count + 1}"


def _line(job: BatchJob, model: str, row: FileRow) -> dict[str, Any] | None:
    name = custom_id(job, row)
    line = {"id": f"batch_req_{job.pk.hex}_{row.number}", "custom_id": name}
    if row.status == ItemStatus.SUCCEEDED:
        return line | {"response": _response(model, row), "error": None}
    if row.status in (ItemStatus.FAILED, ItemStatus.CANCELLED):
        return line | {"response": None, "error": error_json(row) or LEFT_OUT}
    return None


def _response(model: str, row: FileRow) -> dict[str, Any]:
    given, made = row.input_tokens or 0, row.output_tokens or 0
    run_id = ids.encode("run", row.run_id) if row.run_id else ""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": row.output, "refusal": None},
        "logprobs": None,
        "finish_reason": row.finish_reason or "stop",
    }
    return {
        "status_code": 200,
        "request_id": run_id,
        "body": {
            "id": run_id,
            "object": "chat.completion",
            "created": int(row.finished_at.timestamp()) if row.finished_at else 0,
            "model": model,
            "choices": [choice],
            "usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made},
        },
    }
