"""Calling providers within a deadline: what came back so far, and where the next attempt goes.

See docs/decisions/0025 for when a call is made again, elsewhere, or not at all.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from apps.core.deadlines import Deadline
from apps.providers.types import CallErrorReason, ChatDelta, ChatResult, ProviderCallError
from apps.runs.progress import Progress
from apps.runs.retrying import RetryPolicy
from apps.runs.trips import Route, Trip
from apps.runs.types import AttemptKind, PreparedRun, TargetSource

__all__ = ["RetryPolicy", "Route", "complete", "route", "stream"]

Stream = AsyncGenerator[ChatDelta | ChatResult, None]


def route(prepared: PreparedRun, targets: TargetSource, policy: RetryPolicy) -> Route:
    """The way of a prepared run's calls."""
    return Route(
        target=prepared.target,
        chat=prepared.chat,
        rules=prepared.rules.calls,
        policy=policy,
        request=prepared.request,
        targets=targets,
        priced_at=prepared.created_at,
    )


async def complete(way: Route, progress: Progress, kind: AttemptKind = "call") -> None:
    """Call until an answer or a final error stands in `progress`; raises only CancelledError."""
    trip = Trip(way, progress, kind)
    while await trip.enter():
        try:
            with Deadline(trip.seconds()):
                answer = await trip.target.provider.complete(trip.chat)
        except (ProviderCallError, TimeoutError) as caught:
            if await trip.failed(_as_call_error(caught)):
                continue
            return
        except BaseException:
            trip.abandoned()
            raise
        progress.accept(answer)
        trip.succeeded(answer)
        return


async def stream(way: Route, progress: Progress) -> AsyncGenerator[ChatDelta, None]:
    """Yield the answer's pieces; the end stands in `progress`. Nothing is retried after the first piece."""
    trip = Trip(way, progress, "call")
    while await trip.enter():
        try:
            async with aclosing(_pieces(trip, progress)) as pieces:
                async for piece in pieces:
                    yield piece
        except (ProviderCallError, TimeoutError) as caught:
            if await trip.failed(_as_call_error(caught)):
                continue
            return
        except BaseException:
            trip.abandoned()
            raise
        assert progress.answer is not None
        trip.succeeded(progress.answer)
        return


async def _pieces(trip: Trip, progress: Progress) -> AsyncGenerator[ChatDelta, None]:
    # Every provider's stream is a generator; closing it is what hangs up.
    async with aclosing(cast("Stream", trip.target.provider.stream(trip.chat))) as items:
        while progress.answer is None:
            # The timeout never spans a yield: a slow reader is not a slow provider.
            with Deadline(trip.seconds()):
                item = await anext(items, None)
            if item is None:
                raise _call_error("connection", "The provider's stream ended before the answer was complete.")
            progress.take(item)
            if isinstance(item, ChatDelta):
                yield item


def _as_call_error(caught: ProviderCallError | TimeoutError) -> ProviderCallError:
    if isinstance(caught, ProviderCallError):
        return caught
    return _call_error("timeout", "The provider did not answer in time.")


def _call_error(reason: CallErrorReason, message: str) -> ProviderCallError:
    return ProviderCallError(message, reason=reason, retryable=True)
