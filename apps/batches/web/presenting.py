"""Batches in the words and shapes of the pages. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus, Source
from apps.batches.queries import Progress
from apps.batches.results.failures import FailureGroup
from apps.batches.results.heads import row_number
from apps.batches.results.pages import ResultRow
from apps.batches.results.words import match_word
from apps.core import ids
from apps.core.formatting import format_duration

SHORT: Final = 160
COLUMNS_SHOWN: Final = 2

RETRY: Final = "Can be retried"

# What a reason means, and what a person can do about it.
REASONS: Final[dict[str, tuple[str, str]]] = {
    "variable_missing": ("Variable missing in the row", "Fix the data"),
    "variable_invalid": ("Value of the wrong type in the row", "Fix the data"),
    "output_invalid": ("Output does not fit the schema", RETRY),
    "provider_rate_limited": ("Rate limited by the provider", "Retry with less concurrency"),
    "provider_timeout": ("The provider did not answer in time", RETRY),
    "provider_failed": ("The provider failed", RETRY),
    "provider_unreachable": ("The provider could not be reached", RETRY),
    "provider_authentication_failed": ("The provider refused the key", "Check the connection"),
    "provider_refused": ("The provider refused the request", "Check model and parameters"),
    "content_filtered": ("Stopped by the content filter", "A retry will not help"),
    "quota_exceeded": ("The month's quota is used up", "Retry when there is room"),
    "given_up": ("No answer after many tries", "Look at the row first"),
    "result_not_storable": ("The answer could not be stored", RETRY),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason in the table of failures."""

    code: str
    reason: str
    rows: int
    example: str
    number: int
    row: int
    advice: str
    more: bool


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row in a table of results."""

    item: BatchItem
    cells: list[tuple[str, str]]
    output: str
    expected: str
    match: str
    tokens: int | None
    cost_status: str | None
    run_id: str
    reason: str
    inputs: list[tuple[str, str]]
    full_output: str
    row: int
    same_as: int | None
    variant: int

    @property
    def answered(self) -> bool:
        """Whether there is an answer that fits."""
        return self.item.status == ItemStatus.SUCCEEDED


def shown_failures(job: BatchJob, groups: Sequence[FailureGroup]) -> list[Failure]:
    """The groups in words."""
    return [
        Failure(
            code=group.code,
            reason=reason,
            rows=group.rows,
            example=group.message,
            number=group.number,
            row=row_number(job, group.number),
            advice=advice,
            more=group.more,
        )
        for group in groups
        for reason, advice in (_reason(job, group.code),)
    ]


def shown_rows(job: BatchJob, rows: Sequence[ResultRow], columns: Sequence[str]) -> list[ShownRow]:
    """Rows with these columns of the dataset as cells."""
    return [_shown(job, row, columns) for row in rows]


def leading_columns(job: BatchJob, columns: Sequence[str]) -> list[str]:
    """The columns shown in a table: what the prompt reads stands before what merely comes along."""
    version = job.prompt_version
    read = {variable["name"] for variable in version.variables} if version else set()
    return sorted(columns, key=lambda name: name not in read)[:COLUMNS_SHOWN]


def time_left(progress: Progress) -> str:
    """The remaining time in rough words; "" when it can't be told."""
    seconds = progress.seconds_left
    if seconds is None:
        return ""
    return f"{max(1, round(seconds))} s" if seconds < 60 else format_duration(seconds * 1000)


def interval(job: BatchJob) -> int:
    """Seconds until the page asks again: often at first, seldom for a long job."""
    if job.status in (JobStatus.PAUSED, JobStatus.SCHEDULED) and not job.running:
        return 5
    if job.total <= 2_000:
        return 1
    return 2 if job.finished < 10_000 else 4


def cost_status(job: BatchJob) -> str | None:
    """How the job's cost so far is to be written; None before anything was charged."""
    if job.sandbox:
        return "sandbox"
    if job.cost_unknown and not job.cost_used:
        return "unknown"
    return "priced" if job.cost_used or job.finished else None


def expected_cost(job: BatchJob) -> tuple[Decimal, Decimal] | None:
    """The estimate's range; None when no price is known."""
    low, high = job.estimate.get("cost_low"), job.estimate.get("cost_high")
    return (Decimal(low), Decimal(high)) if low is not None and high is not None else None


def _reason(job: BatchJob, code: str) -> tuple[str, str]:
    reason, advice = REASONS.get(code, (code.replace("_", " ").capitalize(), RETRY))
    # The answers of an OpenAI batch file stand in files, which no retry changes.
    return reason, "Send it again in a new file" if job.source == Source.FILE and advice == RETRY else advice


def _shown(job: BatchJob, row: ResultRow, columns: Sequence[str]) -> ShownRow:
    item = row.item
    source = {**row.metadata, **row.variables}
    given, made = item.input_tokens, item.output_tokens
    return ShownRow(
        item=item,
        cells=[(name, _short(source.get(name))) for name in columns],
        output=_output(job, item),
        expected=_short(row.expected),
        match={"match": "match", "differs": "differs"}.get(match_word(item), ""),
        tokens=None if given is None and made is None else (given or 0) + (made or 0),
        cost_status=item.cost_status or None,
        run_id=ids.encode("run", item.run_id) if item.run_id else "",
        reason=_reason(job, item.error_code)[0] if item.error_code else "",
        inputs=[(name, _text(value)) for name, value in source.items()],
        full_output=json.dumps(item.parsed, indent=2, ensure_ascii=False)
        if item.parsed is not None
        else item.output,
        row=row_number(job, item.number),
        same_as=row_number(job, item.duplicate_of) if item.duplicate_of else None,
        variant=(item.number - 1) % job.variant_count + 1,
    )


def _output(job: BatchJob, item: BatchItem) -> str:
    """What is compared with the expected value, else the answer's beginning."""
    if isinstance(item.parsed, dict) and job.match_field in item.parsed:
        return _short(item.parsed[job.match_field])
    return _short(item.output)


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
