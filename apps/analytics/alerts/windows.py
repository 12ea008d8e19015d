"""Sums over a window that slides over the points of a series. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import add, attrgetter, sub
from typing import TypeVar

from apps.analytics.metrics import COUNTS, Sums

Points = Mapping[datetime, Sums]
Key = TypeVar("Key", int, str)
_counts_of = attrgetter(*COUNTS)


def sliding_sums(points: Points, ends: Sequence[datetime], window: timedelta) -> list[Sums]:
    """What the points of the window before each of the rising `ends` add up to.

    Each point is added once and taken off once, however long the window is. That is exact: everything in
    sums, histograms too, is whole numbers and decimals.
    """
    rising = sorted(points)
    running = _Running()
    found: list[Sums] = []
    entered = left = 0
    for end in ends:
        moved = False
        while entered < len(rising) and rising[entered] < end:
            running.add(points[rising[entered]])
            entered, moved = entered + 1, True
        while left < entered and rising[left] < end - window:
            running.take_off(points[rising[left]])
            left, moved = left + 1, True
        found.append(running.sums() if moved or not found else found[-1])
    return found


class _Running:
    """Sums that can be added to and taken off from; counts of histograms that come to 0 are left out."""

    def __init__(self) -> None:
        self._counts: list[int] = [0] * len(COUNTS)
        self._cost = Decimal(0)
        self._latency: dict[int, int] = {}
        self._errors: dict[str, int] = {}

    def add(self, point: Sums) -> None:
        self._counts = list(map(add, self._counts, _counts_of(point)))
        self._cost += point.cost
        _add(self._latency, point.latency)
        _add(self._errors, point.errors)

    def take_off(self, point: Sums) -> None:
        self._counts = list(map(sub, self._counts, _counts_of(point)))
        self._cost -= point.cost
        _take_off(self._latency, point.latency)
        _take_off(self._errors, point.errors)

    def sums(self) -> Sums:
        counts = dict(zip(COUNTS, self._counts, strict=True))
        return Sums(**counts, cost=self._cost, latency=dict(self._latency), errors=dict(self._errors))


def _add(counts: dict[Key, int], more: Mapping[Key, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def _take_off(counts: dict[Key, int], less: Mapping[Key, int]) -> None:
    for key, count in less.items():
        counts[key] -= count
        if not counts[key]:
            del counts[key]
