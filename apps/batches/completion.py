"""Completing items: one statement that finishes those whose fence still holds and moves the jobs' counters.

It runs under the system role inside somebody's transaction: the recorder's, where the runs and the usage
land too, or a small one of its own for rows that were refused before any call.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, TypeVar
from uuid import UUID

import orjson
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import tuple_row

from apps.batches import duplicates
from apps.batches.answer_numbers import number_answers
from apps.batches.claims import CLAIMABLE, Claim
from apps.batches.matching import matches
from apps.core.ids import uuid7
from apps.core.records import record
from apps.runs.engine import Engine
from apps.runs.types import RunRecord, RunRequest, RunResult

Number = TypeVar("Number", int, Decimal)

OUTPUT_CHARACTERS: Final = 4_000
"""How much of an output an item holds; the whole of it lies in the run's content, if that is stored."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer to a request of an OpenAI batch file, as JSON, with its HTTP status."""

    status_code: int
    body: bytes


@record(frozen=True, slots=True)
class Outcome:
    """How one claimed row ended, or with status "running" what it has cost so far.

    Tokens and cost are those of this step: the row and its job add them up. `reserved` is how much of the
    claim's reserve the step uses up, None for all of it. `run_id` is None for a row that was refused before
    any call. `shortened` is whether a long output is cut, because the run has the whole of it.
    """

    claim: Claim
    status: Literal["succeeded", "failed", "running"]
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
    reserved: Decimal | None = None
    answer: Answer | None = None


class Completed(NamedTuple):
    """A row that was completed, or went a step further, and its job's state just after it."""

    item_id: UUID
    job_id: UUID
    organization_id: UUID
    over: bool
    ended: bool


# As in recording runs, a group goes to Postgres as one JSON text (docs/decisions/0024).
_COLUMNS: Final = (
    ("id", "uuid"),
    ("organization_id", "uuid"),
    ("fence", "integer"),
    ("reserved", "numeric"),
    ("variants", "integer"),
    ("status", "text"),
    ("run_id", "uuid"),
    ("output", "text"),
    ("output_truncated", "boolean"),
    ("parsed", "jsonb"),
    ("matches", "boolean"),
    ("error_code", "text"),
    ("error_message", "text"),
    ("finish_reason", "text"),
    ("input_tokens", "integer"),
    ("output_tokens", "integer"),
    ("cost", "numeric"),
    ("cost_status", "text"),
    ("latency_ms", "integer"),
)
_TYPED: Final = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS)
_KEYS: Final = ("id", "organization_id", "fence", "reserved", "variants")
_ADDED: Final = ("input_tokens", "output_tokens", "cost")
_SETS: Final = ", ".join(
    f"{name} = coalesce(item.{name} + input.{name}, input.{name}, item.{name})"
    if name in _ADDED
    else f"{name} = input.{name}"
    for name, _ in _COLUMNS
    if name not in (*_KEYS, "cost_status")
)

_SUMS: Final = """count(*) FILTER (WHERE status <> 'running') AS rows,
           count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE matches) AS matched, count(matches) AS compared,
           coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
           coalesce(sum(cost), 0) AS cost, count(*) FILTER (WHERE cost_status = 'unknown') AS cost_unknown"""

# The job rows are locked in the order of their ids, after the items: claims, which lock the other way
# round, never wait for an item (SKIP LOCKED), so the two can't deadlock. A variant's row is only written
# under its job's lock.
STATEMENT: Final = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS input({_TYPED})
), done AS (
    UPDATE batches_batchitem AS item
    SET {_SETS}, cost_reserved = greatest(item.cost_reserved - input.reserved, 0),
        cost_status = CASE WHEN item.cost_status = 'unknown' THEN 'unknown' ELSE input.cost_status END,
        lease_owner = CASE WHEN input.status = 'running' THEN item.lease_owner END,
        lease_expires_at = CASE WHEN input.status = 'running' THEN item.lease_expires_at END,
        finished_at = CASE WHEN input.status <> 'running' THEN clock_timestamp() END
    FROM input
    WHERE item.id = input.id AND item.organization_id = input.organization_id
      AND item.fence = input.fence AND item.status = 'running'
    RETURNING item.id, item.organization_id, item.batch_id, item.number, item.status, item.matches,
              input.reserved, input.variants, input.input_tokens, input.output_tokens, input.cost,
              input.cost_status, item.latency_ms
), sums AS (
    SELECT batch_id, organization_id, sum(reserved) AS reserved, {_SUMS}
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
    RETURNING job.id, job.running = 0 AND (job.status <> 'in_progress' OR {CLAIMABLE} = 0) AS over
), of_variants AS (
    SELECT batch_id, organization_id, mod(number - 1, variants) AS position,
           coalesce(sum(latency_ms), 0) AS latency_ms, {_SUMS}
    FROM done WHERE variants > 1 GROUP BY batch_id, organization_id, mod(number - 1, variants)
), varied AS (
    UPDATE batches_batchvariant AS variant
    SET succeeded = variant.succeeded + sums.succeeded,
        failed = variant.failed + sums.rows - sums.succeeded, matched = variant.matched + sums.matched,
        compared = variant.compared + sums.compared,
        input_tokens = variant.input_tokens + sums.input_tokens,
        output_tokens = variant.output_tokens + sums.output_tokens,
        cost_used = variant.cost_used + sums.cost, cost_unknown = variant.cost_unknown + sums.cost_unknown,
        latency_ms_sum = variant.latency_ms_sum + sums.latency_ms
    FROM of_variants AS sums JOIN moved ON moved.id = sums.batch_id
    WHERE variant.batch_id = sums.batch_id AND variant.organization_id = sums.organization_id
      AND variant.position = sums.position
)
SELECT done.id AS item_id, done.batch_id AS job_id, done.organization_id, moved.over,
       done.status <> 'running' AS ended
FROM done JOIN moved ON moved.id = done.batch_id
"""

_ANSWER_COLUMNS: Final = (
    ("id", "uuid", lambda o: uuid7()),
    ("organization_id", "uuid", lambda o: o.claim.organization_id),
    ("batch_id", "uuid", lambda o: o.claim.job_id),
    ("number", "integer", lambda o: o.claim.number),
    ("run_id", "uuid", lambda o: o.claim.run_id),
    ("status_code", "smallint", lambda o: o.answer.status_code),
    ("body", "bytea", lambda o: o.answer.body),
)
_ANSWER_NAMES: Final = ", ".join(name for name, _, _ in _ANSWER_COLUMNS)

_KEEP_ANSWERS: Final = f"""
INSERT INTO batches_openaianswer ({_ANSWER_NAMES})
SELECT * FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind, _ in _ANSWER_COLUMNS)})
ON CONFLICT (organization_id, batch_id, number)
DO UPDATE SET run_id = excluded.run_id, status_code = excluded.status_code, body = excluded.body
"""


def parameters(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The parameter of STATEMENT: rows sorted by item; steps of one row are one."""
    by_item: dict[UUID, Outcome] = {}
    for each in outcomes:
        before = by_item.get(each.claim.item_id)
        by_item[each.claim.item_id] = each if before is None else _together(before, each)
    return {"rows": orjson.dumps([_row(by_item[item_id]) for item_id in sorted(by_item)]).decode()}


def _row(outcome: Outcome) -> dict[str, Any]:
    claim = outcome.claim
    cut = outcome.shortened and len(outcome.output) > OUTPUT_CHARACTERS
    return {
        "id": claim.item_id,
        "organization_id": claim.organization_id,
        "fence": claim.fence,
        # Amounts not as numbers: JSON's are floats to orjson.
        "reserved": str(claim.reserved if outcome.reserved is None else outcome.reserved),
        "variants": claim.variants,
        "status": outcome.status,
        "run_id": outcome.run_id,
        "output": outcome.output[:OUTPUT_CHARACTERS] if cut else outcome.output,
        "output_truncated": cut,
        "parsed": outcome.parsed,
        "matches": _matches(outcome),
        "error_code": outcome.error_code[:64],
        "error_message": outcome.error_message[:500],
        "finish_reason": outcome.finish_reason[:32],
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "cost": None if outcome.cost is None else str(outcome.cost),
        "cost_status": outcome.cost_status,
        "latency_ms": outcome.latency_ms,
    }


async def complete(connection: AsyncConnection[Any], outcomes: Sequence[Outcome]) -> list[Completed]:
    """Complete the rows whose fence holds; what is missing in the answer was lost to another holder."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(STATEMENT, parameters(outcomes))
        completed = list(map(Completed._make, await cursor.fetchall()))
        await _keep_answers(cursor, outcomes, {row.item_id for row in completed})
        if any(each.claim.leads for each in outcomes):
            await _answer_followers(connection, outcomes, {row.item_id for row in completed if row.ended})
        if any(each.claim.of_stream for each in outcomes):
            streamed = {each.claim.item_id for each in outcomes if each.claim.of_stream}
            await number_answers(cursor, streamed & {row.item_id for row in completed if row.ended})
    return completed


async def _answer_followers(
    connection: AsyncConnection[Any], outcomes: Sequence[Outcome], ended: Set[UUID]
) -> None:
    """Give rows that wait for an equal one its answer."""
    leaders: defaultdict[tuple[UUID, UUID], set[int]] = defaultdict(set)
    fields: defaultdict[UUID, dict[int, str]] = defaultdict(dict)
    for claim in (each.claim for each in outcomes):
        if claim.leads and claim.item_id in ended:
            leaders[claim.organization_id, claim.job_id].add(claim.number)
            fields[claim.job_id][claim.variant] = claim.match_field
    for organization_id, job_id in sorted(leaders):
        numbers = leaders[organization_id, job_id]
        await duplicates.answer(connection, organization_id, job_id, numbers, fields[job_id])


async def _keep_answers(cursor: AsyncCursor[Any], outcomes: Sequence[Outcome], completed: Set[UUID]) -> None:
    """Keep the whole answers of rows that were completed, until the batch's files are written."""
    found = [each for each in outcomes if each.answer is not None and each.claim.item_id in completed]
    if found:
        ordered = sorted(found, key=lambda each: (each.claim.job_id, each.claim.number))
        arrays = {name: [value(each) for each in ordered] for name, _, value in _ANSWER_COLUMNS}
        await cursor.execute(_KEEP_ANSWERS, arrays)


def outcome(
    claim: Claim, result: RunResult, *, shortened: bool = True, answer: Answer | None = None
) -> Outcome:
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
        answer=answer,
    )


@record(frozen=True, slots=True)
class Call:
    """One run and the claimed rows that it answers.

    `outcomes` says what the run means for them: at least for one, if only that it cost something (status
    "running") while more calls are to come. `carry_out` is how the engine is asked for the run.
    """

    claims: tuple[Claim, ...]
    outcomes: Callable[[RunRecord], Sequence[Outcome]]
    carry_out: Callable[[Engine, RunRequest], Awaitable[RunResult]] = Engine.execute


def answer_of_row(claim: Claim) -> Call:
    """The call of a row that is answered by one run of its own."""

    def outcomes(record: RunRecord) -> Sequence[Outcome]:
        return (outcome(claim, record.result, shortened=record.request.record_payload),)

    return Call((claim,), outcomes)


class BatchCompanion:
    """Completes items in the transaction that writes their runs and usage.

    `calls` maps a run's id to what it answers; `over` gathers the jobs that may now be finished (a rolled
    back transaction may leave one too many there: finishing checks again); `completed` counts rows.
    """

    def __init__(self, calls: Mapping[UUID, Call]) -> None:
        self._calls = calls
        self.over: set[tuple[UUID, UUID]] = set()
        self.completed = 0

    def concerns(self, record: RunRecord) -> bool:
        """Every run of a batch's process belongs to its items."""
        return True

    async def write(self, connection: AsyncConnection[Any], records: Sequence[RunRecord]) -> set[UUID]:
        """The runs whose items were still ours; see `runs.types.RecordCompanion`."""
        outcomes: list[Outcome] = []
        answered: dict[UUID, list[UUID]] = defaultdict(list)
        for written in records:
            # A run that was broken off (stop, shutdown) is not recorded: its rows are given back by the pump.
            if written.result.status == "cancelled":
                continue
            run_id = written.request.run_id
            for each in self._calls[run_id].outcomes(written):
                outcomes.append(each)
                answered[each.claim.item_id].append(run_id)
        completed = await complete(connection, outcomes) if outcomes else []
        self.over |= {(row.organization_id, row.job_id) for row in completed if row.over}
        self.completed += sum(row.ended for row in completed)
        return {run_id for row in completed for run_id in answered[row.item_id]}


def _together(first: Outcome, second: Outcome) -> Outcome:
    """Two steps of one row in one; the later one says how the row stands."""
    unknown = "unknown" in (first.cost_status, second.cost_status)
    reserved = None if second.reserved is None else (first.reserved or 0) + second.reserved
    return replace(
        second,
        input_tokens=_sum(first.input_tokens, second.input_tokens),
        output_tokens=_sum(first.output_tokens, second.output_tokens),
        cost=_sum(first.cost, second.cost),
        cost_status="unknown" if unknown else second.cost_status,
        reserved=reserved,
    )


def _sum(first: Number | None, second: Number | None) -> Number | None:
    return second if first is None else first if second is None else first + second


def _matches(outcome: Outcome) -> bool | None:
    if outcome.status != "succeeded":
        return None
    return matches(outcome.claim.expected, outcome.output, outcome.parsed, outcome.claim.match_field)
