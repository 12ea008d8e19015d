"""How many calls of work that can wait may be in flight to one connection, in one process. No I/O.

The provider says: each answer lets the bound grow a little, so by one a round of calls; "too many requests"
halves it, once for all calls that were under way, and nothing more is begun before the time that the provider
named. Without a word from it nothing is bounded. See docs/decisions/0035.
"""

import time
from collections.abc import Callable
from typing import Final

FIRST_REST: Final = 1.0
"""Seconds of rest where the provider names none; doubled as long as nothing but refusals comes."""
LONGEST_REST: Final = 60.0
LONGEST_ASKED: Final = 3600.0
FORGOTTEN_ABOVE: Final = 1024
"""A bound that has grown so far bounds nothing any more."""


class Pace:
    """Additive increase, multiplicative decrease. `busy` is what is in flight, with the call in question."""

    __slots__ = ("_clock", "_limit", "_rest", "_rests_until", "_under_way")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit: float | None = None
        self._rest = FIRST_REST
        self._rests_until = 0.0
        self._under_way = 0

    @property
    def limit(self) -> int | None:
        """How many calls may be in flight; None is no bound."""
        return None if self._limit is None else int(self._limit)

    def rests_for(self) -> float:
        """Seconds until a call may be begun."""
        return max(0.0, self._rests_until - self._clock())

    def answered(self, busy: int) -> None:
        """The provider has answered a call."""
        self._under_way = max(0, self._under_way - 1)
        self._rest = FIRST_REST
        # What is not used says nothing about whether more would be taken.
        if self._limit is not None and busy * 2 >= self._limit:
            self._limit += 1 / self._limit
            if self._limit >= FORGOTTEN_ABOVE:
                self._limit = None

    def refused(self, busy: int, retry_after: float | None) -> None:
        """The provider has asked for fewer calls, and for none before `retry_after` seconds."""
        if self._under_way:
            # Begun before the bound was halved: it tells nothing new but for how long to wait.
            self._under_way -= 1
            if retry_after:
                self.rest(retry_after)
            return
        self._limit = max(1.0, min(busy, self._limit or busy) / 2)
        self._under_way = max(0, busy - 1)
        self.rest(retry_after or self._rest)
        self._rest = min(LONGEST_REST, self._rest * 2)

    def rest(self, seconds: float) -> None:
        """Begin no call for so long."""
        until = self._clock() + min(seconds, LONGEST_ASKED)
        self._rests_until = max(self._rests_until, until)
