"""Leases on background runs: claiming, keeping, giving back. Raw SQL on the async pool, as the system role.

A pump works for every organization in turn, so it can't open one organization's scope.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from apps.core import ids
from apps.core.scope import SYSTEM_ROLE
from apps.runs.background import events
from apps.runs.models import BackgroundStatus
from apps.runs.types import RunError, RunRecord


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out one run, for as long as `fence` is the row's. `attempts` counts this claim."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    api_key_id: UUID
    livemode: bool
    fence: int
    attempts: int
    sealed_request: bytes


# The waiting organizations are found by jumping along the index; each then offers its oldest runs, and those
# go first whose organization has the fewest under way.
_CLAIM: Final = """
WITH RECURSIVE waiting AS (
    (SELECT organization_id FROM runs_backgroundrun WHERE status = 'queued' ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (SELECT run.organization_id FROM runs_backgroundrun AS run
            WHERE run.status = 'queued' AND run.organization_id > waiting.organization_id
            ORDER BY run.organization_id LIMIT 1)
    FROM waiting WHERE waiting.organization_id IS NOT NULL
), busy AS (
    SELECT organization_id, count(*) AS runs FROM runs_backgroundrun WHERE status = 'running' GROUP BY 1
), ranked AS (
    SELECT oldest.id, coalesce(busy.runs, 0)
        + row_number() OVER (PARTITION BY waiting.organization_id ORDER BY oldest.id) AS place
    FROM waiting LEFT JOIN busy ON busy.organization_id = waiting.organization_id CROSS JOIN LATERAL (
        SELECT run.id FROM runs_backgroundrun AS run
        WHERE run.organization_id = waiting.organization_id AND run.status = 'queued'
        ORDER BY run.id LIMIT %(limit)s
    ) AS oldest
), chosen AS (
    SELECT run.id FROM runs_backgroundrun AS run
    WHERE run.id IN (SELECT id FROM ranked ORDER BY place, id LIMIT %(limit)s) AND run.status = 'queued'
      AND run.cancel_requested_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE runs_backgroundrun AS run
SET status = 'running', fence = run.fence + 1, attempts = run.attempts + 1, lease_owner = %(owner)s,
    lease_expires_at = now() + make_interval(secs => %(seconds)s), started_at = coalesce(started_at, now())
FROM chosen WHERE run.id = chosen.id
RETURNING run.id, run.organization_id, run.project_id, run.api_key_id, run.livemode, run.fence,
          run.attempts, run.sealed_request
"""

_KEEP: Final = """
UPDATE runs_backgroundrun AS run SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
FROM unnest(%(ids)s::uuid[], %(fences)s::integer[]) AS input(id, fence)
WHERE run.id = input.id AND run.fence = input.fence AND run.status = 'running'
RETURNING run.id
"""

# A run that somebody asked to cancel meanwhile has ended: it was broken off before any answer came.
_RELEASE: Final = """
WITH back AS (
    UPDATE runs_backgroundrun AS run
    SET status = CASE WHEN run.cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
        finished_at = CASE WHEN run.cancel_requested_at IS NOT NULL THEN clock_timestamp() END,
        sealed_request = CASE WHEN run.cancel_requested_at IS NULL THEN run.sealed_request END,
        fence = run.fence + 1, attempts = run.attempts - %(unspent)s,
        lease_owner = NULL, lease_expires_at = NULL
    FROM unnest(%(ids)s::uuid[], %(fences)s::integer[], %(payloads)s::jsonb[], %(message_ids)s::uuid[])
        AS input(id, fence, payload, message_id)
    WHERE run.id = input.id AND run.fence = input.fence AND run.status = 'running'
    RETURNING run.organization_id, run.status, input.payload, input.message_id
)
INSERT INTO core_outboxmessage (id, organization_id, topic, payload, created_at, due_at, attempts, last_error)
SELECT message_id, organization_id, 'run.cancelled', payload, now(), now(), 0, ''
FROM back WHERE status = 'cancelled'
"""

_CANCELLED: Final = """
SELECT id FROM runs_backgroundrun WHERE id = ANY(%(ids)s) AND cancel_requested_at IS NOT NULL
"""

# `recorded` is whether a run tells the end. One that was broken off counts only where somebody asked for it.
_END: Final = """
WITH input AS (
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(fences)s::integer[], %(statuses)s::text[], %(codes)s::text[], %(types)s::text[],
        %(messages)s::text[], %(topics)s::text[], %(payloads)s::jsonb[], %(message_ids)s::uuid[]
    ) AS input(id, fence, status, code, type, message, topic, payload, message_id)
), ended AS (
    UPDATE runs_backgroundrun AS run
    SET status = input.status, recorded = %(recorded)s, sealed_request = NULL, lease_owner = NULL,
        lease_expires_at = NULL, error_code = input.code, error_type = input.type,
        error_message = input.message, finished_at = clock_timestamp()
    FROM input
    WHERE run.id = input.id AND run.fence = input.fence AND run.status = 'running'
      AND (input.status <> 'cancelled' OR run.cancel_requested_at IS NOT NULL)
    RETURNING run.id, run.organization_id, input.topic, input.payload, input.message_id
), told AS (
    INSERT INTO core_outboxmessage
        (id, organization_id, topic, payload, created_at, due_at, attempts, last_error)
    SELECT message_id, organization_id, topic, payload, now(), now(), 0, '' FROM ended
)
SELECT id FROM ended
"""

_START: Final = """
UPDATE runs_backgroundpump
SET started_at = now(), expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(pump)s AND started_at IS NULL RETURNING slots
"""

# The beat also tells whether a younger pump has begun, which may take over.
_BEAT: Final = """
WITH beaten AS (
    UPDATE runs_backgroundpump
    SET expires_at = now() + make_interval(secs => %(seconds)s), slots = %(slots)s
    WHERE id = %(pump)s RETURNING started_at
)
SELECT EXISTS (SELECT FROM runs_backgroundpump AS other, beaten
    WHERE other.id <> %(pump)s AND other.started_at > beaten.started_at AND other.slots > 0
      AND other.expires_at > now())
"""


@dataclass(frozen=True, slots=True)
class End:
    """How a claimed run ended."""

    claim: Claim
    status: str
    error: RunError | None = None


class LeaseStore:
    """The runs and pumps as one pump sees them. `seconds` is how long a lease or a beat lasts."""

    def __init__(self, pool: AsyncConnectionPool[Any], owner: UUID, seconds: float) -> None:
        self._pool = pool
        self._owner = owner
        self.seconds = seconds

    async def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` waiting runs, fairly between organizations."""
        asked = {"limit": limit, "owner": self._owner, "seconds": self.seconds}
        async with (
            self._transaction() as connection,
            connection.cursor(row_factory=class_row(Claim)) as cursor,
        ):
            await cursor.execute(_CLAIM, asked)
            return await cursor.fetchall()

    async def keep(self, claims: Iterable[Claim]) -> set[UUID]:
        """Prolong the leases; returns the runs that are still ours."""
        return {row[0] for row in await self._rows(_KEEP, {"seconds": self.seconds, **_keys(claims)})}

    async def release(self, claims: Sequence[Claim], *, unspent: bool) -> None:
        """Let others carry the runs out; `unspent` claims don't count as attempts."""
        async with self._transaction() as connection:
            ordered = sorted(claims, key=lambda claim: claim.id)
            told = {
                **_keys(ordered),
                "unspent": int(unspent),
                "payloads": [_payload(claim) for claim in ordered],
                "message_ids": [ids.uuid7() for _ in ordered],
            }
            await connection.execute(_RELEASE, told)

    async def refuse(self, claim: Claim, error: RunError) -> bool:
        """End a run that never became one; False where its fence was lost."""
        async with self._transaction() as connection:
            return bool(await end(connection, [End(claim, "failed", error)], recorded=False))

    async def cancelled(self, run_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the runs that somebody asked to cancel."""
        return {row[0] for row in await self._rows(_CANCELLED, {"ids": list(run_ids)})}

    async def start(self) -> int | None:
        """Turn the ring into a running pump; returns its slots, None if the ring has been swept away."""
        rows = await self._rows(_START, {"pump": self._owner, "seconds": self.seconds})
        return int(rows[0][0]) if rows else None

    async def beat(self, slots: int) -> bool:
        """Say that the pump lives; returns whether a younger one works as well."""
        rows = await self._rows(_BEAT, {"pump": self._owner, "seconds": self.seconds, "slots": slots})
        return bool(rows[0][0])

    async def end_pump(self) -> None:
        """Forget the pump."""
        async with self._transaction() as connection:
            await connection.execute("DELETE FROM runs_backgroundpump WHERE id = %s", [self._owner])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            yield connection

    async def _rows(self, statement: str, parameters: dict[str, Any]) -> list[Any]:
        async with self._transaction() as connection:
            return await (await connection.execute(statement, parameters)).fetchall()


async def end(connection: AsyncConnection[Any], ends: Sequence[End], *, recorded: bool) -> set[UUID]:
    """End the runs whose fence holds, and tell the outbox; returns their ids."""
    ordered = sorted(ends, key=lambda each: each.claim.id)
    errors = [each.error for each in ordered]
    told = {
        **_keys(each.claim for each in ordered),
        "recorded": recorded,
        "statuses": [each.status for each in ordered],
        "codes": [error.code[:64] if error else "" for error in errors],
        "types": [error.type[:64] if error else "" for error in errors],
        "messages": [error.message[:500] if error else "" for error in errors],
        "topics": [events.TOPICS[BackgroundStatus(each.status)] for each in ordered],
        "payloads": [_payload(each.claim) for each in ordered],
        "message_ids": [ids.uuid7() for _ in ordered],
    }
    return {row[0] for row in await (await connection.execute(_END, told)).fetchall()}


class BackgroundCompanion:
    """Ends background runs in the transaction that writes their record and their usage.

    `claims` are those that the pump holds. A run whose fence is lost is dropped, and one that was broken off
    without anybody asking for it: another holder carries it out, and is charged for, once.
    """

    def __init__(self, claims: dict[UUID, Claim]) -> None:
        self._claims = claims

    def concerns(self, record: RunRecord) -> bool:
        """See RecordCompanion.concerns."""
        return record.request.background

    async def write(self, connection: Any, records: Sequence[RunRecord]) -> set[UUID]:
        """See RecordCompanion.write."""
        ends = [
            End(self._claims[record.request.run_id], record.result.status)
            for record in records
            if record.request.run_id in self._claims
        ]
        return await end(connection, ends, recorded=True) if ends else set()


def _keys(claims: Iterable[Claim]) -> dict[str, list[Any]]:
    ordered = sorted(claims, key=lambda claim: claim.id)
    return {"ids": [claim.id for claim in ordered], "fences": [claim.fence for claim in ordered]}


def _payload(claim: Claim) -> str:
    return orjson.dumps(events.payload(claim.id, claim.project_id)).decode()
