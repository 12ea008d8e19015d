"""The words of limits: what bounds a caller, what is asked for, what is answered. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from apps.core.errors import RateLimited

LEASE_SECONDS: Final = 30.0
"""How long a slot stays taken after its process was last heard of."""
SLOT_WAIT_SECONDS: Final = 1.0
"""What a refused caller is told: when a slot becomes free, nobody knows."""

MANY: Final = 4096

Words = tuple[bytes | float | int, ...]


def packed(word: bytes) -> bytes:
    """One word of a command as it goes over the wire."""
    return b"$%d\r\n%b\r\n" % (len(word), word)


SMALL: Final = tuple(packed(b"%d" % number) for number in range(MANY))


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` in `period` seconds, evenly: GCRA. `name` is what refusals and metrics call it.

    `interval` is the seconds in which one comes back; `sent` the place and the words as they go over the
    wire, packed once for all the times that it is asked.
    """

    name: str
    place: bytes
    limit: int
    period: float = 60.0
    interval: float = field(init=False)
    sent: tuple[bytes, bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        interval = self.period / self.limit
        words = (b"rate", b"%r" % interval, b"%d" % self.limit)
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "sent", (packed(self.place), b"".join(map(packed, words))))


@dataclass(frozen=True, slots=True)
class Slots:
    """At most `limit` at a time."""

    name: str
    place: bytes
    limit: int
    sent: tuple[bytes, bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        words = (b"slot", b"%d" % self.limit, b"%r" % LEASE_SECONDS)
        object.__setattr__(self, "sent", (packed(self.place), b"".join(map(packed, words))))


Bound = Rate | Slots


class Take(NamedTuple):
    """What is asked of a bound: `cost` of a rate, a slot for `holder`."""

    bound: Bound
    cost: int = 1
    holder: bytes = b""

    def sent(self) -> tuple[bytes, bytes]:
        """Its place and its words as they go over the wire."""
        bound, cost, holder = self
        place, words = bound.sent
        if isinstance(bound, Slots):
            return place, words + packed(holder)
        cost = min(cost, bound.limit)
        return place, words + (SMALL[cost] if cost < MANY else packed(b"%d" % cost))

    def words(self) -> Words:
        """As the script reads it. More than a whole allowance is asked for as a whole one."""
        bound = self.bound
        if isinstance(bound, Rate):
            return b"rate", bound.interval, bound.limit, min(self.cost, bound.limit)
        return b"slot", bound.limit, LEASE_SECONDS, self.holder


class Decision(NamedTuple):
    """Whether a call may go on. Times in seconds: until the allowance is full, until a retry makes sense."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float
    name: str = ""

    def headers(self) -> dict[str, str]:
        """`RateLimit-*` headers, and Retry-After for a refusal."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.reset_after)),
        }
        if not self.allowed:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return headers

    def enforce(self) -> None:
        """Raise RateLimited for a refusal."""
        if not self.allowed:
            raise RateLimited("Too many requests; try again later.", retry_after=self.retry_after)


class Verdict(NamedTuple):
    """All bounds of a request, in the order asked: together they let it pass, or none was charged."""

    allowed: bool
    decisions: tuple[Decision, ...]

    def refused(self) -> Decision | None:
        """The refusal that lasts longest, None where it may pass."""
        if self.allowed:
            return None
        return max(self.decisions, key=lambda decision: decision.retry_after)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds a caller, by what is counted: requests (at the door), tokens, runs at a time."""

    requests: tuple[Take, ...] = ()
    tokens: tuple[Rate, ...] = ()
    runs: tuple[Slots, ...] = ()

    def __add__(self, other: "Bounds") -> "Bounds":
        """Both."""
        return Bounds(self.requests + other.requests, self.tokens + other.tokens, self.runs + other.runs)


UNBOUNDED: Final = Bounds()


def bounds_of(
    scope: str, key: str, *, requests: int | None = None, tokens: int | None = None, runs: int | None = None
) -> Bounds:
    """The bounds of a `scope` ("key", "organization", …) for its `key`; None does not limit."""
    return Bounds(
        requests=(Take(_rate(scope, "requests", key, requests)),) if requests else (),
        tokens=(_rate(scope, "tokens", key, tokens),) if tokens else (),
        runs=(Slots(f"{scope}.concurrent_runs", f"slots:{scope}:{key}".encode(), runs),) if runs else (),
    )


def _rate(scope: str, unit: str, key: str, limit: int) -> Rate:
    return Rate(f"{scope}.{unit}_per_minute", f"rate:{scope}_{unit}:{key}".encode(), limit)


def verdict_of(takes: Sequence[Take], reply: Sequence[int], at: int = 0) -> Verdict:
    """The script's numbers from position `at`: two for each take, in microseconds or slots."""
    allowed = True
    decisions = []
    for bound, _, _ in takes:
        used, wait = reply[at], reply[at + 1]
        at += 2
        if wait:
            allowed = False
        decisions.append(_decision(bound, used, wait / 1e6))
    return Verdict(allowed, tuple(decisions))


def _decision(bound: Bound, used: int, wait: float) -> Decision:
    if isinstance(bound, Slots):
        remaining = max(0, bound.limit - used)
        return Decision(
            not wait, bound.limit, remaining, SLOT_WAIT_SECONDS, min(wait, SLOT_WAIT_SECONDS), bound.name
        )
    full_in = used / 1e6
    # The reply is rounded to microseconds, which is nothing of a second but much of a short interval.
    limit = bound.limit
    remaining = int(limit - (full_in - 1e-6) / bound.interval)
    if remaining < 0:
        remaining = 0
    return Decision(not wait, limit, min(limit, remaining), full_in, wait, bound.name)
