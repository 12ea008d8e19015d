"""Rate limits: GCRA, smooth and exact, in one atomic step in Redis.

Without Redis each process counts for itself, or refuses where the caller says so (sign-in). An event loop's
checks go to Redis in groups: see `limit_groups`.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from redis.commands.core import Script

from apps.core import redis
from apps.core.limit_bounds import Decision, Rate, Take, Verdict, verdict_of
from apps.core.limit_groups import GroupedLimits
from apps.core.limit_local import LocalLimits
from apps.core.limit_script import EPOCH, SCRIPT
from apps.core.logs import get_logger

BREAK_SECONDS: Final = 1.0

logger = get_logger(__name__)


def check(
    name: str, key: str, limit: int, period: float, *, cost: int = 1, fail_closed: bool = False
) -> Decision:
    """Take `cost` from the allowance of `limit` calls in `period` seconds, kept for `key` under `name`."""
    if limit <= 0:
        return Decision(False, 0, 0, period, period)
    take = _take(name, key, limit, period, cost)
    if _breaker.is_closed():
        try:
            client = redis.client()
            words = [1, *take.words()]
            reply = Script(client, SCRIPT)(keys=[EPOCH, take.bound.place], args=words)
            return verdict_of([take], reply, 1).decisions[0]
        except redis.DEAD_REDIS as error:
            _breaker.trip(error)
    if fail_closed:
        return Decision(False, limit, 0, BREAK_SECONDS, BREAK_SECONDS)
    return verdict_of([take], _local.take([take])).decisions[0]


async def acheck(name: str, key: str, limit: int, period: float, *, cost: int = 1) -> Decision:
    """`check` for an event loop."""
    if limit <= 0:
        return Decision(False, 0, 0, period, period)
    verdict = await grouped().take([_take(name, key, limit, period, cost)])
    return verdict.decisions[0]


async def take_all(takes: Sequence[Take]) -> Verdict:
    """Ask all these bounds: together they let the request pass, or none of them is charged."""
    return await grouped().take(takes)


def grouped() -> GroupedLimits:
    """The running event loop's limits."""
    loop = asyncio.get_running_loop()
    found = _grouped.get(loop)
    if found is None:
        found = _grouped[loop] = GroupedLimits(settings.REDIS_URL, _local)
        redis.at_close(_close_grouped)
    return found


def place_of(name: str, key: str) -> bytes:
    """Where an allowance is kept."""
    return f"rate:{name}:{key}".encode()


async def _close_grouped() -> None:
    await _grouped.pop(asyncio.get_running_loop()).close()


def _take(name: str, key: str, limit: int, period: float, cost: int) -> Take:
    return Take(Rate(name, place_of(name, key), limit, period), cost)


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


_breaker = _Breaker()
_local = LocalLimits()
_grouped: dict[asyncio.AbstractEventLoop, GroupedLimits] = {}
