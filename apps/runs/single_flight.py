"""Identical runs at the same time: one asks the provider, the others wait for its answer.

A follower never waits beyond its own deadline. When the one that asks fails, one of the followers asks anew
and the rest wait for that one; when that one fails too, each goes on by itself.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from apps.runs.answers import CachedAnswer

MOST_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class _Landing:
    """How a flight ended: with an answer for everybody, with one for its own caller only, or with none."""

    answer: CachedAnswer | None = None
    failed: bool = False


@dataclass(slots=True, eq=False)
class Flight:
    """One question on its way to the provider; whoever leads it lands it, whatever becomes of the run."""

    leave: Callable[[], None]
    _landing: "asyncio.Future[_Landing]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def land(self, answer: CachedAnswer | None) -> None:
        """End with an answer for the followers, or with one that is for nobody else (None)."""
        self._end(_Landing(answer))

    def fail(self) -> None:
        """End without an answer. Nothing after the first end counts."""
        self._end(_Landing(failed=True))

    async def landed(self, seconds: float) -> _Landing | None:
        """How it ended; None where it has not within the time."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                return await asyncio.shield(self._landing)
        except TimeoutError:
            return None

    def _end(self, landing: _Landing) -> None:
        if not self._landing.done():
            self.leave()
            self._landing.set_result(landing)


class Flights:
    """The questions on their way in one event loop, by what names them."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}

    async def join(self, name: str, seconds: float) -> Flight | CachedAnswer | None:
        """A flight to lead, or the answer of the one that led, or None: go on alone, without followers."""
        until = time.monotonic() + seconds
        for _ in range(MOST_FAILURES):
            flight = self._open.get(name)
            if flight is None:
                return self._begin(name)
            landing = await flight.landed(until - time.monotonic())
            if landing is None:
                return None
            if not landing.failed:
                return landing.answer
        return None

    def _begin(self, name: str) -> Flight:
        flight = self._open[name] = Flight(lambda: self._leave(name))
        return flight

    def _leave(self, name: str) -> None:
        self._open.pop(name, None)
