"""Counting at the pace of runs: noted in memory, added to the metrics once a second.

One count costs a lock and, where processes share files, a question for the process's id and a write: of eight
a run that is as much as a provider's answer takes to read. Nothing is gathered unless a process says so with
`gathering`; whoever asks for the figures is told all that was counted before (`metrics.counted`). The other
processes of a server know of this one's last second a moment later.
"""

import asyncio
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from prometheus_client import Counter, Histogram

FLUSH_SECONDS: Final = 1.0

_Series = Counter | Histogram

# Appending and taking out are atomic: runs count in their loop, and who asks for figures does so in a thread.
_noted: deque[tuple[_Series, float]] = deque()
_adding = threading.Lock()
_gathers = False


def count(series: Counter, amount: float = 1.0) -> None:
    """Add to a counter."""
    if _gathers:
        _noted.append((series, amount))
    else:
        series.inc(amount)


def observe(series: Histogram, value: float) -> None:
    """Add a value to a histogram."""
    if _gathers:
        _noted.append((series, value))
    else:
        series.observe(value)


def flush() -> None:
    """Add everything that is noted to the metrics."""
    with _adding:
        values: dict[_Series, list[float]] = {}
        with suppress(IndexError):
            while True:
                series, value = _noted.popleft()
                values.setdefault(series, []).append(value)
        for series, found in values.items():
            if isinstance(series, Counter):
                series.inc(sum(found))
            else:
                _observe_all(series, found)


@asynccontextmanager
async def gathering() -> AsyncIterator[None]:
    """Gather this process's counts, and add them every second; at the end nothing is left."""
    global _gathers
    flushing = asyncio.create_task(_flush_forever())
    _gathers = True
    try:
        yield
    finally:
        _gathers = False
        flushing.cancel()
        flush()


async def _flush_forever() -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        flush()


def _observe_all(series: Histogram, found: list[float]) -> None:
    """What `Histogram.observe` does for each, with one write for each bucket."""
    counts: dict[int, int] = {}
    for value in found:
        place = bisect_left(series._upper_bounds, value)
        counts[place] = counts.get(place, 0) + 1
    series._sum.inc(sum(found))
    for place, number in counts.items():
        series._buckets[place].inc(number)
