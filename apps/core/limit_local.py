"""The same limits in this process's memory: what holds while Redis is away, and what it is told then."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from apps.core.limit_bounds import LEASE_SECONDS, Rate, Slots, Take

MOST_PLACES: Final = 50_000


class LocalLimits:
    """Rates and slots of one process. It also remembers what Redis said last, and every slot held here."""

    def __init__(self) -> None:
        self._arrivals: dict[bytes, float] = {}
        self._held: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._lock = threading.Lock()

    def take(self, takes: Sequence[Take]) -> list[int]:
        """All or nothing, as the script does it; the numbers are those of its reply."""
        with self._lock:
            now = time.monotonic()
            looks = [self._look(take, now) for take in takes]
            allowed = not any(wait for _, _, wait in looks)
            reply = []
            for take, (before, after, wait) in zip(takes, looks, strict=True):
                used = after if allowed else before
                if isinstance(take.bound, Rate):
                    if allowed:
                        self._keep(take.bound.place, used, now)
                    used = (used - now) * 1e6
                elif allowed:
                    self._held[take.bound.place].add(take.holder)
                reply += [round(used), round(wait * 1e6)]
            return reply

    def refusal(self, takes: Sequence[Take]) -> list[int] | None:
        """The numbers of a refusal, as far as is known here; None where it may well pass. Takes nothing."""
        now = time.monotonic()
        for take in takes:
            if self._look(take, now)[2]:
                return self.look(takes)
        return None

    def look(self, takes: Sequence[Take]) -> list[int]:
        """What the script would answer to these rates now. Takes nothing."""
        now = time.monotonic()
        numbers = []
        for take in takes:
            before, _, wait = self._look(take, now)
            numbers += [round((before - now) * 1e6), round(wait * 1e6)]
        return numbers

    def settle(self, rate: Rate, more: int) -> None:
        """Take so many more of a rate, or give them back where it is less than 0."""
        with self._lock:
            now = time.monotonic()
            after = max(self._arrivals.get(rate.place, now), now) + rate.interval * more
            self._keep(rate.place, min(after, now + 2 * rate.period), now)

    def note(self, takes: Sequence[Take], reply: Sequence[int], at: int, allowed: bool) -> None:
        """Remember what Redis said of these takes, from position `at` of its reply."""
        now = time.monotonic()
        with self._lock:
            for take in takes:
                if isinstance(take.bound, Rate):
                    self._keep(take.bound.place, now + reply[at] / 1e6, now)
                elif allowed:
                    self._held[take.bound.place].add(take.holder)
                at += 2

    def free(self, slots: Slots, holder: bytes) -> None:
        """Give a slot back."""
        with self._lock:
            holders = self._held.get(slots.place)
            if holders is not None:
                holders.discard(holder)
                if not holders:
                    del self._held[slots.place]

    def held(self) -> list[tuple[bytes, bytes]]:
        """Every slot held here: its place and its holder."""
        with self._lock:
            return [(place, holder) for place, holders in self._held.items() for holder in holders]

    def known(self) -> list[tuple[bytes, float]]:
        """The rates that aren't full, as far as is known here: place, and seconds until it is."""
        with self._lock:
            now = time.monotonic()
            return [(place, at - now) for place, at in self._arrivals.items() if at > now]

    def _look(self, take: Take, now: float) -> tuple[float, float, float]:
        bound = take.bound
        if isinstance(bound, Rate):
            before = max(self._arrivals.get(bound.place, now), now)
            after = before + bound.interval * min(take.cost, bound.limit)
            wait = after - bound.period - now
            return before, after, wait if wait > 1e-6 else 0.0
        used = len(self._held.get(bound.place, ()))
        return used, used + 1, 0.0 if used < bound.limit else LEASE_SECONDS

    def _keep(self, place: bytes, arrival: float, now: float) -> None:
        if len(self._arrivals) >= MOST_PLACES and place not in self._arrivals:
            self._arrivals = _unfinished(self._arrivals.items(), now)
        self._arrivals[place] = arrival


def _unfinished(arrivals: Iterable[tuple[bytes, float]], now: float) -> dict[bytes, float]:
    """Those that aren't full; the ones that are full soonest give way where even these are too many."""
    left = sorted(((place, at) for place, at in arrivals if at > now), key=lambda each: each[1])
    return dict(left[-MOST_PLACES // 2 :])
