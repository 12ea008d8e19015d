"""The one straight way of a run.

resolve → guard input → render → limits → find an answer (caches) → reserve → judge → call, repair →
guard output → price → settle and record.
Authentication comes before, at each entrance. The engine is async and never opens a
Django scope: what it needs from the database comes through its sources, recorder and allowance.

Nothing here starts a task for an ordinary run: at thousands of runs a second a task costs more than what it
would do (docs/decisions/0024).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from django.db import DatabaseError, InterfaceError

from apps.billing.allowance import Reservation
from apps.core.errors import PromptsaasError
from apps.providers.types import ChatRequest
from apps.runs import calling, finishing, guarding, judging, preparing, repair
from apps.runs.answers import Lookup
from apps.runs.limiting import Hold
from apps.runs.output_checks import check_calls
from apps.runs.preparing import Dependencies, Prompt, as_stored
from apps.runs.progress import Progress
from apps.runs.run_metrics import count_run
from apps.runs.types import (
    OutputRefusal,
    PreparedRun,
    RunDelta,
    RunRecord,
    RunRequest,
    RunResult,
    RunStarted,
)


@dataclass(slots=True)
class Flight:
    """A run under way: what was asked, what it has got so far, what is reserved and held for it."""

    prepared: PreparedRun
    progress: Progress
    reservation: Reservation
    hold: Hold | None = None


class Engine:
    """Runs requests. Safe for any number of concurrent runs in one event loop."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._finishing: set[asyncio.Future[Any]] = set()

    async def execute(self, request: RunRequest) -> RunResult:
        """Run to the end and record. A provider's failure is a result with status "failed".

        Raises core errors for what is refused before the call (nothing is recorded or charged then).
        """
        return await self.carry_out(await self.prepare(request))

    async def carry_out(self, prepared: PreparedRun) -> RunResult:
        """The rest of `execute` behind `prepare`, for a run whose call is made in a way of its own."""
        flight = await self._enter(prepared)
        try:
            await self._judge_input(flight)
            if flight.progress.needs_call:
                await self._call(flight)
            await self._guard_output(flight)
        except asyncio.CancelledError:
            await self._finish(flight, cancelled=True)
            raise
        except BaseException:
            self._release(flight)  # a fault of ours: it must not keep what is for others
            raise
        return await self._finish(flight)

    async def admit(self, prepared: PreparedRun) -> None:
        """What limits say of a run whose call is made elsewhere, as in a provider's batch.

        Raises RateLimited, or Unavailable where it has waited for long.
        """
        limits = self._dependencies.limits
        hold = await limits.admit(prepared) if limits is not None else None
        if hold is not None and limits is not None:
            limits.leave(hold)

    async def record_answer(
        self, prepared: PreparedRun, progress: Progress, reservation: Reservation
    ) -> RunResult:
        """The end of such a run: `progress` holds what came of its call (see `elsewhere.progress_of`)."""
        flight = Flight(prepared, progress, reservation)
        try:
            await self._guard_output(flight)
        except BaseException:
            self._release(flight)
            raise
        return await self._finish(flight)

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunStarted | RunDelta | RunResult, None]:
        """Yield RunStarted, the pieces, the recorded RunResult; refusals are raised before the first.

        What the guardrails refuse before the call is a RunResult alone.

        Closing the generator or cancelling its task hangs up on the provider and records what was used.
        """
        flight = await self._enter(await self.prepare(request))
        try:
            prepared, progress = flight.prepared, flight.progress
            await self._judge_input(flight)
            if progress.refusal is None:
                yield RunStarted(prepared.created_at, prepared.target.reference, progress.cache_outcome)
                pieces = guarding.guarded_pieces(self._pieces(flight), prepared, progress)
                async with aclosing(pieces):
                    async for piece in pieces:
                        yield piece
                await self._guard_output(flight)
        except (asyncio.CancelledError, GeneratorExit):
            await self._finish(flight, cancelled=True)
            raise
        except BaseException:
            self._release(flight)
            raise
        yield await self._finish(flight)

    async def drain(self) -> None:
        """Wait until every run that has ended is recorded; call it before closing the recorder."""
        while self._finishing:
            await asyncio.wait(self._finishing)

    async def prepare(self, request: RunRequest) -> PreparedRun:
        """Everything that comes before a run is spent on. Raises core errors for what is refused."""
        return await preparing.prepare(self._dependencies, request)

    async def render(self, request: RunRequest) -> tuple[Prompt | None, ChatRequest]:
        """The prompt, and what its run would ask; the model is still the reference, empty if none is named.

        Raises core errors for what is refused.
        """
        found = await preparing.rendered(self._dependencies, request)
        return found.prompt, found.chat

    async def _enter(self, prepared: PreparedRun) -> Flight:
        """What may still end a run without a call; the run's clock starts here."""
        limits = self._dependencies.limits
        hold = await limits.admit(prepared) if limits is not None else None
        progress = Progress(deadline=prepared.request.timeout_seconds)
        try:
            self._guard_input(prepared, progress)
            await self._find_answer(prepared, progress)
            return Flight(prepared, progress, await self._reserve(prepared), hold)
        except BaseException:
            self._let_go(hold, None)
            progress.close_lookup()
            raise

    def _let_go(self, hold: Hold | None, result: RunResult | None) -> None:
        """Settle what limits have taken to what was used; None gives it back."""
        limits = self._dependencies.limits
        if hold is not None and limits is not None:
            limits.settle(hold, result)

    def _release(self, flight: Flight) -> None:
        """The run ends without a record: nothing that was taken for it is kept."""
        self._dependencies.allowance.release(flight.reservation)
        self._let_go(flight.hold, None)
        flight.progress.close_lookup()

    def _guard_input(self, prepared: PreparedRun, progress: Progress) -> None:
        """The guardrails' place before the caches: what they found while rendering may refuse the run."""
        guard = prepared.guard
        if guard is not None:
            guarding.note_hits(progress, guard.hits)
            progress.refusal = guarding.refused(guard.blocked_by) if guard.blocked_by else None

    async def _find_answer(self, prepared: PreparedRun, progress: Progress) -> None:
        """Take an earlier run's answer, or that of an equal run under way, where one is asked for."""
        answers = self._dependencies.answers
        if answers is None or progress.refusal is not None:
            return
        finding = answers.find(prepared, progress)
        if finding is not None:
            left = time.perf_counter()
            progress.accept_lookup(await finding)
            progress.away += time.perf_counter() - left

    async def _reserve(self, prepared: PreparedRun) -> Reservation:
        return await self._dependencies.allowance.take(
            prepared.request.organization_id, livemode=not prepared.target.sandbox
        )

    def _way(self, prepared: PreparedRun) -> calling.Route:
        return calling.route(prepared, self._dependencies.targets, self._dependencies.retries)

    async def _call(self, flight: Flight) -> None:
        """Ask the provider; the time until it has answered is not ours."""
        left = time.perf_counter()
        try:
            await repair.complete(flight.prepared, flight.progress, self._way(flight.prepared))
        finally:
            flight.progress.away += time.perf_counter() - left

    async def _pieces(self, flight: Flight) -> AsyncGenerator[RunDelta, None]:
        """The answer's pieces; neither the provider's time nor the reader's is ours."""
        prepared, progress = flight.prepared, flight.progress
        if progress.refusal is not None:
            return
        if progress.cached_from is not None:
            progress.first_token_ms = progress.elapsed_ms()
            yield RunDelta(progress.text, cached=True)
            return
        if repair.holds_back(prepared) or judging.judges_before_release(prepared):
            await self._call(flight)
            if judging.judges_before_release(prepared):
                await self._guard_output(flight)
            for whole in _whole(progress):
                yield whole
            return
        left = time.perf_counter()
        try:
            async with aclosing(calling.stream(self._way(prepared), progress)) as pieces:
                async for piece in pieces:
                    yield RunDelta(piece.text, tool_calls=piece.tool_calls)
        finally:
            progress.away += time.perf_counter() - left

    async def _guard_output(self, flight: Flight) -> None:
        """The guardrails' place behind the answer: they may change it or set `progress.withheld`."""
        if flight.prepared.guard is not None:
            await guarding.guard_answer_in_time(flight.prepared, flight.progress)
            await judging.judge_output(flight.prepared, flight.progress, self._dependencies.targets)

    async def _judge_input(self, flight: Flight) -> None:
        """A judge's place: behind the caches and the reservation, since it costs a call."""
        if flight.prepared.guard is not None:
            await judging.judge_input(flight.prepared, flight.progress, self._dependencies.targets)

    async def _finish(self, flight: Flight, *, cancelled: bool = False) -> RunResult:
        """Settle and record. What has ended is recorded whatever becomes of this task.

        As a rule everything that a record needs is at hand: then it is in the recorder's queue before
        anything is awaited, and no cancellation can lose it. Else it is loaded in a task of its own.
        """
        request = flight.prepared.request
        data_key = self._dependencies.data_keys.known(request.organization_id)
        stored = self._stored_now(request)
        if data_key is not None and stored is not None:
            return await self._submit(flight, cancelled, data_key, stored)
        task = asyncio.create_task(self._load_and_submit(flight, cancelled))
        self._keep_until_done(task)
        return await asyncio.shield(task)

    async def _load_and_submit(self, flight: Flight, cancelled: bool) -> RunResult:
        request = flight.prepared.request
        try:
            data_key = await self._dependencies.data_keys.get(request.organization_id)
            stored = await self._stores(request)
        except BaseException:
            self._release(flight)
            raise
        return await self._submit(flight, cancelled, data_key, stored)

    def _stored_now(self, request: RunRequest) -> bool | None:
        """Whether the content may be stored, asked once more: a project may have said no meanwhile."""
        contents = self._dependencies.contents
        if contents is None or not request.record_payload:
            return request.record_payload
        return contents.known(request)

    async def _stores(self, request: RunRequest) -> bool:
        """The same; a run that has ended must be recorded even if nobody can be asked."""
        try:
            return (await as_stored(self._dependencies.contents, request)).record_payload
        except (DatabaseError, InterfaceError, PromptsaasError):
            return request.record_payload

    def _submit(
        self, flight: Flight, cancelled: bool, data_key: bytes, stored: bool
    ) -> "asyncio.Future[RunResult]":
        """Put the run's record into the recorder's queue; the future ends after the commit."""
        prepared = flight.prepared
        if stored != prepared.request.record_payload:
            prepared = replace(prepared, request=replace(prepared.request, record_payload=stored))
        told: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()
        try:
            record = self._record(prepared, flight, cancelled)
            self._dependencies.recorder.submit(record, data_key, self._ended(prepared, record, flight, told))
        except BaseException:
            self._release(flight)
            raise
        return told

    def _record(self, prepared: PreparedRun, flight: Flight, cancelled: bool) -> RunRecord:
        progress = flight.progress
        if prepared.guard is not None:
            # Also what came of an answer before its caller went away.
            guarding.guard_answer(prepared, progress)
        withheld = progress.withheld or self._check_output(prepared.request, progress)
        return finishing.finished(
            prepared, flight.reservation, progress, cancelled=cancelled, refusal=withheld
        )

    def _ended(
        self,
        prepared: PreparedRun,
        record: RunRecord,
        flight: Flight,
        told: "asyncio.Future[RunResult]",
    ) -> Callable[[bool | Exception], None]:
        """What is done after the commit, in the recorder's task: the caller may be gone."""

        def ended(outcome: bool | Exception) -> None:
            allowance = self._dependencies.allowance
            end = allowance.settle if outcome is True and record.charged else allowance.release
            end(record.reservation)
            self._let_go(flight.hold, record.result if outcome is True else None)
            if outcome is True:
                count_run(record)
            lookup = flight.progress.lookup
            if outcome is True and lookup is not None:
                self._keep_until_done(asyncio.create_task(_keep_and_tell(lookup, prepared, record, told)))
            else:
                flight.progress.close_lookup()
                _tell(told, outcome, record.result)

        return ended

    def _keep_until_done(self, task: "asyncio.Task[Any]") -> None:
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _check_output(self, request: RunRequest, progress: Progress) -> OutputRefusal | None:
        for check in self._dependencies.output_checks:
            refusal = check(request, progress.text)
            if refusal is not None:
                return refusal
        return check_calls(progress.text, progress.tool_calls)


def _whole(progress: Progress) -> Iterator[RunDelta]:
    """A whole answer, if there is one, as the one piece of a stream."""
    if progress.answer is not None and progress.withheld is None:
        progress.first_token_ms = progress.elapsed_ms()
        calls = tuple({"index": index, **call} for index, call in enumerate(progress.tool_calls))
        yield RunDelta(progress.text, tool_calls=calls)


async def _keep_and_tell(
    lookup: Lookup, prepared: PreparedRun, record: RunRecord, told: "asyncio.Future[RunResult]"
) -> None:
    """Keep an answer before it goes out, so that whoever asks again after it finds it."""
    try:
        await lookup.keep(prepared, record.result)
    finally:
        _tell(told, True, record.result)


def _tell(told: "asyncio.Future[RunResult]", outcome: bool | Exception, result: RunResult) -> None:
    """Give a caller its result; one that was cancelled meanwhile isn't told anything."""
    if told.done():
        return
    if isinstance(outcome, Exception):
        told.set_exception(outcome)
        told.exception()  # marks it as retrieved: the caller may be gone
    else:
        told.set_result(result if outcome else finishing.unrecorded(result))
