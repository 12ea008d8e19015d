"""The pump: one process's share of all batches.

It keeps its slots filled from whoever has the fewest calls in flight, holds a lease on every row that it
works on, and after a minute hands over to a successor, so that nobody waits behind another's long job.

What no design can promise is one call to the provider a row: a process that is killed between the answer and
the commit loses the answer, and the row is called again (at most `slots` rows a kill). It is recorded and
charged once all the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Call, Outcome
from apps.batches.fairness import Waiting, share
from apps.batches.leases import LeaseStore, WorstCase
from apps.batches.shapes import Shape
from apps.core.errors import PromptsaasError, QuotaExceeded
from apps.core.logs import get_logger
from apps.runs.types import RunRequest, RunResult

logger = get_logger(__name__)

MOST_ATTEMPTS: Final = 10
"""A row that was claimed this often without a result is given up: it may be what kills the process."""

DATABASE_AWAY: Final = (psycopg.OperationalError, PoolTimeout)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. `stop_grace` is how long calls of a stopped job may still finish, `drain` the end of a pump's
    minute, `shutdown` the end of the process."""

    run: float = 60.0
    drain: float = 75.0
    shutdown: float = 8.0
    stop_grace: float = 3.0
    idle: float = 1.0
    look: float = 0.25
    watch: float = 1.0


@dataclass(slots=True)
class Held:
    """Rows that are worked on together: one, or those that share a call."""

    claims: tuple[Claim, ...]
    job: JobFacts
    kept_at: float
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Pump:
    """One run of a pump. `calls` is shared with the recorder's companion; `over` is what it reports back.

    `shape_of` says how a job's rows become calls; `finish(organization, job)` ends a job whose last row is
    through; `ring` asks for a successor.
    """

    store: LeaseStore
    execute: Callable[[RunRequest, Call], Awaitable[RunResult]]
    prepare: Callable[[JobFacts], Awaitable[None]]
    worst_case: WorstCase
    finish: Callable[[UUID, UUID], Awaitable[None]]
    ring: Callable[[], Awaitable[None]]
    shape_of: Callable[[JobFacts], Shape]
    calls: dict[UUID, Call]
    over: set[tuple[UUID, UUID]]
    times: Times = field(default_factory=Times)
    slots: int = 0
    stopping: bool = False
    refused: int = 0
    _held: dict[int, Held] = field(default_factory=dict)
    _jobs: dict[UUID, JobFacts] = field(default_factory=dict)
    _stopped_at: dict[UUID, float] = field(default_factory=dict)
    _background: set["asyncio.Task[None]"] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Work until the minute is over or nothing is left. Does nothing if the ring was swept away."""
        slots = await self.store.start_pump()
        if slots is None:
            return
        self.slots = slots
        watcher = asyncio.create_task(self._watch_forever())
        try:
            await self._fill()
            self.slots = 0
            await self.store.beat(0)
            await self.ring()
            await self._drain(self.times.shutdown if self.stopping else self.times.drain)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            await self.store.end_pump()

    def stop(self) -> None:
        """Claim nothing more, hand over, and end within `times.shutdown`."""
        self.stopping = True
        self._wake.set()

    async def _fill(self) -> None:
        deadline = time.monotonic() + self.times.run
        busy_until = time.monotonic() + self.times.idle
        while not self.stopping and (now := time.monotonic()) < deadline:
            claimed = await self._refill_safely()
            self._finish_over()
            if claimed or self._held:
                busy_until = now + self.times.idle
            elif now > busy_until:
                return
            await self._sleep(self.times.look)

    async def _sleep(self, seconds: float) -> None:
        """Until a slot is free, at most `seconds`; a breath more lets a group of slots come together."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            await asyncio.sleep(0.002)

    async def _refill_safely(self) -> int:
        try:
            return await self._refill()
        except DATABASE_AWAY as error:
            logger.warning("batches.refill_failed", extra={"error": str(error)})
            await asyncio.sleep(self.times.look)
            return 0

    async def _refill(self) -> int:
        free = self.slots - len(self._held)
        if free <= 0:
            return 0
        jobs = {job.id: job for job in await self.store.open_jobs()}
        claimed = 0
        for job_id, wanted in share(jobs.values(), free).items():
            claimed += await self._claim(jobs[job_id], wanted)
        return claimed

    async def _claim(self, job: Waiting, wanted: int) -> int:
        facts = self._jobs.get(job.id) or await self.store.job_facts(job)
        if facts is None:
            return 0
        self._jobs[job.id] = facts
        await self.prepare(facts)
        claimed = await self.store.claim(facts, wanted * job.rows_per_call, self.worst_case)
        if claimed.cap_reached and not job.running:
            self.over.add((facts.organization_id, facts.id))
        for claims in self.shape_of(facts).group(claimed.claims):
            self._start(facts, claims)
        return len(claimed.claims)

    def _start(self, job: JobFacts, claims: tuple[Claim, ...]) -> None:
        held = Held(claims, job, kept_at=time.monotonic())
        self._held[id(held)] = held
        held.task = asyncio.create_task(self._work(held))
        held.task.add_done_callback(lambda task: self._let_go(held, task))

    def _let_go(self, held: Held, task: "asyncio.Task[None]") -> None:
        self._held.pop(id(held), None)
        if not task.cancelled() and (error := task.exception()):
            # The lease runs out and the rows are taken again.
            logger.error("batches.row_left", extra=_told(held), exc_info=error)
        self._wake.set()

    async def _work(self, held: Held) -> None:
        if max(claim.attempts for claim in held.claims) > MOST_ATTEMPTS:
            return await self._refuse(held, "given_up", "The row was tried too often without an answer.")
        try:
            unanswered = await self.shape_of(held.job).work(held.claims, _Hands(self))
        except QuotaExceeded:
            return await self._stop_for_quota(held)
        except PromptsaasError as refusal:
            if refusal.status == 503:
                return await self._put_back(held, uncounted=refusal.code == "rate_limit_exceeded")
            return await self._refuse(held, refusal.code, refusal.message)
        except psycopg.Error:
            logger.exception("batches.result_refused", extra=_told(held))
            return await self._refuse(held, "result_not_storable", "The answer could not be stored.")
        if unanswered:
            self.over |= set(await self.store.release(unanswered, "pending"))
        return None

    async def _refuse(self, held: Held, code: str, message: str) -> None:
        await self.end_rows(
            [Outcome(claim, "failed", error_code=code, error_message=message) for claim in held.claims]
        )

    async def end_rows(self, outcomes: Sequence[Outcome]) -> None:
        """End rows that no run answers."""
        completed = await self.store.refuse(outcomes)
        self.over |= {(row.organization_id, row.job_id) for row in completed if row.over}
        self.refused += len(completed)

    async def _stop_for_quota(self, held: Held) -> None:
        """No further row of the job can run this month: stop it, rather than fail thousands one by one."""
        await self.store.stop_job(held.job, "quota")
        self.over |= set(await self.store.release(held.claims, "cancelled"))

    async def _put_back(self, held: Held, *, uncounted: bool) -> None:
        """Something of ours is away for a moment: the row waits a second, then anybody may take it.

        A row that a limit held back was not attempted: however long it takes, it does not fail for that.
        """
        await asyncio.sleep(self.times.watch)
        self.over |= set(await self.store.release(held.claims, "pending", uncounted=uncounted))

    def _finish_over(self) -> None:
        """End jobs in the background: their last transaction must not hold up anybody else's rows."""
        while self.over:
            task = asyncio.create_task(self._finish_one(*self.over.pop()))
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _finish_one(self, organization_id: UUID, job_id: UUID) -> None:
        try:
            await self.finish(organization_id, job_id)
        except Exception:
            # The sweeper finishes it a few seconds later.
            logger.exception("batches.finish_failed", extra={"batch": str(job_id)})

    async def _drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._held and time.monotonic() < deadline:
            await self._sleep(self.times.look)
            self._finish_over()
            if self.stopping:
                deadline = min(deadline, time.monotonic() + self.times.shutdown)
        await self._break_off(list(self._held.values()), "pending")
        self._finish_over()
        if self._background:
            await asyncio.wait(self._background, timeout=seconds)

    async def _break_off(self, held: list[Held], status: Literal["pending", "cancelled"]) -> None:
        """Cancel calls and give their rows back; what was recorded in the meantime stays."""
        tasks = [row.task for row in held if row.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
            claims = [claim for rows in held for claim in rows.claims]
            self.over |= set(await self.store.release(claims, status))

    async def _watch_forever(self) -> None:
        beaten_at = time.monotonic()
        while True:
            await asyncio.sleep(min(self.times.watch, self.store.seconds / 5))
            try:
                await self._watch_stops()
                if time.monotonic() - beaten_at >= self.store.seconds / 3:
                    beaten_at = time.monotonic()
                    await self.store.beat(self.slots)
                    await self._keep_leases()
            except Exception:
                logger.exception("batches.watch_failed")

    async def _watch_stops(self) -> None:
        """Calls of a stopped job get a few seconds to finish, then they are broken off."""
        jobs = {held.job.id for held in self._held.values()}
        if not jobs:
            return
        now = time.monotonic()
        stopped = await self.store.stopped_jobs(jobs)
        self._stopped_at = {job_id: self._stopped_at.get(job_id, now) for job_id in stopped}
        overdue = {job for job, since in self._stopped_at.items() if now - since >= self.times.stop_grace}
        await self._break_off([held for held in self._held.values() if held.job.id in overdue], "cancelled")

    async def _keep_leases(self) -> None:
        """Prolong the leases of long calls; a call whose row was taken away is broken off."""
        now = time.monotonic()
        old = [held for held in self._held.values() if now - held.kept_at >= self.store.seconds / 3]
        if not old:
            return
        ours = await self.store.keep(claim for held in old for claim in held.claims)
        for held in old:
            # Of rows that share a call, those that are still ours are worth it.
            if any(claim.item_id in ours for claim in held.claims):
                held.kept_at = now
            elif held.task is not None:
                held.task.cancel()


@dataclass(frozen=True, slots=True)
class _Hands:
    """What a shape works with, see `shapes.Hands`."""

    pump: Pump

    async def execute(self, request: RunRequest, call: Call) -> RunResult:
        self.pump.calls[request.run_id] = call
        try:
            return await self.pump.execute(request, call)
        finally:
            del self.pump.calls[request.run_id]

    async def refuse(self, outcomes: Sequence[Outcome]) -> None:
        await self.pump.end_rows(outcomes)


def _told(held: Held) -> dict[str, str]:
    """What a log line says of rows in work."""
    return {"batch": str(held.job.id), "item": str(held.claims[0].item_id)}
