"""The one straight way of a run.

resolve → render → check input → cache → reserve → call → validate, repair → check output → price →
settle and record.
Authentication and rate limits come before, at each entrance. The engine is async and never opens a
Django scope: what it needs from the database comes through its sources, recorder and allowance.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, InterfaceError

from apps.billing.allowance import AllowanceBook, Reservation
from apps.core.errors import InvalidRequest, PromptsaasError
from apps.prompts.rendering import render
from apps.prompts.types import ResolvedPrompt
from apps.providers.types import ChatRequest
from apps.runs import calling, finishing, repair
from apps.runs.calling import Progress, RetryPolicy
from apps.runs.inputs import check_request, check_tool_choice, merged_parameters
from apps.runs.output_checks import check_calls, check_size
from apps.runs.response_formats import expected_schema
from apps.runs.run_metrics import count_run
from apps.runs.types import (
    Answers,
    ContentRules,
    InlinePrompt,
    InputCheck,
    OutputCheck,
    OutputRefusal,
    PreparedRun,
    PromptSource,
    Recorder,
    RunDelta,
    RunRequest,
    RunResult,
    RunStarted,
    TargetSource,
)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an engine is given. `input_checks` run in order on the rendered messages, before the cache;
    `output_checks` on every answer, and the first that refuses decides. Without `answers` nothing is cached,
    without `contents` every run's content is stored unless the request says otherwise.
    """

    prompts: PromptSource
    targets: TargetSource
    allowance: AllowanceBook
    recorder: Recorder
    input_checks: tuple[InputCheck, ...] = ()
    answers: Answers | None = None
    contents: ContentRules | None = None
    output_checks: tuple[OutputCheck, ...] = (check_size,)
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
        prepared = await self.prepare(request)
        progress = await self._begin(prepared)
        reservation = await self._reserve(prepared)
        try:
            if progress.cached_from is None:
                await repair.complete(prepared, progress, self._dependencies.retries)
        except asyncio.CancelledError:
            await self._finish(prepared, reservation, progress, cancelled=True)
            raise
        return await self._finish(prepared, reservation, progress)

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunStarted | RunDelta | RunResult, None]:
        """Yield RunStarted, the pieces, the recorded RunResult; refusals are raised before the first.

        Closing the generator or cancelling its task hangs up on the provider and records what was used.
        """
        prepared = await self.prepare(request)
        progress = await self._begin(prepared)
        reservation = await self._reserve(prepared)
        try:
            yield RunStarted(prepared.created_at, prepared.target.reference)
            async with aclosing(self._pieces(prepared, progress)) as pieces:
                async for piece in pieces:
                    yield piece
        except (asyncio.CancelledError, GeneratorExit):
            await self._finish(prepared, reservation, progress, cancelled=True)
            raise
        yield await self._finish(prepared, reservation, progress)

    async def drain(self) -> None:
        """Wait until every run that has ended is recorded; call it before closing the recorder."""
        if self._finishing:
            await asyncio.wait(self._finishing)

    async def prepare(self, request: RunRequest) -> PreparedRun:
        """Everything that comes before a run is spent on. Raises core errors for what is refused."""
        prompt, asked = await self.render(request)
        if not asked.model:
            raise InvalidRequest("No model was named.", code="model_missing", param="model")
        target = await self._dependencies.targets.open(request, asked.model)
        for check in self._dependencies.input_checks:
            await check(request, asked.messages)
        chat = replace(asked, model=target.model)
        target.provider.check(chat)
        request = await self._as_stored(request)
        rules = prompt.serving if prompt else await self._dependencies.prompts.rules(request)
        return PreparedRun(request, prompt, target, chat, datetime.now(UTC), rules)

    async def render(self, request: RunRequest) -> tuple[ResolvedPrompt | InlinePrompt | None, ChatRequest]:
        """The prompt, and what its run would ask; the model is still the reference, empty if none is named.

        Raises core errors for what is refused.
        """
        check_request(request)
        prompt: ResolvedPrompt | InlinePrompt | None = request.inline
        if request.prompt is not None:
            prompt = await self._dependencies.prompts.resolve(request, request.prompt)
        tools = request.tools if request.tools is not None else prompt.tools if prompt else ()
        check_tool_choice(request.overrides, tools)
        chat = ChatRequest(
            model=request.model or (prompt.model if prompt else ""),
            messages=_messages(request, prompt),
            parameters=merged_parameters(prompt.parameters if prompt else {}, request.overrides),
            output_schema=expected_schema(request.overrides, prompt.output_schema if prompt else None),
            timeout_seconds=request.timeout_seconds,
            tools=tools,
        )
        return prompt, chat

    async def _as_stored(self, request: RunRequest) -> RunRequest:
        """The request with what the project says now of storing content; it only ever takes away."""
        contents = self._dependencies.contents
        if contents is None or not request.record_payload or await contents.stores(request):
            return request
        return replace(request, record_payload=False)

    async def _as_stored_now(self, request: RunRequest) -> RunRequest:
        """The same at the end of a run, which must be recorded even if nobody can be asked."""
        try:
            return await self._as_stored(request)
        except (DatabaseError, InterfaceError, PromptsaasError):
            return request

    async def _begin(self, prepared: PreparedRun) -> Progress:
        """Start the run's clock, and take an equal run's answer where one is asked for and at hand."""
        progress = Progress(deadline=prepared.request.timeout_seconds)
        answers = self._dependencies.answers
        found = await answers.find(prepared) if answers is not None else None
        if found is not None:
            progress.accept_cached(found)
        return progress

    async def _pieces(self, prepared: PreparedRun, progress: Progress) -> AsyncGenerator[RunDelta, None]:
        if progress.cached_from is not None:
            progress.first_token_ms = progress.elapsed_ms()
            yield RunDelta(progress.text, cached=True)
            return
        policy = self._dependencies.retries
        async with aclosing(
            calling.stream(prepared.target.provider, prepared.chat, progress, policy)
        ) as pieces:
            async for piece in pieces:
                yield RunDelta(piece.text, tool_calls=piece.tool_calls)

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
        allowance = self._dependencies.allowance
        try:
            # Once more: what was switched off while the model answered is not stored either.
            prepared = replace(prepared, request=await self._as_stored_now(prepared.request))
            refusal = await self._check_output(prepared.request, progress)
            record = finishing.finished(prepared, reservation, progress, cancelled=cancelled, refusal=refusal)
            recorded = await self._dependencies.recorder.record(record)
        except BaseException:
            await allowance.release(reservation)
            raise
        await (allowance.settle if recorded and record.charged else allowance.release)(reservation)
        if not recorded:
            return finishing.unrecorded(record.result)
        count_run(prepared.target.kind, record)
        if self._dependencies.answers is not None:
            await self._dependencies.answers.keep(prepared, record.result)
        return record.result

    async def _check_output(self, request: RunRequest, progress: Progress) -> OutputRefusal | None:
        for check in self._dependencies.output_checks:
            refusal = await check(request, progress.text)
            if refusal is not None:
                return refusal
        return check_calls(progress.text, progress.tool_calls)


def _messages(
    request: RunRequest, prompt: ResolvedPrompt | InlinePrompt | None
) -> tuple[dict[str, Any], ...]:
    if prompt is None:
        if not request.messages:
            raise InvalidRequest("At least one message is needed.", code="messages_missing", param="messages")
        return request.messages
    rendered = render(prompt.messages, prompt.variables, dict(request.variables))
    return (*rendered, *request.messages)
