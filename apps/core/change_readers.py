"""Following the change feed in an event loop, on a database connection of its own, never Django's."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from django.db import connections

from apps.core import changes, redis
from apps.core.changes import CHANNEL, KEPT, POLL_SECONDS, READ, OnChange, Position
from apps.core.logs import get_logger
from apps.core.scope import SYSTEM_ROLE

RETRY_SECONDS: Final = 0.2
BELL_RETRY_SECONDS: Final = 1.0
# Rings come in bursts; a read every 20 ms is soon enough.
LEAST_SECONDS_BETWEEN_READS: Final = 0.02

logger = get_logger(__name__)


def connection_parameters() -> dict[str, Any]:
    """Arguments for `psycopg.connect`, the same as Django's connection has."""
    parameters = dict(connections["default"].get_connection_params())
    for own in ("cursor_factory", "context", "pool", "server_side_binding"):
        parameters.pop(own, None)
    return parameters


class ChangeReader:
    """Follows the feed in two tasks of the running event loop: one reads, one listens for the bell.

    `on_change` is called for every line, in the loop; `on_reset` when lines may have been missed.
    """

    def __init__(
        self, *, on_change: OnChange, on_reset: Callable[[], None], poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._on_change = on_change
        self._on_reset = on_reset
        self._poll_seconds = poll_seconds
        self._position = Position()
        self._read_at = -math.inf
        self._bell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def stale_for(self) -> float:
        """Seconds since the start of the last good read; infinite before the first."""
        return time.monotonic() - self._read_at

    def start(self) -> None:
        """Begin to follow; call it in the running loop."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        """End both tasks and close the connection."""
        pending = set(self._tasks)
        while pending:
            # Again and again: redis-py swallows a cancellation that falls into its connecting.
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)

    async def _run(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(**connection_parameters(), autocommit=True)
                async with connection:
                    await self._follow(connection)
            except (psycopg.Error, OSError) as error:
                logger.warning("changes.feed_is_away", extra={"error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("changes.delivery_failed")
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            started = time.monotonic()
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
                cursor = await connection.execute(READ, [self._position.transaction_id])
                rows = await cursor.fetchall()
            self._take(rows, started)
            await asyncio.sleep(LEAST_SECONDS_BETWEEN_READS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), self._poll_seconds)
            self._bell.clear()

    def _take(self, rows: list[changes.Row], started: float) -> None:
        # After a gap longer than lines are kept, what was missed can't be known: everything is forgotten.
        missed = self._read_at != -math.inf and started - self._read_at > KEPT.total_seconds() / 2
        lines, position = changes.advance(self._position, rows)
        if missed:
            self._on_reset()
        for line in lines:
            self._on_change(line)
        # Only now: lines whose delivery failed come again, and until then the feed counts as stale.
        self._position, self._read_at = position, started

    async def _listen(self) -> None:
        while True:
            try:
                async with redis.async_client().pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    while True:
                        if await pubsub.get_message(timeout=30) is not None:
                            self._bell.set()
            except redis.DEAD_REDIS:
                await asyncio.sleep(BELL_RETRY_SECONDS)
