"""Calling a provider within a deadline: attempts, full-jitter retries, what came back so far."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from apps.providers.tool_calls import ToolCallPieces
from apps.providers.types import (
    CallErrorReason,
    ChatDelta,
    ChatRequest,
    ChatResult,
    Provider,
    ProviderCallError,
    Usage,
)
from apps.runs.types import Attempt, CachedAnswer

Stream = AsyncGenerator[ChatDelta | ChatResult, None]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `retries` further calls; waits are random between 0 and a doubling bound, in seconds."""

    retries: int = 2
    first_wait: float = 0.5
    longest_wait: float = 8.0

    def wait(self, number: int, retry_after: float | None) -> float:
        """Seconds to wait before retry `number` (from 0); never earlier than the provider asked."""
        bound = min(self.longest_wait, self.first_wait * 2**number)
        return max(retry_after or 0.0, random.uniform(0, bound))  # noqa: S311 (spreads load, guards nothing)


@dataclass(slots=True)
class Progress:
    """What a run has got so far; filled by the call, read when the run ends for whatever reason.

    `earlier` is the usage of answers that were replaced by a later one.
    """

    deadline: float
    started: float = field(default_factory=time.perf_counter)
    parts: list[str] = field(default_factory=list)
    calls: ToolCallPieces = field(default_factory=ToolCallPieces)
    attempts: list[Attempt] = field(default_factory=list)
    first_token_ms: int | None = None
    answer: ChatResult | None = None
    earlier: list[Usage] = field(default_factory=list)
    cached_from: UUID | None = None
    error: ProviderCallError | None = None
    called: bool = False

    @property
    def text(self) -> str:
        """The answer's text, whole or as far as it came."""
        return self.answer.text if self.answer is not None else "".join(self.parts)

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The answer's tool calls, whole or as far as they came."""
        return self.answer.tool_calls if self.answer is not None else self.calls.whole()

    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return round((time.perf_counter() - self.started) * 1000)

    def remaining(self) -> float:
        """Seconds until the deadline; negative once it has passed."""
        return self.deadline - (time.perf_counter() - self.started)

    def take(self, item: ChatDelta | ChatResult) -> None:
        """Note one streamed item."""
        if self.first_token_ms is None and (isinstance(item, ChatResult) or item.text or item.tool_calls):
            self.first_token_ms = self.elapsed_ms()
        if isinstance(item, ChatResult):
            self.accept(item)
            return
        self.parts.append(item.text)
        for delta in item.tool_calls:
            self.calls.add({**delta, **delta.get("function", {})})

    def accept(self, answer: ChatResult) -> None:
        """Note a whole answer, which takes the place of one before it."""
        if self.answer is not None:
            self.earlier.append(self.answer.usage)
        self.answer = answer

    def accept_cached(self, found: CachedAnswer) -> None:
        """Note an earlier run's answer in place of a call."""
        self.cached_from = found.run_id
        self.accept(ChatResult(text=found.text, finish_reason="stop", usage=Usage(0, 0, 0), model=""))


async def complete(provider: Provider, request: ChatRequest, progress: Progress, policy: RetryPolicy) -> None:
    """Call until an answer or a final error stands in `progress`; raises only CancelledError."""
    for number in range(policy.retries + 1):
        began = _begin(progress)
        try:
            async with asyncio.timeout(max(0.0, progress.remaining())):
                progress.accept(await provider.complete(request))
        except (ProviderCallError, TimeoutError) as caught:
            if await _retry(progress, policy, number, began, _as_call_error(caught)):
                continue
            return
        _end(progress, began)
        return


async def stream(
    provider: Provider, request: ChatRequest, progress: Progress, policy: RetryPolicy
) -> AsyncGenerator[ChatDelta, None]:
    """Yield the answer's pieces; the end stands in `progress`. Retries only before the first piece."""
    for number in range(policy.retries + 1):
        began = _begin(progress)
        try:
            async with aclosing(_pieces(provider, request, progress)) as pieces:
                async for piece in pieces:
                    yield piece
        except (ProviderCallError, TimeoutError) as caught:
            spent = policy.retries if progress.parts else number
            if await _retry(progress, policy, spent, began, _as_call_error(caught)):
                continue
            return
        _end(progress, began)
        return


async def _pieces(
    provider: Provider, request: ChatRequest, progress: Progress
) -> AsyncGenerator[ChatDelta, None]:
    # Every provider's stream is a generator; closing it is what hangs up.
    async with aclosing(cast("Stream", provider.stream(request))) as items:
        while progress.answer is None:
            # The timeout never spans a yield: a slow reader is not a slow provider.
            async with asyncio.timeout(max(0.0, progress.remaining())):
                item = await anext(items, None)
            if item is None:
                raise _call_error("connection", "The provider's stream ended before the answer was complete.")
            progress.take(item)
            if isinstance(item, ChatDelta):
                yield item


def _begin(progress: Progress) -> int:
    progress.called = True
    return progress.elapsed_ms()


def _end(progress: Progress, began: int) -> None:
    progress.error = None
    progress.attempts.append(Attempt(start_ms=began, duration_ms=progress.elapsed_ms() - began))


def _as_call_error(caught: ProviderCallError | TimeoutError) -> ProviderCallError:
    if isinstance(caught, ProviderCallError):
        return caught
    return _call_error("timeout", "The provider did not answer in time.")


def _call_error(reason: CallErrorReason, message: str) -> ProviderCallError:
    return ProviderCallError(message, reason=reason, retryable=False, retry_after=None, status=None)


async def _retry(
    progress: Progress, policy: RetryPolicy, number: int, began: int, error: ProviderCallError
) -> bool:
    """Note the failed attempt; wait and return True when another one is allowed and fits the deadline."""
    progress.error = error
    progress.attempts.append(
        Attempt(
            start_ms=began,
            duration_ms=progress.elapsed_ms() - began,
            error=error.reason,
            status=error.status,
        )
    )
    if not error.retryable or number >= policy.retries:
        return False
    wait = policy.wait(number, error.retry_after)
    if wait >= progress.remaining():
        return False
    await asyncio.sleep(wait)
    return True
