"""Idempotency-Key for runs: one call however often the same request is sent within 24 hours.

A key is claimed before the call (so concurrent twins make one call), completed in the transaction that
records the run, and then names the run, from which the answer is rebuilt. What got no answer gives its
key back: sending it again may succeed. A claim is a lease that its process renews: a killed one blocks its
key for at most twenty seconds. Should a lease pass on while its run still goes, that run is not recorded.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from apps.core import ids
from apps.core.errors import Conflict, IdempotencyMismatch
from apps.core.logs import get_logger
from apps.core.scope import SYSTEM_ROLE
from apps.runs.types import RunRecord

logger = get_logger(__name__)

KEEP_HOURS: Final = 24
LONGEST_KEY: Final = 255
LEASE_SECONDS: Final = 20.0
RENEW_SECONDS: Final = 5.0

_CLAIM: Final = """
INSERT INTO core_idempotencykey AS stored
    (id, organization_id, owner, key, fingerprint, reference, created_at, expires_at)
VALUES (%(id)s, %(organization_id)s, %(owner)s, %(key)s, %(fingerprint)s, %(reference)s, now(),
        now() + make_interval(secs => %(seconds)s))
ON CONFLICT (organization_id, owner, key) DO UPDATE SET
    id = excluded.id, fingerprint = excluded.fingerprint, reference = excluded.reference,
    status = NULL, sealed_body = NULL, created_at = now(), expires_at = excluded.expires_at
WHERE stored.expires_at <= now()
RETURNING id
"""
_FIND: Final = """
SELECT fingerprint, status, reference FROM core_idempotencykey
WHERE organization_id = %(organization_id)s AND owner = %(owner)s AND key = %(key)s
"""
_COMPLETE: Final = f"""
UPDATE core_idempotencykey stored
SET status = 200, expires_at = now() + interval '{KEEP_HOURS} hours'
FROM unnest(%s::uuid[], %s::text[]) AS claimed(id, reference)
WHERE stored.id = claimed.id AND stored.reference = claimed.reference
RETURNING stored.reference
"""
_RENEW: Final = """
UPDATE core_idempotencykey SET expires_at = now() + make_interval(secs => %s)
WHERE id = ANY(%s::uuid[]) AND status IS NULL
RETURNING id
"""
_RELEASE: Final = "DELETE FROM core_idempotencykey WHERE id = ANY(%s::uuid[]) AND status IS NULL"


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that carried an Idempotency-Key; `fingerprint` is the SHA-256 of what must be the same."""

    organization_id: UUID
    project_id: UUID
    key: str
    fingerprint: bytes
    livemode: bool = True

    @property
    def owner(self) -> str:
        """Within whom the key is unique: the project's runs; a test key is given no live answer."""
        return f"runs:{self.project_id}" if self.livemode else f"test-runs:{self.project_id}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key is ours: make the call, and record it with this claim."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Replay:
    """The call was made before: answer from this run."""

    run_id: UUID


class RunKeys:
    """Claims, renews and releases keys on the raw async pool; for one event loop."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._held: set[UUID] = set()
        self._renewing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop renewing; what is still held ends by itself."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    async def claim(self, request: KeyedRequest, *, run_id: UUID, seconds: float) -> Claimed | Replay:
        """Claim the key until its run ends; while a twin holds it, wait at most `seconds` for the twin's run.

        Raises IdempotencyMismatch for another request under the key, Conflict if the twin takes too long.
        """
        until = time.monotonic() + seconds
        pause = 0.05
        while True:
            found = await self._claim_once(request, run_id)
            if isinstance(found, Claimed):
                self._hold(found)
            if found is not None:
                return found
            if time.monotonic() + pause > until:
                raise Conflict(
                    "A request with this Idempotency-Key is still running.",
                    code="idempotency_key_in_use",
                    retry_after=1,
                )
            await asyncio.sleep(pause)
            pause = min(0.5, pause * 1.5)

    async def release(self, claim: Claimed) -> None:
        """Give an unused claim back: the request was refused before any call."""
        self._held.discard(claim.id)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            await connection.execute(_RELEASE, [[claim.id]])

    def _hold(self, claim: Claimed) -> None:
        self._held.add(claim.id)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_while_held())

    async def _renew_while_held(self) -> None:
        while self._held:
            await asyncio.sleep(RENEW_SECONDS)
            asked = sorted(self._held)
            try:
                # Those whose runs were recorded meanwhile are not ours any more.
                self._held -= set(asked) - await self._renew(asked)
            except (psycopg.Error, PoolTimeout) as error:
                logger.warning("runs.claims_not_renewed", extra={"error": str(error)})

    async def _renew(self, claims: list[UUID]) -> set[UUID]:
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            found = await connection.execute(_RENEW, [LEASE_SECONDS, claims])
            return {claim for (claim,) in await found.fetchall()}

    async def _claim_once(self, request: KeyedRequest, run_id: UUID) -> Claimed | Replay | None:
        values = {
            "id": ids.uuid7(),
            "organization_id": request.organization_id,
            "owner": request.owner,
            "key": request.key,
            "fingerprint": request.fingerprint,
            "reference": str(run_id),
            "seconds": LEASE_SECONDS,
        }
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            claimed = await (await connection.execute(_CLAIM, values)).fetchone()
            if claimed is not None:
                return Claimed(claimed[0])
            row = await (await connection.execute(_FIND, values)).fetchone()
        return _found(request, row)


def _found(request: KeyedRequest, row: tuple[bytes, int | None, str] | None) -> Replay | None:
    if row is None:
        return None
    fingerprint, status, reference = row
    if bytes(fingerprint) != request.fingerprint:
        raise IdempotencyMismatch("This Idempotency-Key was used with another request.")
    return Replay(UUID(reference)) if status is not None else None


class ClaimCompanion:
    """Completes the claims of recorded runs; a run whose claim has passed to another is dropped."""

    def concerns(self, record: RunRecord) -> bool:
        """See RecordCompanion.concerns."""
        return record.request.claim is not None

    async def write(self, connection: Any, records: Sequence[RunRecord]) -> set[UUID]:
        """See RecordCompanion.write."""
        kept = {record.request.run_id for record in records if record.request.claim is None}
        claimed = [record for record in records if record.request.claim is not None]
        answered = [record for record in claimed if record.answered]
        unanswered = [record for record in claimed if not record.answered]
        if unanswered:
            await connection.execute(_RELEASE, [sorted(_claims(unanswered))])
            kept |= {record.request.run_id for record in unanswered}
        if answered:
            answered.sort(key=lambda record: str(record.request.claim))
            references = [str(record.request.run_id) for record in answered]
            rows = await connection.execute(_COMPLETE, [_claims(answered), references])
            kept |= {UUID(reference) for (reference,) in await rows.fetchall()}
        return kept


def _claims(records: list[RunRecord]) -> list[UUID]:
    return [record.request.claim for record in records if record.request.claim is not None]
