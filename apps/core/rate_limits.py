"""Rate limits: GCRA, smooth and exact, in one atomic step in Redis.

Without Redis each process counts for itself, or refuses where the caller says so (sign-in).
"""

import math
import threading
import time
from dataclasses import dataclass
from typing import Final

from apps.core import redis
from apps.core.errors import RateLimited
from apps.core.logs import get_logger

# One number per key: the theoretical arrival time, at which the allowance is full again. Redis's own clock
# is used, so that hosts need not agree on the time.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local interval, limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local next_arrival = arrival + interval * cost
local wait = next_arrival - interval * limit - now
if wait > 0.000001 then
    return {0, string.format('%.6f', arrival - now), string.format('%.6f', wait)}
end
local keep = math.ceil((next_arrival - now) * 1000) + 1
redis.call('SET', KEYS[1], string.format('%.6f', next_arrival), 'PX', keep)
return {1, string.format('%.6f', next_arrival - now), '0'}
"""
BREAK_SECONDS: Final = 1.0
LOCAL_KEYS: Final = 50_000

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may go on. Times in seconds: until the allowance is full, until a retry makes sense."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float

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


def check(
    name: str, key: str, limit: int, period: float, *, cost: int = 1, fail_closed: bool = False
) -> Decision:
    """Take `cost` from the allowance of `limit` calls in `period` seconds, kept for `key` under `name`."""
    if limit <= 0:
        return Decision(False, 0, 0, period, period)
    place, interval = f"rate:{name}:{key}", period / limit
    if _breaker.is_closed():
        try:
            reply = redis.client().register_script(SCRIPT)(keys=[place], args=[interval, limit, cost])
            return _decision(reply, interval, limit)
        except redis.DEAD_REDIS as error:
            _breaker.trip(error)
    return _without_redis(place, interval, limit, cost, fail_closed)


async def acheck(
    name: str, key: str, limit: int, period: float, *, cost: int = 1, fail_closed: bool = False
) -> Decision:
    """`check` for an event loop."""
    if limit <= 0:
        return Decision(False, 0, 0, period, period)
    place, interval = f"rate:{name}:{key}", period / limit
    if _breaker.is_closed():
        try:
            reply = await redis.async_client().register_script(SCRIPT)(
                keys=[place], args=[interval, limit, cost]
            )
            return _decision(reply, interval, limit)
        except redis.DEAD_REDIS as error:
            _breaker.trip(error)
    return _without_redis(place, interval, limit, cost, fail_closed)


def _decision(reply: list[bytes | int], interval: float, limit: int) -> Decision:
    allowed, full_in, wait = bool(reply[0]), float(reply[1]), float(reply[2])
    remaining = math.floor(limit - full_in / interval + 1e-6)
    return Decision(allowed, limit, max(0, remaining), full_in, wait)


def _without_redis(place: str, interval: float, limit: int, cost: int, fail_closed: bool) -> Decision:
    if fail_closed:
        return Decision(False, limit, 0, BREAK_SECONDS, BREAK_SECONDS)
    return _local.take(place, interval, limit, cost)


class _Breaker:
    """After a failure Redis is left alone for a second: its time-out must not be paid by every request."""

    def __init__(self) -> None:
        self._open_until = -math.inf

    def is_closed(self) -> bool:
        return time.monotonic() >= self._open_until

    def trip(self, error: Exception) -> None:
        self._open_until = time.monotonic() + BREAK_SECONDS
        logger.warning("rate_limits.redis_is_away", extra={"error": str(error)})

    def reset(self) -> None:
        self._open_until = -math.inf


class _LocalLimits:
    """The same arithmetic in this process's memory."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, place: str, interval: float, limit: int, cost: int) -> Decision:
        with self._lock:
            now = time.monotonic()
            arrival = max(self._arrivals.get(place, now), now)
            following = arrival + interval * cost
            wait = following - interval * limit - now
            if wait > 1e-6:
                return _decision([0, str(arrival - now).encode(), str(wait).encode()], interval, limit)
            if len(self._arrivals) >= LOCAL_KEYS:
                self._arrivals = {name: at for name, at in self._arrivals.items() if at > now}
            self._arrivals[place] = following
        return _decision([1, str(following - now).encode(), b"0"], interval, limit)


_breaker = _Breaker()
_local = _LocalLimits()
