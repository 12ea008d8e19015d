"""Quota without a commit for each run: a process leases a piece of a quota and spends it from memory.

The quota's row is the truth: `used + reserved` never passes `cap` whatever Redis, a crash or concurrency
do. A lease is given back when it is spent or unused for a second; one whose process died expires, and
what was recorded under it is counted from the ledger.
"""

import asyncio
import itertools
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from apps.billing import lease_sql, plans
from apps.core import ids
from apps.core.errors import QuotaExceeded, Unavailable
from apps.core.logs import get_logger
from apps.core.records import record
from apps.core.scope import SYSTEM_ROLE

LEASE_SECONDS: Final = 30.0
RENEW_SECONDS: Final = 10.0
SAFETY_SECONDS: Final = 5.0  # a lease is not spent from in its last seconds, for clocks and slow commits
IDLE_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.25
REFUSAL_SECONDS: Final = 0.2
SHARE: Final = 100  # a lease takes one hundredth of what is left
LARGE: Final = 40  # a lease of at least so many is followed by the next one before it is spent

_FAILURES = (psycopg.OperationalError, PoolTimeout)
logger = get_logger(__name__)


@record(frozen=True, slots=True)
class Reservation:
    """One run that may happen. `meter` and `lease_id` go into its usage row; None: the meter has no quota."""

    organization_id: UUID
    meter: str
    lease_id: UUID | None = None
    number: int = 0


@dataclass(eq=False, slots=True)
class _Lease:
    id: UUID
    quota_id: UUID
    period_end: datetime
    free: int
    amount: int = 0
    in_flight: set[int] = field(default_factory=set)
    touched: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)

    def spendable(self, now: datetime) -> bool:
        alive = time.monotonic() - self.renewed < LEASE_SECONDS - SAFETY_SECONDS
        return self.free > 0 and alive and now < self.period_end


@dataclass(eq=False, slots=True)
class _Shelf:
    """The leases that this process holds for one organization."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    leases: dict[UUID, _Lease] = field(default_factory=dict)
    refused_until: float = 0.0
    ahead: "asyncio.Task[None] | None" = None


class AllowanceBook:
    """Admits runs against the monthly quota. One for each process; `pool` connects as the application.

    Made for one event loop. Its housekeeping starts with the first run and ends with close().
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        holder: str = "",
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._holder = holder or f"{socket.gethostname()[:60]}:{os.getpid()}"
        self._shelves: dict[UUID, _Shelf] = {}
        self._numbers = itertools.count(1)
        self._housekeeping: asyncio.Task[None] | None = None

    async def take(self, organization_id: UUID, livemode: bool = True) -> Reservation:
        """Reserve one run. `livemode` False is a run that the sandbox answers, whichever key asked for it.

        Every reservation must be settled or released. Raises QuotaExceeded, which says when the quota
        starts anew, and Unavailable when Postgres can't be reached.
        """
        if not livemode or plans.plan_of(organization_id).quota(plans.RUNS) is None:
            return Reservation(organization_id, plans.meter_of(sandbox=not livemode))
        if self._housekeeping is None:
            self._housekeeping = asyncio.create_task(self._keep_house())
        shelf = self._shelves.get(organization_id)
        if shelf is None:
            shelf = self._shelves[organization_id] = _Shelf()
        reservation = self._spend(organization_id, shelf)
        if reservation is not None:
            return reservation
        async with shelf.lock:
            # Somebody ahead in the queue may have brought a lease for us as well.
            while (reservation := self._spend(organization_id, shelf)) is None:
                await self._refill(organization_id, shelf)
        return reservation

    def settle(self, reservation: Reservation) -> None:
        """The run was recorded (call it after the commit): its allowance is spent."""
        lease = self._lease_of(reservation)
        if lease is not None:
            lease.in_flight.discard(reservation.number)
            lease.touched = time.monotonic()

    def release(self, reservation: Reservation) -> None:
        """The run did not count: its allowance is free again. A second call does nothing."""
        lease = self._lease_of(reservation)
        if lease is not None and reservation.number in lease.in_flight:
            lease.in_flight.discard(reservation.number)
            lease.free += 1
            lease.touched = time.monotonic()

    async def close(self) -> None:
        """Give back all that is unused. No run may be in flight any more."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._housekeeping
            self._housekeeping = None
        ahead = [shelf.ahead for shelf in self._shelves.values() if shelf.ahead is not None]
        if ahead:
            await asyncio.wait(ahead)
        for organization_id, shelf in list(self._shelves.items()):
            with suppress(*_FAILURES):
                await self._close_leases(organization_id, shelf, list(shelf.leases.values()))

    def _lease_of(self, reservation: Reservation) -> _Lease | None:
        shelf = self._shelves.get(reservation.organization_id)
        return shelf.leases.get(reservation.lease_id) if shelf and reservation.lease_id else None

    def _spend(self, organization_id: UUID, shelf: _Shelf) -> Reservation | None:
        now = self._clock()
        lease = next((lease for lease in shelf.leases.values() if lease.spendable(now)), None)
        if lease is None:
            return None
        number = next(self._numbers)
        lease.free -= 1
        lease.in_flight.add(number)
        lease.touched = time.monotonic()
        if lease.amount >= LARGE and lease.free == lease.amount // 4 and shelf.ahead is None:
            shelf.ahead = asyncio.create_task(self._fetch_ahead(organization_id, shelf))
        return Reservation(organization_id, plans.RUNS, lease.id, number)

    async def _fetch_ahead(self, organization_id: UUID, shelf: _Shelf) -> None:
        """Bring the next lease while the last one is still being spent, so that no run waits for it.

        Only far from the cap: close to it, what one process holds in reserve another one would lack.
        """
        try:
            async with shelf.lock:
                await self._refill(organization_id, shelf)
        except (QuotaExceeded, Unavailable):
            # Whoever finds nothing to spend asks again, and is told.
            logger.info("allowance.nothing_ahead")
        finally:
            shelf.ahead = None

    async def _refill(self, organization_id: UUID, shelf: _Shelf) -> None:
        now = self._clock()
        if time.monotonic() < shelf.refused_until:
            raise _exceeded(organization_id, now)
        try:
            lease = await self._take_lease(organization_id, now)
        except _FAILURES as failure:
            message = "Usage can't be counted at the moment, so nothing is run."
            raise Unavailable(message, code="quota_unavailable", retry_after=1) from failure
        if lease is None:
            shelf.refused_until = time.monotonic() + REFUSAL_SECONDS
            raise _exceeded(organization_id, now)
        shelf.leases[lease.id] = lease

    async def _take_lease(self, organization_id: UUID, now: datetime) -> _Lease | None:
        key = {
            "organization_id": organization_id,
            "meter": plans.RUNS,
            "period_start": plans.period_start(now),
        }
        async with self._transaction() as connection:
            quota_id, room = await locked_quota(connection, organization_id, key)
            if room <= 0:
                return None
            amount = max(1, room // SHARE)
            lease_id = ids.uuid7()
            values = {
                **key,
                "id": lease_id,
                "quota_id": quota_id,
                "holder": self._holder,
                "amount": amount,
                "seconds": LEASE_SECONDS,
            }
            await connection.execute(lease_sql.TAKE_LEASE, values)
        return _Lease(lease_id, quota_id, plans.period_end(now), amount, amount)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._tidy()
            except _FAILURES as failure:
                logger.warning("allowance.housekeeping_failed", extra={"reason": str(failure)})

    async def _tidy(self) -> None:
        await self._renew()
        now = self._clock()
        for organization_id, shelf in list(self._shelves.items()):
            done = [lease for lease in shelf.leases.values() if _finished(lease, now)]
            if done:
                await self._close_leases(organization_id, shelf, done)
            for lease in list(shelf.leases.values()):
                if lease.free and lease.in_flight and _idle(lease):
                    await self._shrink(organization_id, lease)
            if not shelf.leases and not shelf.lock.locked() and shelf.ahead is None:
                del self._shelves[organization_id]

    async def _renew(self) -> None:
        due = {
            lease.id: lease
            for shelf in self._shelves.values()
            for lease in shelf.leases.values()
            if time.monotonic() - lease.renewed > RENEW_SECONDS
        }
        if not due:
            return
        asked = time.monotonic()
        async with self._transaction() as connection:
            values = {"leases": sorted(due), "seconds": LEASE_SECONDS}
            cursor = await connection.execute(lease_sql.RENEW_LEASES, values)
            for (lease_id,) in await cursor.fetchall():
                due[lease_id].renewed = asked

    async def _shrink(self, organization_id: UUID, lease: _Lease) -> None:
        amount, lease.free = lease.free, 0
        values = {
            "organization_id": organization_id,
            "quota_id": lease.quota_id,
            "lease_id": lease.id,
            "amount": amount,
        }
        async with self._transaction() as connection:
            await connection.execute(lease_sql.LOCK_QUOTA_BY_ID, values)
            await connection.execute(lease_sql.SHRINK_LEASE, values)

    async def _close_leases(self, organization_id: UUID, shelf: _Shelf, leases: list[_Lease]) -> None:
        for lease in leases:
            lease.free = 0
        for quota_id in sorted({lease.quota_id for lease in leases}):
            closing = sorted(lease.id for lease in leases if lease.quota_id == quota_id)
            async with self._transaction() as connection:
                await close_leases(connection, organization_id, quota_id, closing, expired=False)
            for lease_id in closing:
                del shelf.leases[lease_id]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            yield connection


async def locked_quota(
    connection: psycopg.AsyncConnection[Any], organization_id: UUID, key: dict[str, Any]
) -> tuple[UUID, int]:
    """The quota's row, locked, and the room in it; made first when the month has none yet."""
    cursor = await connection.execute(lease_sql.LOCK_QUOTA, key)
    found = await cursor.fetchone()
    if found is None:
        cap = plans.plan_of(organization_id).quota(plans.RUNS)
        await connection.execute(lease_sql.CREATE_QUOTA, {**key, "id": ids.uuid7(), "cap": cap})
        cursor = await connection.execute(lease_sql.LOCK_QUOTA, key)
        found = await cursor.fetchone()
        assert found is not None
    quota_id, room = found
    if room > 0:
        return quota_id, room
    values = {"organization_id": organization_id, "quota_id": quota_id}
    expired = await (await connection.execute(lease_sql.EXPIRED_LEASES_OF_QUOTA, values)).fetchall()
    if expired:
        await close_leases(connection, organization_id, quota_id, [row[0] for row in expired], expired=True)
        found = await (await connection.execute(lease_sql.LOCK_QUOTA, key)).fetchone()
        assert found is not None
    return found[0], found[1]


async def close_leases(
    connection: psycopg.AsyncConnection[Any],
    organization_id: UUID,
    quota_id: UUID,
    leases: list[UUID],
    *,
    expired: bool,
) -> None:
    values = {
        "organization_id": organization_id,
        "quota_id": quota_id,
        "meter": plans.RUNS,
        "leases": leases,
        "floor": lease_sql.event_floor(leases),
        "expired": expired,
    }
    await connection.execute(lease_sql.LOCK_QUOTA_BY_ID, values)
    await connection.execute(lease_sql.CLOSE_LEASES, values)


def _idle(lease: _Lease) -> bool:
    return time.monotonic() - lease.touched > IDLE_SECONDS


def _finished(lease: _Lease, now: datetime) -> bool:
    """Nothing in flight, and nothing left to spend or nobody who spends it."""
    return not lease.in_flight and (not lease.spendable(now) or _idle(lease))


def _exceeded(organization_id: UUID, now: datetime) -> QuotaExceeded:
    plan = plans.plan_of(organization_id)
    resets_at = plans.period_end(now)
    return QuotaExceeded(
        f"The {plan.quota(plans.RUNS):,} runs of this month are used up. "
        f"Runs are possible again from {resets_at:%-d %B %Y}, 00:00 UTC. Sandbox models are not limited.",
        retry_after=(resets_at - now).total_seconds(),
        resets_at=resets_at.isoformat().replace("+00:00", "Z"),
    )
