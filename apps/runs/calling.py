"""Calling a provider within a deadline: attempts, full-jitter retries, what came back so far."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from apps.providers.types import (
    CallErrorReason,
    ChatDelta,
    ChatRequest,
    ChatResult,
    Provider,
    ProviderCallError,
)
from apps.runs.progress import Progress
from apps.runs.types import Attempt

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
