"""The pump: one process's share of all background runs.

It keeps its slots filled from whoever has the fewest runs under way and holds a lease on each. After a minute
it rings a successor and hands over as soon as that one works; where no other worker is free it goes on, so
that nobody waits behind another's long call.

What no design can promise is one call to the provider a run: a process that is killed between the answer and
the commit loses the answer, and the run is called again. It is recorded and charged once all the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import psycopg
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout

from apps.core import ids
from apps.core.errors import PromptsaasError, QuotaExceeded
from apps.core.logs import get_logger
from apps.runs.background.leases import Claim, LeaseStore
from apps.runs.types import RunError, RunRequest, RunResult

logger = get_logger(__name__)

MOST_ATTEMPTS: Final = 5
"""A run that was claimed this often without a result is given up: it may be what kills the process."""

GIVEN_UP: Final = RunError(
    code="given_up", type="api_error", message="The run was tried too often without an answer."
)
NOT_STORABLE: Final = RunError(
    code="result_not_storable", type="api_error", message="The answer could not be stored."
)
DATABASE_AWAY: Final = (psycopg.OperationalError, PoolTimeout)
WAIT_AND_SEE: Final = frozenset({429, 503})
RECORDING_FAILED: Final = "recording_failed"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. A pump hands over after `turn` if it can and after `longest` in any case; `drain` is the end
    of its calls then, `shutdown` the end of the process, `pause` how long a run waits that was refused for
    the moment."""

    turn: float = 60.0
    longest: float = 900.0
    drain: float = 420.0
    shutdown: float = 8.0
    idle: float = 10.0
    look: float = 0.25
    watch: float = 0.5
    pause: float = 1.0


@dataclass(slots=True)
class Held:
    """A run in work."""

    claim: Claim
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Pump:
    """One run of a pump. `claims` is shared with the recorder's companion; `ring` asks for a successor."""

    store: LeaseStore
    execute: Callable[[RunRequest], Awaitable[RunResult]]
    prepare: Callable[[Claim], Awaitable[RunRequest]]
    ring: Callable[[], Awaitable[None]]
    claims: dict[UUID, Claim]
    times: Times = field(default_factory=Times)
    slots: int = 0
    stopping: bool = False
    relieved: bool = False
    completed: int = 0
    _held: dict[UUID, Held] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Work until nothing is left or another takes over. Does nothing if the ring was swept away."""
        slots = await self.store.start()
        if slots is None:
            return
        self.slots = slots
        watcher = asyncio.create_task(self._watch_forever())
        try:
            await self._fill()
            self.slots = 0
            await self._hand_over()
            await self._drain()
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            await self.store.end_pump()

    def stop(self) -> None:
        """Claim nothing more, hand over, and end within `times.shutdown`."""
        self.stopping = True
        self._wake.set()

    async def _fill(self) -> None:
        started_at = rung_at = busy_at = time.monotonic()
        while not self.stopping and (now := time.monotonic()) < started_at + self.times.longest:
            claimed = await self._refill_safely()
            if claimed or self._held:
                busy_at = now
            elif now - busy_at >= self.times.idle:
                return
            if now - started_at >= self.times.turn:
                if self.relieved:
                    return
                if now - rung_at >= self.times.turn:
                    rung_at = now
                    await self._ring_safely()
            await self._sleep(self.times.look)

    async def _hand_over(self) -> None:
        with suppress(*DATABASE_AWAY):
            await self.store.beat(0)
        await self._ring_safely()

    async def _ring_safely(self) -> None:
        """Ask for a successor; without a database nobody comes, and the runs in work go on."""
        try:
            await self.ring()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("background.ring_failed", extra={"error": str(error)})

    async def _sleep(self, seconds: float) -> None:
        """Until a slot is free, at most `seconds`; a breath more lets a group of slots come together."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            await asyncio.sleep(0.002)

    async def _refill_safely(self) -> int:
        free = self.slots - len(self._held)
        if free <= 0:
            return 0
        try:
            claims = await self.store.claim(free)
        except DATABASE_AWAY as error:
            logger.warning("background.refill_failed", extra={"error": str(error)})
            await asyncio.sleep(self.times.look)
            return 0
        for claim in claims:
            self._start(claim)
        return len(claims)

    def _start(self, claim: Claim) -> None:
        held = Held(claim)
        self._held[claim.id] = held
        self.claims[claim.id] = claim
        held.task = asyncio.create_task(self._work(claim))
        held.task.add_done_callback(lambda task: self._let_go(claim, task))

    def _let_go(self, claim: Claim, task: "asyncio.Task[None]") -> None:
        self._held.pop(claim.id, None)
        self.claims.pop(claim.id, None)
        if not task.cancelled() and (error := task.exception()):
            # The lease runs out and the run is taken again.
            logger.error("background.run_left", extra={"run_id": ids.encode("run", claim.id)}, exc_info=error)
        self._wake.set()

    async def _work(self, claim: Claim) -> None:
        if claim.attempts > MOST_ATTEMPTS:
            await self.store.refuse(claim, GIVEN_UP)
            return
        try:
            result = await self.execute(await self.prepare(claim))
        except PromptsaasError as refusal:
            if refusal.status in WAIT_AND_SEE and not isinstance(refusal, QuotaExceeded):
                # An answer that could not be recorded was paid for: that must not go on for ever.
                await self._put_back(claim, unspent=refusal.code != RECORDING_FAILED)
            else:
                await self.store.refuse(claim, _error(refusal))
        except psycopg.Error:
            logger.exception("background.result_refused", extra={"run_id": ids.encode("run", claim.id)})
            await self.store.refuse(claim, NOT_STORABLE)
        else:
            self.completed += result.recorded

    async def _put_back(self, claim: Claim, *, unspent: bool) -> None:
        """A limit, or something of ours that is away: the run waits a second, then anybody may take it."""
        await asyncio.sleep(self.times.pause)
        await self.store.release([claim], unspent=unspent)

    async def _drain(self) -> None:
        until = time.monotonic() + self.times.drain
        while self._held and time.monotonic() < until:
            if self.stopping:
                until = min(until, time.monotonic() + self.times.shutdown)
                self.stopping = False
            await self._sleep(self.times.look)
        await self._break_off(list(self._held.values()))

    async def _break_off(self, held: list[Held]) -> None:
        """Cancel calls and give their runs back; what was recorded in the meantime stays."""
        tasks = [each.task for each in held if each.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
            await self.store.release([each.claim for each in held], unspent=False)

    async def _watch_forever(self) -> None:
        beaten_at = time.monotonic()
        while True:
            await asyncio.sleep(min(self.times.watch, self.store.seconds / 5))
            try:
                await self._watch_cancels()
                if time.monotonic() - beaten_at >= self.store.seconds / 3:
                    beaten_at = time.monotonic()
                    self.relieved = await self.store.beat(self.slots)
                    await self._keep_leases()
            except Exception:
                # Whatever it was, the leases must be kept at the next turn.
                logger.exception("background.watch_failed")

    async def _watch_cancels(self) -> None:
        if self._held:
            wanted = await self.store.cancelled(self._held)
            await self._break_off([held for run_id, held in self._held.items() if run_id in wanted])

    async def _keep_leases(self) -> None:
        """Prolong the leases; a call whose run was taken away is broken off."""
        held = list(self._held.values())
        ours = await self.store.keep(each.claim for each in held) if held else set()
        for each in held:
            if each.claim.id not in ours and each.task is not None:
                each.task.cancel()


def _error(refusal: PromptsaasError) -> RunError:
    return RunError(refusal.code, refusal.type, refusal.message, refusal.status)
