"""What one gateway process holds open: the runtime, the door, the runs in flight."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from apps.core import tallies
from apps.core.collector import spare_the_collector
from apps.core.errors import Unavailable
from apps.core.large_pages import lay_on_large_pages
from apps.core.logs import get_logger
from apps.core.metrics import highest_gauge, summed_gauge
from apps.gateway.admission import KeyDoor
from apps.gateway.playground_door import PlaygroundDoor
from apps.gateway.served_versions import ServedVersions
from apps.gateway.stopping import on_stop_signal
from apps.runs.runtime import Runtime, open_runtime

# Room for 2,000 streams; what comes beyond is told to come again, which needs room at the server as well.
MOST_RUNS_AT_ONCE: Final = 3000
MARK_USED_SECONDS: Final = 20.0
REPORT_SECONDS: Final = 2.0
POOL_FIGURES: Final = ("pool_size", "pool_available", "pool_max", "requests_waiting")

RUNS_IN_FLIGHT: Final = summed_gauge("promptsaas_runs_in_flight", "Runs that the gateway carries now.")
FEED_LAG: Final = highest_gauge(
    "promptsaas_change_feed_lag_seconds",
    "Time since the change feed was last read; over 1 the gateway answers 503.",
)
DATABASE_POOL: Final = summed_gauge(
    "promptsaas_database_pool",
    "Connections of the recorder's pool: size, available, max; requests_waiting for one.",
    ("figure",),
)

logger = get_logger(__name__)


class Serving:
    """The state of a process between start and stop."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.door = KeyDoor(runtime)
        self.playground_door = PlaygroundDoor(runtime)
        self.versions = ServedVersions(runtime)
        self.draining = False
        self._draining: asyncio.Task[None]
        self._in_flight: set[asyncio.Task[Any]] = set()

    def run_slot(self) -> "RunSlot":
        """A block that counts this task's run in flight.

        Entering it raises Unavailable when the process can't carry another.
        """
        return RunSlot(self, self._in_flight)

    async def mark_used_forever(self) -> None:
        """Note now and then which keys were used; losing a note is harmless."""
        while True:
            await asyncio.sleep(MARK_USED_SECONDS)
            try:
                await self.door.mark_used()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("gateway.mark_used_failed", extra={"error": str(error)})

    async def report_forever(self) -> None:
        """Tell now and then what this process holds, for Prometheus."""
        while True:
            RUNS_IN_FLIGHT.set(len(self._in_flight))
            FEED_LAG.set(self.runtime.freshness.lag_seconds())
            pool = self.runtime.pool.get_stats()
            for name in POOL_FIGURES:
                DATABASE_POOL.labels(name.removeprefix("pool_")).set(pool.get(name, 0))
            await asyncio.sleep(REPORT_SECONDS)

    def begin_drain(self) -> None:
        """Refuse new runs; break off, and record, what is left in flight after a while."""
        if not self.draining:
            self.draining = True
            self._draining = asyncio.create_task(self._drain())

    async def drained(self) -> None:
        """Return when no run is in flight any more."""
        self.begin_drain()
        await self._draining

    async def _drain(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=settings.GATEWAY_DRAIN_SECONDS)
        left = list(self._in_flight)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class RunSlot:
    """What `Serving.run_slot` gives; `task` is the one in which the run is carried out."""

    __slots__ = ("_in_flight", "_serving", "task")

    task: asyncio.Task[Any]

    def __init__(self, serving: Serving, in_flight: set[asyncio.Task[Any]]) -> None:
        self._serving = serving
        self._in_flight = in_flight

    def __enter__(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        if task is None or self._serving.draining or len(self._in_flight) >= MOST_RUNS_AT_ONCE:
            raise Unavailable("The gateway is busy; try again.", code="overloaded", retry_after=1)
        self._in_flight.add(task)
        self.task = task
        return task

    def __exit__(self, *_: object) -> None:
        self._in_flight.discard(self.task)


@asynccontextmanager
async def open_serving() -> AsyncIterator[Serving]:
    """Open everything that a gateway process needs, in the running loop."""
    async with tallies.gathering(), open_runtime() as runtime:
        serving = Serving(runtime)
        marking = asyncio.create_task(serving.mark_used_forever())
        reporting = asyncio.create_task(serving.report_forever())
        try:
            spare_the_collector()
            # Its calls don't hold the interpreter, and no request waits for it.
            threading.Thread(target=lay_on_large_pages, daemon=True).start()
            with on_stop_signal(serving.begin_drain):
                yield serving
                await serving.drained()
        finally:
            marking.cancel()
            reporting.cancel()
