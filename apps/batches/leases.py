"""Leases on rows: claiming, keeping, giving back. Raw SQL on the async pool, under the system role.

A pump works for every organization in turn, so it can't open one organization's scope; every statement names
the organization itself.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row, tuple_row
from psycopg_pool import AsyncConnectionPool

from apps.batches import completion, duplicates
from apps.batches import lease_sql as sql
from apps.batches.claims import Claim, Claimed, JobFacts, Row, Variant
from apps.batches.completion import Completed, Outcome
from apps.batches.fairness import OpenJobs, Waiting
from apps.core.ids import uuid7

WorstCase = Callable[[JobFacts, Row], Decimal]
"""The most that one row can cost; asked only for jobs with a cost cap."""


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
            await connection.execute(sql.BEGIN)
            yield connection
            await connection.commit()

    async def _rows(self, query: str, **parameters: Any) -> list[Any]:
        async with self._transaction() as connection:
            return await _fetch(connection, query, **parameters)

    async def open_jobs(self) -> OpenJobs:
        """Every job in progress, of every organization."""
        async with self._connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(sql.OPEN_JOBS)
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
            rows = await _fetch(connection, sql.JOB_FACTS, **names)
            if not rows:
                return None
            facts = rows[0]._asdict()
            first = {name: facts.pop(name) for name in Variant.__slots__}
            several = facts.pop("variant_count") > 1
            variants = await _fetch(connection, sql.VARIANTS, **names) if several else []
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
            locked = await _fetch(connection, sql.LOCK_JOB, **names)
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
                await connection.execute(sql.STOP_JOB, names | {"reason": "cost_cap"})
            return Claimed(claims, cap_reached=bool(rows) and not claims)

    async def _claim_distinct(
        self, connection: AsyncConnection[Any], job: JobFacts, locked: Any, limit: int, worst_case: WorstCase
    ) -> Claimed:
        """As `claim`, of a job that answers equal rows once."""

        async def fetch(first: int, given_back: bool, most: int) -> list[Row]:
            moved = locked._replace(next_number=first, given_back=locked.given_back if given_back else 0)
            return await self._waiting(connection, job, moved, most)

        found = await duplicates.sort_out(connection, job, fetch, locked, limit)
        claims = _affordable(job, found.leaders, locked.money, worst_case)
        cut = len(claims) < len(found.leaders)
        found.cut_after(len(claims))
        if claims:
            await self._take(connection, job, claims, locked.next_number)
        elif cut and not locked.running:
            names = {"job": job.id, "organization": job.organization_id, "reason": "cost_cap"}
            await connection.execute(sql.STOP_JOB, names)
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
        found: list[Row] = []
        if locked.given_back > 0:
            only_direct = job.delivery != "direct"
            found = await _rows_of(connection, sql.GIVEN_BACK, **source, limit=limit, only_direct=only_direct)
        last = min(locked.next_number + limit - len(found) - 1, locked.last_number)
        if last >= locked.next_number:
            found += await _rows_of(connection, sql.UNTAKEN, **source, first=locked.next_number, last=last)
        return found

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
            await connection.execute(sql.TAKE_ROWS, self._taken(job, again))
        if added:
            await connection.execute(sql.ADD_ROWS, self._taken(job, added) | counted)
        else:
            await connection.execute(sql.COUNT_TAKEN, self._taken(job, ()) | counted)

    def _taken(self, job: JobFacts, claims: Sequence[Claim]) -> dict[str, Any]:
        ordered = sorted(claims, key=lambda claim: claim.item_id)
        return {
            "job": job.id,
            "organization": job.organization_id,
            "owner": self.owner,
            "seconds": self.seconds,
            "taken": orjson.dumps([_taken_row(claim) for claim in ordered]).decode(),
        }

    async def keep(self, claims: Iterable[Claim]) -> set[UUID]:
        """Prolong the leases; returns the items that are still ours."""
        return {row.id for row in await self._rows(sql.KEEP, seconds=self.seconds, **_keys(claims))}

    async def release(
        self, claims: Iterable[Claim], status: Literal["pending", "cancelled"], *, uncounted: bool = False
    ) -> list[tuple[UUID, UUID]]:
        """Give rows back unfinished; returns the (organization, job) pairs that may now be finished.

        `uncounted`: the claim doesn't count as an attempt, because nothing was attempted.
        """
        rows = await self._rows(sql.RELEASE, status=status, uncounted=int(uncounted), **_keys(claims))
        return [(row.organization_id, row.id) for row in rows]

    async def refuse(self, outcomes: Sequence[Outcome]) -> list[Completed]:
        """Complete rows that never became a run."""
        async with self._transaction() as connection:
            return await completion.complete(connection, outcomes)

    async def stop_job(self, job: JobFacts, reason: Literal["quota"]) -> None:
        """Let nothing more of a job be claimed."""
        async with self._transaction() as connection:
            names = {"job": job.id, "organization": job.organization_id}
            await connection.execute(sql.STOP_JOB, names | {"reason": reason})

    async def stopped_jobs(self, jobs: Iterable[UUID]) -> set[UUID]:
        """Those of the jobs that somebody asked to stop; after other stops, calls in flight may finish."""
        return {row.id for row in await self._rows(sql.STOPPED_JOBS, jobs=list(jobs))}

    async def start_pump(self) -> int | None:
        """Turn the ring into a running pump; returns its slots, None if the ring has been swept away."""
        rows = await self._rows(sql.START, pump=self.owner, seconds=self.seconds, process=self.process)
        return rows[0].slots if rows else None

    async def beat(self, slots: int, paces: Mapping[str, Any]) -> None:
        """Say that the pump lives, and which jobs their providers hold back."""
        beat = {"pump": self.owner, "seconds": self.seconds, "slots": slots, "process": self.process}
        async with self._transaction() as connection:
            await connection.execute(sql.BEAT, beat | {"paces": orjson.dumps(paces).decode()})

    async def end_pump(self) -> None:
        """Forget the pump."""
        async with self._transaction() as connection:
            await connection.execute("DELETE FROM batches_pump WHERE id = %s", [self.owner])


async def _fetch(connection: AsyncConnection[Any], query: str, **parameters: Any) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def _rows_of(connection: AsyncConnection[Any], query: str, **parameters: Any) -> list[Row]:
    """Rows whose columns stand in the order of Row's fields."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query, parameters)
        return [Row(*row) for row in await cursor.fetchall()]


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


def _taken_row(claim: Claim) -> dict[str, Any]:
    # Amounts not as numbers: JSON's are floats to orjson.
    reserved = str(claim.reserved)
    return {"id": claim.item_id, "number": claim.number, "fence": claim.fence, "reserved": reserved}


def _keys(claims: Iterable[Claim]) -> dict[str, list[Any]]:
    ordered = sorted(claims, key=lambda claim: claim.item_id)
    return {"ids": [claim.item_id for claim in ordered], "fences": [claim.fence for claim in ordered]}
