"""Completing items: one statement that finishes those whose fence still holds and moves the jobs' counters.

It runs under the system role inside somebody's transaction: the recorder's, where the runs and the usage
land too, or a small one of its own for rows that were refused before any call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import class_row

from apps.batches.claims import Claim
from apps.batches.matching import matches
from apps.runs.types import RunRecord, RunResult

OUTPUT_CHARACTERS: Final = 4_000
"""How much of an output an item holds; the whole of it lies in the run's content, if that is stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one claimed row ended. `run_id` is None for a row that was refused before any call.

    `shortened` is whether a long output is cut, because the run has the whole of it.
    """

    claim: Claim
    status: Literal["succeeded", "failed"]
    run_id: UUID | None = None
    output: str = ""
    parsed: Any = None
    error_code: str = ""
    error_message: str = ""
    finish_reason: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    cost_status: str = ""
    latency_ms: int | None = None
    shortened: bool = True


@dataclass(frozen=True, slots=True)
class Completed:
    """A row that was completed, and its job's state just after it."""

    item_id: UUID
    job_id: UUID
    organization_id: UUID
    over: bool


_COLUMNS: Final = (
    ("id", "uuid", lambda o: o.claim.item_id),
    ("organization_id", "uuid", lambda o: o.claim.organization_id),
    ("fence", "integer", lambda o: o.claim.fence),
    ("reserved", "numeric", lambda o: o.claim.reserved),
    ("status", "text", lambda o: o.status),
    ("run_id", "uuid", lambda o: o.run_id),
    ("output", "text", lambda o: o.output[:OUTPUT_CHARACTERS] if o.shortened else o.output),
    ("output_truncated", "boolean", lambda o: o.shortened and len(o.output) > OUTPUT_CHARACTERS),
    ("parsed", "jsonb", lambda o: None if o.parsed is None else orjson.dumps(o.parsed).decode()),
    ("matches", "boolean", lambda o: _matches(o)),
    ("error_code", "text", lambda o: o.error_code[:64]),
    ("error_message", "text", lambda o: o.error_message[:500]),
    ("finish_reason", "text", lambda o: o.finish_reason[:32]),
    ("input_tokens", "integer", lambda o: o.input_tokens),
    ("output_tokens", "integer", lambda o: o.output_tokens),
    ("cost", "numeric", lambda o: o.cost),
    ("cost_status", "text", lambda o: o.cost_status),
    ("latency_ms", "integer", lambda o: o.latency_ms),
)
_NAMES: Final = ", ".join(name for name, _, _ in _COLUMNS)
_ARRAYS: Final = ", ".join(f"%({name})s::{kind}[]" for name, kind, _ in _COLUMNS)
_KEYS: Final = ("id", "organization_id", "fence", "reserved")
_SETS: Final = ", ".join(f"{name} = input.{name}" for name, _, _ in _COLUMNS if name not in _KEYS)

# The job rows are locked in the order of their ids, after the items: claims, which lock the other way
# round, never wait for an item (SKIP LOCKED), so the two can't deadlock.
STATEMENT: Final = f"""
WITH input AS (
    SELECT * FROM unnest({_ARRAYS}) AS input({_NAMES})
), done AS (
    UPDATE batches_batchitem AS item
    SET {_SETS}, cost_reserved = 0, lease_owner = NULL, lease_expires_at = NULL,
        finished_at = clock_timestamp()
    FROM input
    WHERE item.id = input.id AND item.organization_id = input.organization_id
      AND item.fence = input.fence AND item.status = 'running'
    RETURNING item.id, item.organization_id, item.batch_id, item.status, item.matches, input.reserved,
              item.input_tokens, item.output_tokens, item.cost, item.cost_status
), sums AS (
    SELECT batch_id, organization_id, count(*) AS rows,
           count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE matches) AS matched, count(matches) AS compared,
           coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
           coalesce(sum(cost), 0) AS cost, sum(reserved) AS reserved,
           count(*) FILTER (WHERE cost_status = 'unknown') AS cost_unknown
    FROM done GROUP BY batch_id, organization_id
), locked AS (
    SELECT job.id FROM batches_batchjob AS job JOIN sums ON job.id = sums.batch_id
        AND job.organization_id = sums.organization_id
    ORDER BY job.id FOR NO KEY UPDATE OF job
), moved AS (
    UPDATE batches_batchjob AS job
    SET running = job.running - sums.rows, succeeded = job.succeeded + sums.succeeded,
        failed = job.failed + sums.rows - sums.succeeded, matched = job.matched + sums.matched,
        compared = job.compared + sums.compared, input_tokens = job.input_tokens + sums.input_tokens,
        output_tokens = job.output_tokens + sums.output_tokens, cost_used = job.cost_used + sums.cost,
        cost_reserved = job.cost_reserved - sums.reserved, cost_unknown = job.cost_unknown + sums.cost_unknown
    FROM sums JOIN locked ON locked.id = sums.batch_id
    WHERE job.id = sums.batch_id AND job.organization_id = sums.organization_id
    RETURNING job.id, job.running = 0 AND (job.pending = 0 OR job.status <> 'in_progress') AS over
)
SELECT done.id AS item_id, done.batch_id AS job_id, done.organization_id, moved.over
FROM done JOIN moved ON moved.id = done.batch_id
"""


def parameters(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The arrays of STATEMENT, sorted by item."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.claim.item_id)
    return {name: [value(outcome) for outcome in ordered] for name, _, value in _COLUMNS}


async def complete(connection: AsyncConnection[Any], outcomes: Sequence[Outcome]) -> list[Completed]:
    """Complete the rows whose fence holds; what is missing in the answer was lost to another holder."""
    async with connection.cursor(row_factory=class_row(Completed)) as cursor:
        await cursor.execute(STATEMENT, parameters(outcomes))
        return await cursor.fetchall()


def outcome(claim: Claim, result: RunResult, *, shortened: bool = True) -> Outcome:
    """What a finished run means for its row."""
    price = result.price
    return Outcome(
        claim=claim,
        status="succeeded" if result.status == "succeeded" else "failed",
        run_id=result.run_id,
        output=result.text,
        parsed=result.parsed,
        error_code=result.error.code if result.error else "",
        error_message=result.error.message if result.error else "",
        finish_reason=result.finish_reason or "",
        input_tokens=result.usage.input_tokens,
        output_tokens=result.usage.output_tokens,
        cost=price.amount if price else None,
        cost_status=price.status if price else "",
        latency_ms=result.latency_ms,
        shortened=shortened,
    )


class BatchCompanion:
    """Completes items in the transaction that writes their runs and usage.

    `claims` maps a run's id to the claim that it works for; `over` gathers the jobs that may now be finished
    (a rolled back transaction may leave one too many there: finishing checks again).
    """

    def __init__(self, claims: Mapping[UUID, Claim]) -> None:
        self._claims = claims
        self.over: set[tuple[UUID, UUID]] = set()

    def concerns(self, record: RunRecord) -> bool:
        """Every run of a batch's process is one of its items."""
        return True

    async def write(self, connection: AsyncConnection[Any], records: Sequence[RunRecord]) -> set[UUID]:
        """The runs whose item was still ours; see `runs.types.RecordCompanion`."""
        wanted = {record.request.run_id: record for record in records}
        # A run that was broken off (stop, shutdown) is not recorded: its row is given back by the pump.
        outcomes = {
            self._claims[run_id].item_id: outcome(
                self._claims[run_id], record.result, shortened=record.request.record_payload
            )
            for run_id, record in wanted.items()
            if record.result.status != "cancelled"
        }
        if not outcomes:
            return set()
        completed = await complete(connection, list(outcomes.values()))
        self.over |= {(row.organization_id, row.job_id) for row in completed if row.over}
        kept = {outcomes[row.item_id].run_id for row in completed}
        return {run_id for run_id in kept if run_id is not None}


def _matches(outcome: Outcome) -> bool | None:
    if outcome.status != "succeeded":
        return None
    return matches(outcome.claim.expected, outcome.output, outcome.parsed, outcome.claim.match_field)
