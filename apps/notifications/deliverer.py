"""The cron process's side of sending: a loop in a thread of its own, which each turn gives new work."""

import asyncio
import atexit
import threading
from contextlib import AsyncExitStack, suppress
from typing import Final
from uuid import UUID

from apps.core.logs import get_logger
from apps.notifications.claiming import Place, due_places
from apps.notifications.sending import Sender, open_sender

MOST_ENDPOINTS: Final = 200
"""Endpoints that are sent to at the same moment; further ones wait for the next turn."""

CLOSE_SECONDS: Final = 2.0

logger = get_logger(__name__)


class Deliverer:
    """Sends to many endpoints at once. Nothing is lost with the process: what is claimed has a lease."""

    def __init__(self) -> None:
        self._busy: set[UUID] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: Sender | None = None
        self._stack = AsyncExitStack()

    def turn(self) -> int:
        """Begin to send at endpoints where something is due; returns at how many. Never waits for them."""
        places = [place for place in due_places(2 * MOST_ENDPOINTS) if place.endpoint_id not in self._busy]
        begun = places[: max(0, MOST_ENDPOINTS - len(self._busy))]
        if not begun:
            return 0
        loop = self._started()
        for place in begun:
            self._busy.add(place.endpoint_id)
            asyncio.run_coroutine_threadsafe(self._deliver(place), loop)
        return len(begun)

    def close(self) -> None:
        """Break off what is being sent and let go of all connections; a turn after it begins anew."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        ended = asyncio.run_coroutine_threadsafe(self._end(), loop)
        with suppress(TimeoutError):
            ended.result(timeout=CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        self._sender, self._stack = None, AsyncExitStack()
        self._busy.clear()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon: a slow receiver must not keep the process from ending.
            threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True).start()
            opened = self._stack.enter_async_context(open_sender())
            self._sender = asyncio.run_coroutine_threadsafe(opened, self._loop).result(timeout=10)
            atexit.register(self.close)
        return self._loop

    async def _deliver(self, place: Place) -> None:
        assert self._sender is not None
        try:
            await self._sender.deliver(place)
        except Exception:
            # The leases run out and the deliveries are taken again.
            logger.exception("webhooks.endpoint_failed", extra={"endpoint_id": str(place.endpoint_id)})
        finally:
            self._busy.discard(place.endpoint_id)
