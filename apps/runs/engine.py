"""The one straight way of a run.

resolve → render → check input → reserve → call → validate output → price → settle and record.
Authentication and rate limits come before, at each entrance. The engine is async and never opens a
Django scope: what it needs from the database comes through its sources, recorder and allowance.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.billing.allowance import AllowanceBook, Reservation
from apps.core.errors import InvalidRequest
from apps.prompts.rendering import render
from apps.prompts.types import ResolvedPrompt
from apps.providers.types import ChatRequest
from apps.runs import calling, finishing
from apps.runs.calling import Progress, RetryPolicy
from apps.runs.inputs import check_request
from apps.runs.types import (
    InputCheck,
    PreparedRun,
    PromptSource,
    Recorder,
    RunDelta,
    RunRequest,
    RunResult,
    TargetSource,
)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an engine is given. `input_checks` run in order on the rendered messages."""

    prompts: PromptSource
    targets: TargetSource
    allowance: AllowanceBook
    recorder: Recorder
    input_checks: tuple[InputCheck, ...] = ()
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Engine:
    """Runs requests. Safe for any number of concurrent runs in one event loop."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._finishing: set[asyncio.Task[RunResult]] = set()

    async def execute(self, request: RunRequest) -> RunResult:
        """Run to the end and record. A provider's failure is a result with status "failed".

        Raises core errors for what is refused before the call (nothing is recorded or charged then).
        """
        prepared = await self._prepare(request)
        reservation = await self._reserve(prepared)
        progress = Progress(deadline=request.timeout_seconds)
        call = calling.complete(prepared.target.provider, prepared.chat, progress, self._dependencies.retries)
        try:
            await call
        except asyncio.CancelledError:
            await self._finish(prepared, reservation, progress, cancelled=True)
            raise
        return await self._finish(prepared, reservation, progress)

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunDelta | RunResult, None]:
        """Yield the answer's pieces, then the recorded RunResult; refusals are raised before the first piece.

        Closing the generator or cancelling its task hangs up on the provider and records what was used.
        """
        prepared = await self._prepare(request)
        reservation = await self._reserve(prepared)
        progress = Progress(deadline=request.timeout_seconds)
        pieces = calling.stream(prepared.target.provider, prepared.chat, progress, self._dependencies.retries)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield RunDelta(piece.text)
        except (asyncio.CancelledError, GeneratorExit):
            await self._finish(prepared, reservation, progress, cancelled=True)
            raise
        yield await self._finish(prepared, reservation, progress)

    async def drain(self) -> None:
        """Wait until every run that has ended is recorded; call it before closing the recorder."""
        if self._finishing:
            await asyncio.wait(self._finishing)

    async def _prepare(self, request: RunRequest) -> PreparedRun:
        check_request(request)
        prompt = None
        if request.prompt is not None:
            prompt = await self._dependencies.prompts.resolve(request, request.prompt)
        messages = _messages(request, prompt)
        model = request.model or (prompt.model if prompt else None)
        if not model:
            raise InvalidRequest("No model was named.", code="model_missing", param="model")
        target = await self._dependencies.targets.open(request, model)
        for check in self._dependencies.input_checks:
            await check(request, messages)
        chat = ChatRequest(
            model=target.model,
            messages=messages,
            parameters={**(prompt.parameters if prompt else {}), **request.overrides},
            output_schema=prompt.output_schema if prompt else None,
            timeout_seconds=request.timeout_seconds,
        )
        return PreparedRun(request, prompt, target, chat, datetime.now(UTC))

    async def _reserve(self, prepared: PreparedRun) -> Reservation:
        return await self._dependencies.allowance.take(
            prepared.request.organization_id, livemode=not prepared.target.sandbox
        )

    async def _finish(
        self, prepared: PreparedRun, reservation: Reservation, progress: Progress, *, cancelled: bool = False
    ) -> RunResult:
        """Settle and record in a task of its own: a second cancellation must not lose what was used."""
        task = asyncio.create_task(self._settle(prepared, reservation, progress, cancelled))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def _settle(
        self, prepared: PreparedRun, reservation: Reservation, progress: Progress, cancelled: bool
    ) -> RunResult:
        record = finishing.finished(prepared, reservation, progress, cancelled=cancelled)
        allowance = self._dependencies.allowance
        try:
            recorded = await self._dependencies.recorder.record(record)
        except BaseException:
            await allowance.release(reservation)
            raise
        await (allowance.settle if recorded and record.charged else allowance.release)(reservation)
        return record.result if recorded else finishing.unrecorded(record.result)


def _messages(request: RunRequest, prompt: ResolvedPrompt | None) -> tuple[dict[str, Any], ...]:
    if prompt is None:
        if not request.messages:
            raise InvalidRequest("At least one message is needed.", code="messages_missing", param="messages")
        return request.messages
    rendered = render(prompt.messages, prompt.variables, dict(request.variables))
    return (*rendered, *request.messages)
