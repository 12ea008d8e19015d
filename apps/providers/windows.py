"""Counts of the last seconds, in a ring of buckets: constant memory, no timers. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened within a window."""

    calls: int
    failures: int

    @property
    def failure_share(self) -> float:
        """From 0 to 1; 0 where nothing was called."""
        return self.failures / self.calls if self.calls else 0.0


class Window:
    """Counts over the last `buckets` times `seconds`, the running bucket included. Times in seconds."""

    __slots__ = ("_calls", "_failures", "_seconds", "_size", "_turns")

    def __init__(self, *, buckets: int = 10, seconds: float = 1.0) -> None:
        self._size, self._seconds = buckets, seconds
        self._calls = [0] * buckets
        self._failures = [0] * buckets
        self._turns = [-1] * buckets

    def add(self, now: float, *, failed: bool) -> None:
        """Count one call that has ended."""
        turn = int(now / self._seconds)
        place = turn % self._size
        if self._turns[place] != turn:
            self._turns[place] = turn
            self._calls[place] = self._failures[place] = 0
        self._calls[place] += 1
        if failed:
            self._failures[place] += 1

    def counts(self, now: float) -> Counts:
        """What was counted within the window."""
        oldest = int(now / self._seconds) - self._size
        places = [place for place in range(self._size) if self._turns[place] > oldest]
        return Counts(
            sum(self._calls[place] for place in places), sum(self._failures[place] for place in places)
        )

    def clear(self) -> None:
        """Forget everything."""
        self._turns = [-1] * self._size
