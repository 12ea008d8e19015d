"""The pump: one process's share of all batches.

It keeps its slots filled from whoever has the fewest calls in flight, no faster than the providers of its
jobs let it, and holds a lease on every row that it works on. After a minute it hands over as soon as other
work waits for its worker: so nobody waits behind another's long job, and where nobody does it goes on.

What no design can promise is one call to the provider a row: a process that is killed between the answer and
the commit loses the answer, and the row is called again (at most `slots` rows a kill). It is recorded and
charged once all the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from uuid import UUID

import psycopg
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Call, Outcome
from apps.batches.fairness import Waiting, newcomers, share, slots_of_each
from apps.batches.leases import LeaseStore, WorstCase
from apps.batches.pacing import Paces
from apps.batches.shapes import Shape
from apps.core.errors import PromptsaasError, QuotaExceeded
from apps.core.logs import get_logger
from apps.providers.health import ConnectionHealth
from apps.runs.types import RunRequest, RunResult

logger = get_logger(__name__)

PROVIDER_BUSY: Final = "provider_busy"
NOT_ATTEMPTED: Final = frozenset({"rate_limit_exceeded", PROVIDER_BUSY})
MOST_ATTEMPTS: Final = 10
"""A row that was claimed this often without a result is given up: it may be what kills the process."""

BREATH, LONG_BREATH = 0.002, 0.008
REST_AFTER_ERROR: Final = 5.0
"""Seconds that a job is left alone after its claim failed for a reason that nobody expects."""

GUESTS: Final = 64
"""Calls beyond its slots for organizations that have nothing in flight: long calls of others fill those."""

DATABASE_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    OperationalError,
    InterfaceError,
)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. A pump hands over after `run` if others wait and after `longest` in any case; `drain` is the
    end of its calls then, `shutdown` the end of the process. `stop_grace` is how long calls of a stopped job
    may still finish."""

    run: float = 60.0
    longest: float = 1800.0
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
    paced_by: tuple[ConnectionHealth, ...] = ()
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Pump:
    """One run of a pump. `calls` is shared with the recorder's companion; `over` is what it reports back.

    `shape_of` says how a job's rows become calls; `finish(organization, job)` ends a job whose last row is
    through; `ring` asks for a successor; `others_wait` tells whether other work waits for this worker.
    """

    store: LeaseStore
    execute: Callable[[RunRequest, Call], Awaitable[RunResult]]
    prepare: Callable[[JobFacts], Awaitable[None]]
    worst_case: WorstCase
    finish: Callable[[UUID, UUID], Awaitable[None]]
    ring: Callable[[], Awaitable[None]]
    others_wait: Callable[[], Awaitable[bool]]
    shape_of: Callable[[JobFacts], Shape]
    calls: dict[UUID, Call]
    over: set[tuple[UUID, UUID]]
    paces: Paces = field(default_factory=Paces)
    times: Times = field(default_factory=Times)
    slots: int = 0
    stopping: bool = False
    refused: int = 0
    _held: dict[int, Held] = field(default_factory=dict)
    _jobs: dict[UUID, JobFacts] = field(default_factory=dict)
    _shapes: dict[UUID, Shape] = field(default_factory=dict)
    _told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _fill_to: int = 0
    _stopped_at: dict[UUID, float] = field(default_factory=dict)
    _rest_until: dict[UUID, float] = field(default_factory=dict)
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
            await self._hand_over()
            await self._drain(self.times.shutdown if self.stopping else self.times.drain)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            await self.store.end_pump()

    def stop(self) -> None:
        """Claim nothing more, hand over, and end within `times.shutdown`."""
        self.stopping = True
        self._wake.set()

    async def _hand_over(self) -> None:
        """Without a database nobody comes, and the calls in work go on; the sweeper rings later."""
        try:
            await self.store.beat(0, {})
            await self.ring()
        except DATABASE_AWAY as error:
            logger.warning("batches.ring_failed", extra={"error": str(error)})

    async def _fill(self) -> None:
        started_at = looked_at = time.monotonic()
        busy_until = started_at + self.times.idle
        while not self.stopping and (now := time.monotonic()) < started_at + self.times.longest:
            claimed = await self._refill_safely()
            self._finish_over()
            if claimed or self._held or self._told:
                busy_until = now + self.times.idle
            elif now > busy_until:
                return
            if now - started_at >= self.times.run and now - looked_at >= self.times.watch:
                looked_at = now
                if await self.others_wait():
                    return
            await self._sleep(self.times.look)

    async def _sleep(self, seconds: float) -> None:
        """Until a slot is free, at most `seconds`; a breath more lets slots come together: a claim costs the
        same for one row and for fifty."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            await asyncio.sleep(BREATH)
            if self._fill_to - len(self._held) < self._fill_to // 8:
                await asyncio.sleep(LONG_BREATH)

    async def _refill_safely(self) -> int:
        try:
            return await self._refill()
        except DATABASE_AWAY as error:
            logger.warning("batches.refill_failed", extra={"error": str(error)})
            await asyncio.sleep(self.times.look)
            return 0

    async def _refill(self) -> int:
        if len(self._held) >= self.slots + GUESTS:
            return 0
        open_jobs = await self.store.open_jobs()
        jobs = {job.id: self._paced(job) for job in open_jobs.jobs}
        self._told = self.paces.told(jobs)
        self._fill_to = slots_of_each(open_jobs, self.slots)
        given = share(jobs.values(), max(0, self._fill_to - len(self._held)))
        guests = self.slots + GUESTS - len(self._held) - sum(given.values())
        given |= share(newcomers(jobs.values(), given), max(0, guests))
        claimed = 0
        for job_id, wanted in given.items():
            claimed += await self._claim_safely(jobs[job_id], wanted)
        return claimed

    async def _claim_safely(self, job: Waiting, wanted: int) -> int:
        """What is wrong with one job must not keep the others from their rows."""
        try:
            return await self._claim(job, wanted)
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("batches.claim_failed", extra={"batch": str(job.id)})
            self._rest_until[job.id] = time.monotonic() + REST_AFTER_ERROR
            return 0

    def _paced(self, job: Waiting) -> Waiting:
        """The job with what its provider allows, as far as it is known here; nothing for one that rests."""
        if self._rest_until.get(job.id, 0.0) > time.monotonic():
            return replace(job, most=0)
        most = self.paces.room_by_now(job.id, job.room)
        return job if most >= job.room else replace(job, most=most)

    async def _claim(self, job: Waiting, wanted: int) -> int:
        facts = self._jobs.get(job.id) or await self.store.job_facts(job)
        if facts is None:
            return 0
        if facts.id not in self._jobs:
            self._jobs[facts.id] = facts
            self._shapes[facts.id] = self.shape_of(facts)
        wanted = await self.paces.room(facts, wanted)
        if wanted <= 0:
            return 0
        await self.prepare(facts)
        claimed = await self.store.claim(facts, wanted * job.rows_per_call, self.worst_case)
        if (claimed.cap_reached or claimed.answered) and not job.running:
            self.over.add((facts.organization_id, facts.id))
        for claims in self._shapes[facts.id].group(claimed.claims):
            self._start(facts, claims)
        # Rows that equal ones have answered are work that was done, too: there may be more of them.
        return len(claimed.claims) or int(claimed.answered)

    def _start(self, job: JobFacts, claims: tuple[Claim, ...]) -> None:
        held = Held(claims, job, time.monotonic(), self.paces.began(job.id))
        self._held[id(held)] = held
        held.task = asyncio.create_task(self._work(held))
        held.task.add_done_callback(lambda task: self._let_go(held, task))

    def _let_go(self, held: Held, task: "asyncio.Task[None]") -> None:
        self._held.pop(id(held), None)
        self.paces.ended(held.paced_by)
        if not task.cancelled() and (error := task.exception()):
            # The lease runs out and the rows are taken again.
            logger.error("batches.row_left", extra=_told(held), exc_info=error)
        self._wake.set()

    async def _work(self, held: Held) -> None:
        if max(claim.attempts for claim in held.claims) > MOST_ATTEMPTS:
            return await self._refuse(held, "given_up", "The row was tried too often without an answer.")
        try:
            unanswered = await self._shapes[held.job.id].work(held.claims, _Hands(self))
        except QuotaExceeded:
            return await self._stop_for_quota(held)
        except PromptsaasError as refusal:
            if refusal.status == 503:
                return await self._put_back(held, refusal.code)
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
        """No further row of the job can run this month: stop it, rather than fail thousands one by one.

        Its rows go back in line: the stop ends them there, and a job that somebody has paused keeps them.
        """
        await self.store.stop_job(held.job, "quota")
        self.over |= set(await self.store.release(held.claims, "pending", uncounted=True))

    async def _put_back(self, held: Held, code: str) -> None:
        """Something is away for a moment: the row waits a second, then anybody may take it.

        A row that a limit or its provider held back was not attempted: however long it takes, it does not
        fail for that. Where the pace is known it decides when the row is taken again.
        """
        if not (code == PROVIDER_BUSY and held.paced_by):
            await asyncio.sleep(self.times.watch)
        uncounted = code in NOT_ATTEMPTED
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
        beaten_at, told = time.monotonic(), self._told
        while True:
            await asyncio.sleep(min(self.times.watch, self.store.seconds / 5))
            try:
                await self._watch_stops()
                is_due = time.monotonic() - beaten_at >= self.store.seconds / 3
                if is_due or told != self._told:
                    beaten_at, told = time.monotonic(), self._told
                    await self.store.beat(self.slots, told)
                if is_due:
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
        calls = self.pump.calls
        calls[request.run_id] = call
        try:
            result = await self.pump.execute(request, call)
        except Exception:
            del calls[request.run_id]
            raise
        # Not where the call is broken off: its record may be on its way, and finds its rows here.
        del calls[request.run_id]
        return result

    async def refuse(self, outcomes: Sequence[Outcome]) -> None:
        await self.pump.end_rows(outcomes)


def _told(held: Held) -> dict[str, str]:
    """What a log line says of rows in work."""
    return {"batch": str(held.job.id), "item": str(held.claims[0].item_id)}
