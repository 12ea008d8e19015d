"""The rows of a provider's batch: taking them from their job, finding them again, giving them back.

Raw SQL on the async pool under the system role, as in `leases`; every statement names the organization.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool

from apps.batches.claims import CLAIMABLE, PUMPABLE, Claim, JobFacts, Row
from apps.batches.lease_sql import RELEASE
from apps.batches.leases import WorstCase
from apps.core.ids import uuid7
from apps.core.scope import SYSTEM_ROLE
from apps.core.sql import UUID7

LEASE_SECONDS: Final = 8 * 86_400.0
"""Longer than any batch takes at its provider: what keeps the rows is the batch's own row."""
AT_ONCE: Final = 500

# Held until the claim commits, as in `leases`.
_LOCK_JOB: Final = f"""
SELECT {CLAIMABLE} - {PUMPABLE} AS room, running, next_number,
       least(total, coalesce(claim_limit, total)) AS last_number,
       cost_cap - cost_used - cost_reserved AS money
FROM batches_batchjob AS job
WHERE id = %(job)s AND organization_id = %(organization)s AND status = 'in_progress' FOR NO KEY UPDATE
"""

_SOURCE: Final = """
SELECT item.*, mod(item.number - 1, %(variants)s::integer) AS variant, source.variables, source.expected,
       source.metadata
FROM item JOIN datasets_datasetrow AS source
  ON source.dataset_version_id = %(dataset_version)s
 AND source.number = mod((item.number - 1) / %(variants)s::integer, %(source_rows)s::integer) + 1
 AND source.organization_id = %(organization)s
ORDER BY item.number
"""

_GIVEN_BACK: Final = f"""
WITH item AS MATERIALIZED (
    SELECT id AS item_id, number, round, attempts, fence, cost_reserved FROM batches_batchitem
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'pending' AND NOT direct
      AND mod(number - 1, %(variants)s::integer) = %(variant)s
    ORDER BY number LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
{_SOURCE}
"""

_UNTAKEN: Final = f"""
WITH item AS MATERIALIZED (
    SELECT {UUID7} AS item_id, number, 0 AS round, 0 AS attempts, 0 AS fence, 0::numeric AS cost_reserved
    FROM generate_series(%(first)s::integer, %(last)s::integer) AS number
)
{_SOURCE}
"""

_OURS: Final = f"""
WITH item AS MATERIALIZED (
    SELECT id AS item_id, number, round, attempts, fence, cost_reserved FROM batches_batchitem
    WHERE organization_id = %(organization)s AND provider_batch_id = %(batch)s AND status = 'running'
      AND {{which}}
    ORDER BY number LIMIT %(limit)s
)
{_SOURCE}
"""
_NEXT_OF_OURS: Final = _OURS.format(which="number > %(after)s")
_NAMED_OF_OURS: Final = _OURS.format(which="id = ANY(%(ids)s)")

_TAKE_ROWS: Final = """
UPDATE batches_batchitem AS item
SET status = 'running', lease_owner = %(batch)s, attempts = item.attempts + 1, fence = input.fence,
    lease_expires_at = now() + make_interval(secs => %(seconds)s), cost_reserved = input.reserved,
    provider_batch_id = %(batch)s
FROM unnest(%(ids)s::uuid[], %(fences)s::integer[], %(reserved)s::numeric[]) AS input(id, fence, reserved)
WHERE item.id = input.id AND item.organization_id = %(organization)s
"""

_ADD_ROWS: Final = """
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, lease_owner, lease_expires_at,
    provider_batch_id, cost_reserved, output, output_truncated, error_code, error_message, finish_reason,
    cost_status
)
SELECT input.id, %(organization)s, %(job)s, input.number,
       CASE WHEN input.ours THEN 'running' ELSE 'pending' END, 0, input.ours::integer, input.ours::integer,
       CASE WHEN input.ours THEN %(batch)s::uuid END,
       CASE WHEN input.ours THEN now() + make_interval(secs => %(seconds)s) END,
       CASE WHEN input.ours THEN %(batch)s::uuid END, input.reserved, '', FALSE, '', '', '', ''
FROM unnest(%(ids)s::uuid[], %(numbers)s::integer[], %(ours)s::boolean[], %(reserved)s::numeric[])
  AS input(id, number, ours, reserved)
"""

_COUNT_TAKEN: Final = """
UPDATE batches_batchjob
SET pending = pending - %(rows)s, running = running + %(rows)s, cost_reserved = cost_reserved + %(money)s,
    next_number = next_number + %(added)s
WHERE id = %(job)s AND organization_id = %(organization)s
"""

_LEFT: Final = """
SELECT id, fence FROM batches_batchitem
WHERE organization_id = %(organization)s AND provider_batch_id = %(batch)s AND status = 'running'
ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE
"""

_LET_GO: Final = """
UPDATE batches_batchitem SET provider_batch_id = NULL, direct = direct OR %(direct)s
WHERE organization_id = %(organization)s AND id = ANY(%(ids)s) AND provider_batch_id = %(batch)s
  AND status = 'running'
"""

_RUNNING: Final = """
SELECT count(*) AS rows, min(number) AS first, max(number) AS last FROM batches_batchitem
WHERE organization_id = %(organization)s AND provider_batch_id = %(batch)s AND status = 'running'
"""

Back = Literal["pending", "cancelled"]
Jobs = set[tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were claimed; `waits` where there are more, but not enough money for one while others run."""

    claims: list[Claim]
    waits: bool = False
    cap_reached: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """How many rows a provider's batch has, and their numbers' range."""

    rows: int
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class RowStore:
    """The rows of one provider's batch, of one variant of a job."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    batch_id: UUID
    job: JobFacts
    variant: int

    async def claim(self, wanted: int, worst_case: WorstCase) -> Taken:
        """Claim up to `wanted` rows: those that were given back first, then those that nobody has taken."""
        async with self._transaction() as connection:
            locked = await _fetch(connection, _LOCK_JOB, **self._names())
            if not locked or locked[0].room <= 0:
                return Taken([])
            again, fresh = await self._waiting(connection, locked[0], wanted)
            ours = [row for row in (*again, *fresh) if row.variant == self.variant][:wanted]
            claims = self._affordable(ours, locked[0].money, worst_case)
            short = len(claims) < len(ours)
            if claims:
                last = claims[-1].number if short else None
                await self._take(connection, again, fresh, claims, last)
            return Taken(
                claims,
                waits=short and not claims and locked[0].running > 0,
                cap_reached=short and not claims and locked[0].running == 0,
            )

    async def next_of_ours(self, after: int, limit: int = AT_ONCE) -> list[Claim]:
        """The rows that this batch holds behind a number, as claims with new run ids."""
        return await self._ours(_NEXT_OF_OURS, after=after, limit=limit)

    async def named_of_ours(self, ids: Sequence[UUID]) -> dict[UUID, Claim]:
        """Those of the items that this batch still holds."""
        found = await self._ours(_NAMED_OF_OURS, ids=list(ids), limit=len(ids))
        return {claim.item_id: claim for claim in found}

    async def held(self) -> Held:
        """What this batch holds now."""
        async with self._transaction() as connection:
            row = (await _fetch(connection, _RUNNING, **self._names()))[0]
        return Held(row.rows, row.first, row.last)

    async def release(
        self, claims: Sequence[Claim], status: Back, *, direct: bool = False, uncounted: bool = True
    ) -> Jobs:
        """Give rows back; `direct`: never through a provider's batch again. The jobs that may be over now."""
        async with self._transaction() as connection:
            pairs = [(claim.item_id, claim.fence) for claim in claims]
            return await self._release(connection, pairs, status, direct=direct, uncounted=uncounted)

    async def release_left(self, status: Back, *, direct: bool = False) -> tuple[int, Jobs]:
        """Give every row back that is still held; how many there were, and the jobs that may be over."""
        rows, over = 0, Jobs()
        while True:
            async with self._transaction() as connection:
                left = await _fetch(connection, _LEFT, **self._names(), limit=AT_ONCE)
                pairs = [(row.id, row.fence) for row in left]
                over |= await self._release(connection, pairs, status, direct=direct, uncounted=True)
            rows += len(left)
            if len(left) < AT_ONCE:
                return rows, over

    async def _release(
        self,
        connection: AsyncConnection[Any],
        pairs: list[tuple[UUID, int]],
        status: Back,
        *,
        direct: bool,
        uncounted: bool,
    ) -> Jobs:
        if not pairs:
            return set()
        pairs.sort()
        ids = [item_id for item_id, _ in pairs]
        await connection.execute(_LET_GO, {**self._names(), "ids": ids, "direct": direct})
        given = {"ids": ids, "fences": [fence for _, fence in pairs]}
        found = await _fetch(connection, RELEASE, **given, status=status, uncounted=int(uncounted))
        return {(row.organization_id, row.id) for row in found}

    async def _waiting(
        self, connection: AsyncConnection[Any], locked: Any, wanted: int
    ) -> tuple[list[Row], list[Row]]:
        variants = len(self.job.variants)
        again = await _fetch(connection, _GIVEN_BACK, **self._source(), limit=wanted)
        more = (wanted - len(again)) * variants
        last = min(locked.next_number + more - 1, locked.last_number)
        fresh: list[Any] = []
        if last >= locked.next_number:
            fresh = await _fetch(connection, _UNTAKEN, **self._source(), first=locked.next_number, last=last)
        return [_row(each) for each in again], [_row(each) for each in fresh]

    async def _take(
        self,
        connection: AsyncConnection[Any],
        again: list[Row],
        fresh: list[Row],
        claims: list[Claim],
        last: int | None,
    ) -> None:
        """Take the claimed rows; rows of other variants in between are written as waiting ones."""
        by_item = {claim.item_id: claim for claim in claims}
        known = {row.item_id for row in again}
        retaken = sorted((by_item[item] for item in known & by_item.keys()), key=_by_item)
        added = [row for row in fresh if last is None or row.number <= last]
        names = {**self._names(), "seconds": LEASE_SECONDS}
        if retaken:
            taken = {
                "ids": [claim.item_id for claim in retaken],
                "fences": [claim.fence for claim in retaken],
                "reserved": [claim.reserved for claim in retaken],
            }
            await connection.execute(_TAKE_ROWS, names | taken)
        if added:
            written = {
                "ids": [row.item_id for row in added],
                "numbers": [row.number for row in added],
                "ours": [row.item_id in by_item for row in added],
                "reserved": [
                    by_item[row.item_id].reserved if row.item_id in by_item else Decimal(0) for row in added
                ],
            }
            await connection.execute(_ADD_ROWS, names | written)
        money = sum((claim.reserved for claim in claims), Decimal(0))
        counted = {"rows": len(claims), "money": money, "added": len(added)}
        await connection.execute(_COUNT_TAKEN, names | counted)

    async def _ours(self, query: str, **which: Any) -> list[Claim]:
        async with self._transaction() as connection:
            found = await _fetch(connection, query, **self._source(), **which)
        return [self._held_claim(row) for row in found]

    def _affordable(self, rows: list[Row], money: Decimal | None, worst_case: WorstCase) -> list[Claim]:
        claims = []
        for row in rows:
            reserved = Decimal(0)
            if money is not None:
                reserved = worst_case(self.job, row)
                money -= reserved
                if money < 0:
                    break
            claims.append(self._claim(row, row.attempts + 1, row.fence + 1, reserved))
        return claims

    def _held_claim(self, found: Any) -> Claim:
        return self._claim(_row(found), found.attempts, found.fence, found.cost_reserved)

    def _claim(self, row: Row, attempts: int, fence: int, reserved: Decimal) -> Claim:
        return Claim(
            item_id=row.item_id,
            organization_id=self.job.organization_id,
            job_id=self.job.id,
            run_id=uuid7(),
            number=row.number,
            round=row.round,
            attempts=attempts,
            fence=fence,
            reserved=reserved,
            variables=row.variables,
            expected=row.expected,
            match_field=self.job.variants[row.variant].match_field,
            variant=row.variant,
            variants=len(self.job.variants),
            metadata=row.metadata,
        )

    def _names(self) -> dict[str, Any]:
        return {"organization": self.job.organization_id, "job": self.job.id, "batch": self.batch_id}

    def _source(self) -> dict[str, Any]:
        return {
            **self._names(),
            "dataset_version": self.job.dataset_version_id,
            "variants": len(self.job.variants),
            "variant": self.variant,
            "source_rows": self.job.source_rows,
        }

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self.pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            yield connection


async def _fetch(connection: AsyncConnection[Any], query: str, **parameters: Any) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


def _by_item(claim: Claim) -> UUID:
    return claim.item_id


def _row(found: Any) -> Row:
    told = found._asdict()
    del told["cost_reserved"]
    return Row(**told)
