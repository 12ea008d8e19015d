"""Leases on rows: claiming, keeping, giving back. Raw SQL on the async pool, under the system role.

A pump works for every organization in turn, so it can't open one organization's scope; every statement names
the organization itself.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row, tuple_row
from psycopg_pool import AsyncConnectionPool

from apps.batches import completion, duplicates
from apps.batches.claims import CLAIMABLE, IN_FLIGHT, PUMPABLE, Claim, Claimed, JobFacts, Row, Variant
from apps.batches.completion import Completed, Outcome
from apps.batches.fairness import OpenJobs, Waiting
from apps.core.ids import uuid7
from apps.core.scope import SYSTEM_ROLE
from apps.core.sql import UUID7

AT_ONCE: Final = "concurrency * coalesce((work ->> 'rows_per_call')::integer, 1)"
"""How many rows of a job may be in flight; its concurrency counts calls."""

WorstCase = Callable[[JobFacts, Row], Decimal]
"""The most that one row can cost; asked only for jobs with a cost cap."""

_BEGIN: Final = f"BEGIN; SET LOCAL ROLE {SYSTEM_ROLE}"

# Asked many times a second: all of it in one journey.
_OPEN_JOBS: Final = f"""
{_BEGIN};
SELECT id, organization_id, {PUMPABLE} AS claimable, {IN_FLIGHT} AS running, concurrency, priority,
       {AT_ONCE} AS at_once,
       (SELECT concurrent_runs FROM tenants_organization WHERE id = job.organization_id) AS organization_limit
FROM batches_batchjob AS job
WHERE status = 'in_progress' AND (pending > 0 OR running > 0) ORDER BY id;
SELECT count(*) FROM batches_pump WHERE started_at IS NOT NULL AND expires_at > now() AND slots > 0;
COMMIT
"""

_JOB_FACTS: Final = """
SELECT id, organization_id, project_id, prompt_name, version_number, model, parameters, match_field,
       dataset_version_id,
       CASE WHEN stream_id IS NULL THEN coalesce(source_rows, total) ELSE 2147483647 END AS source_rows,
       stream_id IS NOT NULL AS of_stream, variant_count, livemode, api_key_id,
       cost_cap IS NOT NULL AS capped, work, delivery, deduplicate
FROM batches_batchjob WHERE id = %(job)s AND organization_id = %(organization)s
"""

_VARIANTS: Final = """
SELECT version_number, model, parameters, match_field FROM batches_batchvariant
WHERE batch_id = %(job)s AND organization_id = %(organization)s ORDER BY position
"""

# Held until the claim commits: no other pump can change what concurrency and cap are checked against.
_LOCK_JOB: Final = f"""
SELECT least({PUMPABLE}, {AT_ONCE} - {IN_FLIGHT}) AS room, running, next_number,
       CASE delivery WHEN 'direct' THEN least(total, coalesce(claim_limit, total)) ELSE 0 END AS last_number,
       pending - held - greatest(total - next_number + 1, 0) AS given_back,
       cost_cap - cost_used - cost_reserved AS money
FROM batches_batchjob AS job
WHERE id = %(job)s AND organization_id = %(organization)s AND status = 'in_progress' FOR NO KEY UPDATE
"""

_ROW: Final = "mod((item.number - 1) / %(variants)s::integer, %(source_rows)s::integer) + 1"
_SOURCE: Final = f"""
SELECT item.*, mod(item.number - 1, %(variants)s::integer) AS variant, source.variables, source.expected,
       source.metadata
FROM item JOIN datasets_datasetrow AS source
  ON source.dataset_version_id = %(dataset_version)s AND source.number = {_ROW}
 AND source.organization_id = %(organization)s
ORDER BY item.number
"""

# Materialized, so that the few rows are found first: joined freely, the dataset is read from its start.
_GIVEN_BACK: Final = f"""
WITH item AS MATERIALIZED (
    SELECT id AS item_id, number, round, attempts, fence FROM batches_batchitem
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'pending'
      AND (direct OR NOT %(only_direct)s) AND duplicate_of IS NULL
    ORDER BY number LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
{_SOURCE}
"""

# Rows that nobody has taken yet have no item.
_UNTAKEN: Final = f"""
WITH item AS MATERIALIZED (
    SELECT {UUID7} AS item_id, number, 0 AS round, 0 AS attempts, 0 AS fence
    FROM generate_series(%(first)s::integer, %(last)s::integer) AS number
)
{_SOURCE}
"""

_COUNT_TAKEN: Final = """
UPDATE batches_batchjob
SET pending = pending - %(rows)s, running = running + %(rows)s, cost_reserved = cost_reserved + %(money)s,
    next_number = next_number + %(added)s
WHERE id = %(job)s AND organization_id = %(organization)s
"""

_TAKE_ROWS: Final = """
UPDATE batches_batchitem AS item
SET status = 'running', lease_owner = %(owner)s, attempts = item.attempts + 1, fence = input.fence,
    lease_expires_at = now() + make_interval(secs => %(seconds)s), cost_reserved = input.reserved
FROM unnest(%(ids)s::uuid[], %(fences)s::integer[], %(reserved)s::numeric[]) AS input(id, fence, reserved)
WHERE item.id = input.id AND item.organization_id = %(organization)s
"""

_ADD_ROWS: Final = f"""
WITH counted AS ({_COUNT_TAKEN})
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, lease_owner, lease_expires_at,
    cost_reserved, output, output_truncated, error_code, error_message, finish_reason, cost_status
)
SELECT input.id, %(organization)s, %(job)s, input.number, 'running', 0, 1, input.fence, %(owner)s,
       now() + make_interval(secs => %(seconds)s), input.reserved, '', FALSE, '', '', '', ''
FROM unnest(%(ids)s::uuid[], %(numbers)s::integer[], %(fences)s::integer[], %(reserved)s::numeric[])
  AS input(id, number, fence, reserved)
"""

_STOP_JOB: Final = """
UPDATE batches_batchjob SET status = 'cancelling', stop_reason = %(reason)s, cancelling_at = now()
WHERE id = %(job)s AND organization_id = %(organization)s AND status = 'in_progress'
"""

_KEEP: Final = """
UPDATE batches_batchitem AS item SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
FROM unnest(%(ids)s::uuid[], %(fences)s::integer[]) AS input(id, fence)
WHERE item.id = input.id AND item.fence = input.fence AND item.status = 'running'
RETURNING item.id
"""

# Also the sweeper's way of taking expired leases back; `%(status)s` is 'pending' or 'cancelled'.
GIVE_BACK: Final = f"""
back AS (
    UPDATE batches_batchitem AS item
    SET status = %(status)s::text, attempts = item.attempts - %(uncounted)s::integer,
        fence = item.fence + 1, lease_owner = NULL, lease_expires_at = NULL, cost_reserved = 0,
        finished_at = CASE WHEN %(status)s::text = 'cancelled' THEN now() END
    FROM lost WHERE item.id = lost.id
    RETURNING item.batch_id, item.organization_id, lost.cost_reserved
), sums AS (
    SELECT batch_id, organization_id, count(*) AS rows, sum(cost_reserved) AS reserved
    FROM back GROUP BY batch_id, organization_id
), locked AS (
    SELECT job.id FROM batches_batchjob AS job JOIN sums ON job.id = sums.batch_id
        AND job.organization_id = sums.organization_id
    ORDER BY job.id FOR NO KEY UPDATE OF job
), moved AS (
    UPDATE batches_batchjob AS job
    SET running = job.running - sums.rows, cost_reserved = job.cost_reserved - sums.reserved,
        pending = job.pending + CASE WHEN %(status)s::text = 'pending' THEN sums.rows ELSE 0 END,
        cancelled = job.cancelled + CASE WHEN %(status)s::text = 'cancelled' THEN sums.rows ELSE 0 END
    FROM sums JOIN locked ON locked.id = sums.batch_id
    WHERE job.id = sums.batch_id AND job.organization_id = sums.organization_id
    RETURNING job.id, job.organization_id, sums.rows,
              job.running = 0 AND (job.status <> 'in_progress' OR {CLAIMABLE} = 0) AS over
)"""

RELEASE: Final = f"""
WITH lost AS (
    SELECT item.id, item.cost_reserved
    FROM batches_batchitem AS item
    JOIN unnest(%(ids)s::uuid[], %(fences)s::integer[]) AS input(id, fence) ON item.id = input.id
    WHERE item.fence = input.fence AND item.status = 'running'
    ORDER BY item.id FOR NO KEY UPDATE OF item
), {GIVE_BACK}
SELECT organization_id, id FROM moved WHERE over
"""

_STOPPED_JOBS: Final = """
SELECT id FROM batches_batchjob
WHERE id = ANY(%(jobs)s) AND status <> 'in_progress' AND stop_reason = 'requested'
"""

_BEAT: Final = """
INSERT INTO batches_pump (id, rung_at, started_at, expires_at, slots, process, paces)
VALUES (
    %(pump)s, now(), now(), now() + make_interval(secs => %(seconds)s), %(slots)s, %(process)s,
    %(paces)s::jsonb
)
ON CONFLICT (id) DO UPDATE
SET expires_at = excluded.expires_at, slots = excluded.slots, paces = excluded.paces
"""

_START: Final = """
UPDATE batches_pump
SET started_at = now(), expires_at = now() + make_interval(secs => %(seconds)s), process = %(process)s
WHERE id = %(pump)s AND started_at IS NULL
RETURNING slots
"""


@dataclass(frozen=True, slots=True)
class LeaseStore:
    """The rows and pumps tables as one pump sees them. `seconds` is how long a lease or a beat lasts.

    `prepare_threshold` is psycopg's: after how many times the plan of a statement is kept, None for never.
    """

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    owner: UUID
    seconds: float
    process: str
    prepare_threshold: int | None = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection that begins no transaction by itself, which would be a journey more."""
        async with self.pool.connection() as connection:
            await connection.set_autocommit(True)
            connection.prepare_threshold = self.prepare_threshold
            try:
                yield connection
            finally:
                with suppress(psycopg.Error):
                    await connection.rollback()
                    await connection.set_autocommit(False)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._connection() as connection:
            await connection.execute(_BEGIN)
            yield connection
            await connection.commit()

    async def _rows(self, query: str, **parameters: Any) -> list[Any]:
        async with self._transaction() as connection:
            return await _fetch(connection, query, **parameters)

    async def open_jobs(self) -> OpenJobs:
        """Every job in progress, of every organization."""
        async with self._connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_OPEN_JOBS)
            while cursor.description is None:
                cursor.nextset()
            jobs = [Waiting(*row) for row in await cursor.fetchall()]
            cursor.nextset()
            ((pumps,),) = await cursor.fetchall()
            return OpenJobs(jobs, pumps)

    async def job_facts(self, job: Waiting) -> JobFacts | None:
        """What a job's rows need to be run; None if the job is gone."""
        names = {"job": job.id, "organization": job.organization_id}
        async with self._transaction() as connection:
            rows = await _fetch(connection, _JOB_FACTS, **names)
            if not rows:
                return None
            facts = rows[0]._asdict()
            first = {name: facts.pop(name) for name in Variant.__slots__}
            several = facts.pop("variant_count") > 1
            variants = await _fetch(connection, _VARIANTS, **names) if several else []
            told = tuple(Variant(**row._asdict()) for row in variants) or (Variant(**first),)
            distinct_by = None
            if facts.pop("deduplicate"):
                distinct_by = await duplicates.distinct_names(connection, job.id, facts)
            return JobFacts(**facts, variants=told, distinct_by=distinct_by)

    async def claim(self, job: JobFacts, wanted: int, worst_case: WorstCase) -> Claimed:
        """Claim up to `wanted` rows of a job, fewer where its concurrency or its cap leaves no room.

        Rows that were given back come first, then those that nobody has taken yet. A job whose cap has no
        room for a single row, with none in flight, is stopped here.
        """
        names = {"job": job.id, "organization": job.organization_id}
        async with self._transaction() as connection:
            locked = await _fetch(connection, _LOCK_JOB, **names)
            if not locked or locked[0].room <= 0:
                return Claimed([])
            limit = min(wanted, locked[0].room)
            if job.distinct_by is not None:
                return await self._claim_distinct(connection, job, locked[0], limit, worst_case)
            rows = await self._waiting(connection, job, locked[0], limit)
            claims = _affordable(job, rows, locked[0].money, worst_case)
            if claims:
                await self._take(connection, job, claims, locked[0].next_number)
            elif rows and not locked[0].running:
                await connection.execute(_STOP_JOB, names | {"reason": "cost_cap"})
            return Claimed(claims, cap_reached=bool(rows) and not claims)

    async def _claim_distinct(
        self, connection: AsyncConnection[Any], job: JobFacts, locked: Any, limit: int, worst_case: WorstCase
    ) -> Claimed:
        """As `claim`, of a job that answers equal rows once."""

        async def fetch(first: int, given_back: bool, most: int) -> list[Row]:
            moved = locked._replace(next_number=first, given_back=locked.given_back if given_back else 0)
            return await self._waiting(connection, job, moved, most)

        found = await duplicates.sort_out(connection, job, fetch, locked.next_number, limit)
        claims = _affordable(job, found.leaders, locked.money, worst_case)
        cut = len(claims) < len(found.leaders)
        found.cut_after(len(claims))
        if claims:
            await self._take(connection, job, claims, locked.next_number)
        elif cut and not locked.running:
            names = {"job": job.id, "organization": job.organization_id, "reason": "cost_cap"}
            await connection.execute(_STOP_JOB, names)
        answered = await duplicates.hold(connection, job, found, locked.next_number)
        return Claimed(claims, cap_reached=cut and not claims, answered=answered)

    async def _waiting(
        self, connection: AsyncConnection[Any], job: JobFacts, locked: Any, limit: int
    ) -> list[Row]:
        source = {
            "job": job.id,
            "organization": job.organization_id,
            "dataset_version": job.dataset_version_id,
            "variants": len(job.variants),
            "source_rows": job.source_rows,
        }
        found = []
        if locked.given_back > 0:
            only_direct = job.delivery != "direct"
            found = await _fetch(connection, _GIVEN_BACK, **source, limit=limit, only_direct=only_direct)
        last = min(locked.next_number + limit - len(found) - 1, locked.last_number)
        if last >= locked.next_number:
            found += await _fetch(connection, _UNTAKEN, **source, first=locked.next_number, last=last)
        return [Row(**row._asdict()) for row in found]

    async def _take(
        self, connection: AsyncConnection[Any], job: JobFacts, claims: list[Claim], next_number: int
    ) -> None:
        again = [claim for claim in claims if claim.number < next_number]
        added = [claim for claim in claims if claim.number >= next_number]
        counted = {
            "rows": len(claims),
            "added": len(added),
            "money": sum((claim.reserved for claim in claims), Decimal(0)),
        }
        if again:
            await connection.execute(_TAKE_ROWS, self._taken(job, again))
        if added:
            await connection.execute(_ADD_ROWS, self._taken(job, added) | counted)
        else:
            await connection.execute(_COUNT_TAKEN, self._taken(job, ()) | counted)

    def _taken(self, job: JobFacts, claims: Sequence[Claim]) -> dict[str, Any]:
        ordered = sorted(claims, key=lambda claim: claim.item_id)
        return {
            "job": job.id,
            "organization": job.organization_id,
            "owner": self.owner,
            "seconds": self.seconds,
            "ids": [claim.item_id for claim in ordered],
            "numbers": [claim.number for claim in ordered],
            "fences": [claim.fence for claim in ordered],
            "reserved": [claim.reserved for claim in ordered],
        }

    async def keep(self, claims: Iterable[Claim]) -> set[UUID]:
        """Prolong the leases; returns the items that are still ours."""
        return {row.id for row in await self._rows(_KEEP, seconds=self.seconds, **_keys(claims))}

    async def release(
        self, claims: Iterable[Claim], status: Literal["pending", "cancelled"], *, uncounted: bool = False
    ) -> list[tuple[UUID, UUID]]:
        """Give rows back unfinished; returns the (organization, job) pairs that may now be finished.

        `uncounted`: the claim doesn't count as an attempt, because nothing was attempted.
        """
        rows = await self._rows(RELEASE, status=status, uncounted=int(uncounted), **_keys(claims))
        return [(row.organization_id, row.id) for row in rows]

    async def refuse(self, outcomes: Sequence[Outcome]) -> list[Completed]:
        """Complete rows that never became a run."""
        async with self._transaction() as connection:
            return await completion.complete(connection, outcomes)

    async def stop_job(self, job: JobFacts, reason: Literal["quota"]) -> None:
        """Let nothing more of a job be claimed."""
        async with self._transaction() as connection:
            names = {"job": job.id, "organization": job.organization_id}
            await connection.execute(_STOP_JOB, names | {"reason": reason})

    async def stopped_jobs(self, jobs: Iterable[UUID]) -> set[UUID]:
        """Those of the jobs that somebody asked to stop; after other stops, calls in flight may finish."""
        return {row.id for row in await self._rows(_STOPPED_JOBS, jobs=list(jobs))}

    async def start_pump(self) -> int | None:
        """Turn the ring into a running pump; returns its slots, None if the ring has been swept away."""
        rows = await self._rows(_START, pump=self.owner, seconds=self.seconds, process=self.process)
        return rows[0].slots if rows else None

    async def beat(self, slots: int, paces: Mapping[str, Any]) -> None:
        """Say that the pump lives, and which jobs their providers hold back."""
        beat = {"pump": self.owner, "seconds": self.seconds, "slots": slots, "process": self.process}
        async with self._transaction() as connection:
            await connection.execute(_BEAT, beat | {"paces": orjson.dumps(paces).decode()})

    async def end_pump(self) -> None:
        """Forget the pump."""
        async with self._transaction() as connection:
            await connection.execute("DELETE FROM batches_pump WHERE id = %s", [self.owner])


async def _fetch(connection: AsyncConnection[Any], query: str, **parameters: Any) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


def _affordable(job: JobFacts, rows: list[Row], money: Decimal | None, worst_case: WorstCase) -> list[Claim]:
    """The first of the rows, as many as the money covers even if each costs the most that it can."""
    claims = []
    for row in rows:
        reserved = Decimal(0)
        if money is not None:
            reserved = worst_case(job, row)
            money -= reserved
            if money < 0:
                break
        claims.append(_claim(job, row, reserved))
    return claims


def _claim(job: JobFacts, row: Row, reserved: Decimal) -> Claim:
    return Claim(
        item_id=row.item_id,
        organization_id=job.organization_id,
        job_id=job.id,
        run_id=uuid7(),
        number=row.number,
        round=row.round,
        attempts=row.attempts + 1,
        fence=row.fence + 1,
        reserved=reserved,
        variables=row.variables,
        expected=row.expected,
        match_field=job.variants[row.variant].match_field,
        variant=row.variant,
        variants=len(job.variants),
        metadata=row.metadata,
        of_stream=job.of_stream,
        leads=job.distinct_by is not None,
    )


def _keys(claims: Iterable[Claim]) -> dict[str, list[Any]]:
    ordered = sorted(claims, key=lambda claim: claim.item_id)
    return {"ids": [claim.item_id for claim in ordered], "fences": [claim.fence for claim in ordered]}
