"""The health of connections, told through Redis by every process that calls them and read by the pages.

Each process writes what it knows every few seconds; a page adds up what was written lately. Nothing decides
by it: breakers live in their process alone, so Redis may be away or flushed, and then health is unknown.
"""

import asyncio
import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from apps.core.logs import get_logger
from apps.core.redis import DEAD_REDIS, async_client, client
from apps.providers.health import ConnectionHealth, HealthBook

ShownState = Literal["unknown", "healthy", "unsteady", "failing", "recovering"]

PUBLISH_SECONDS: Final = 3.0
KEPT_SECONDS: Final = 300
STALE_SECONDS: Final = 15.0
"""A process that has said nothing for so long has ended."""
_STATES: Final[dict[str, ShownState]] = {"closed": "healthy", "open": "failing", "half_open": "recovering"}
UNSTEADY_SHARE: Final = 0.1
_WORST: Final[tuple[ShownState, ...]] = ("failing", "recovering", "healthy")
_PROCESS: Final = f"{socket.gethostname()}:{os.getpid()}"

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShownHealth:
    """A connection's health over all processes. Times in Unix seconds; None is unknown.

    Failing and recovering ones are rested; unsteady ones are called, but a tenth of their calls fail. `calls`
    and `failures` are those of the last five minutes.
    """

    state: ShownState = "unknown"
    since: float | None = None
    calls: int = 0
    failures: int = 0
    last_error: str = ""
    last_error_at: float | None = None

    @property
    def failure_share(self) -> float | None:
        """From 0 to 1; None where nothing was called."""
        return self.failures / self.calls if self.calls else None


UNKNOWN: Final = ShownHealth()


async def publish_forever(book: HealthBook) -> None:
    """Tell what this process knows, every few seconds, until cancelled."""
    told: set[UUID] = set()
    while True:
        await asyncio.sleep(PUBLISH_SECONDS)
        try:
            told = await publish(book, told)
        except DEAD_REDIS:
            continue  # the next turn tells it all again
        except Exception:
            logger.exception("providers.health_not_told")


async def publish(book: HealthBook, told: set[UUID]) -> set[UUID]:
    """Write every connection that was called lately, once more after its last call."""
    lately = {health.credential_id: health for health in book if health.credential_id is not None}
    active = {key for key, health in lately.items() if health.counts().calls or health.state != "closed"}
    if not active | told:
        return active
    async with async_client().pipeline(transaction=False) as pipe:
        for key in active | told:
            health = lately.get(key)
            if health is not None:
                name = _key(health.organization_id, key)
                pipe.hset(name, _PROCESS, orjson.dumps(_summary(health)))
                pipe.expire(name, KEPT_SECONDS)
        await pipe.execute()
    return active


def _summary(health: ConnectionHealth) -> dict[str, Any]:
    counts, error = health.counts(), health.last_error
    return {
        "state": health.state,
        "since": health.since,
        "calls": counts.calls,
        "failures": counts.failures,
        "error": error.message if error else "",
        "error_at": error.at if error else None,
        "at": time.time(),
    }


def read_health(organization_id: UUID, credential_ids: Iterable[UUID]) -> Mapping[UUID, ShownHealth]:
    """The health of connections, as far as it is known; without Redis nothing is."""
    wanted = list(credential_ids)
    if not wanted:
        return {}
    try:
        with client().pipeline(transaction=False) as pipe:
            for credential_id in wanted:
                pipe.hgetall(_key(organization_id, credential_id))
            found = pipe.execute()
    except DEAD_REDIS:
        return {}
    return {key: shown_health(told.values()) for key, told in zip(wanted, found, strict=True) if told}


def shown_health(told: Iterable[bytes]) -> ShownHealth:
    """What the processes told of one connection, added up; what is old has no say."""
    now = time.time()
    summaries = [summary for summary in map(orjson.loads, told) if now - summary["at"] <= STALE_SECONDS]
    summaries = [each for each in summaries if each["calls"] or each["state"] != "closed"]
    if not summaries:
        return UNKNOWN
    state = min((_STATES[each["state"]] for each in summaries), key=_WORST.index)
    errors = [each for each in summaries if each["error_at"] is not None]
    calls, failures = (sum(each[name] for each in summaries) for name in ("calls", "failures"))
    if state == "healthy" and failures >= UNSTEADY_SHARE * calls > 0:
        state = "unsteady"
    last = max(errors, key=lambda each: float(each["error_at"]), default=None)
    return ShownHealth(
        state=state,
        since=min((each["since"] for each in summaries if _STATES[each["state"]] == state), default=None),
        calls=calls,
        failures=failures,
        last_error=last["error"] if last else "",
        last_error_at=last["error_at"] if last else None,
    )


def _key(organization_id: UUID, credential_id: UUID) -> str:
    return f"provider-health:{organization_id}:{credential_id}"
