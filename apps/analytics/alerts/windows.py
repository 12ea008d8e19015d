"""Sums over a window that slides over the points of a series. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from apps.analytics.metrics import NOTHING, Sums

Points = Mapping[datetime, Sums]


def sliding_sums(points: Points, ends: Sequence[datetime], window: timedelta) -> list[Sums]:
    """What the points of the window before each of the rising `ends` add up to.

    Sums can be added but not taken apart (percentiles come from histograms), so the window is a queue of two
    stacks: about two additions a point, however long the window is.
    """
    rising = sorted(points)
    queue = _Queue()
    found: list[Sums] = []
    place = 0
    for end in ends:
        while place < len(rising) and rising[place] < end:
            queue.push(rising[place], points[rising[place]])
            place += 1
        queue.drop_before(end - window)
        found.append(queue.total())
    return found


class _Queue:
    """`_old` holds running sums from its newest to its oldest, which is on top; `_new` waits behind it."""

    def __init__(self) -> None:
        self._old: list[tuple[datetime, Sums]] = []
        self._new: list[tuple[datetime, Sums]] = []
        self._new_total = NOTHING

    def push(self, moment: datetime, sums: Sums) -> None:
        self._new.append((moment, sums))
        self._new_total = self._new_total + sums

    def drop_before(self, moment: datetime) -> None:
        while self._first() is not None and self._first() < moment:  # type: ignore[operator]
            if not self._old:
                self._turn()
            self._old.pop()

    def total(self) -> Sums:
        return self._old[-1][1] + self._new_total if self._old else self._new_total

    def _first(self) -> datetime | None:
        if self._old:
            return self._old[-1][0]
        return self._new[0][0] if self._new else None

    def _turn(self) -> None:
        running = NOTHING
        for moment, sums in reversed(self._new):
            running = sums + running
            self._old.append((moment, running))
        self._new, self._new_total = [], NOTHING
