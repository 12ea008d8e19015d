"""Calling ordinary synchronous code (queries under a Django scope) from the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connections

Result = TypeVar("Result")


class BlockingCalls:
    """A small pool of threads with a Django connection each; the bound on what cache misses may cost."""

    def __init__(self, threads: int = 4) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="blocking")

    async def run(self, call: Callable[[], Result]) -> Result:
        """Run the call in a thread; it opens its own scope."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, _with_connection, call)

    def close(self) -> None:
        """Close every thread's database connection and end the threads."""
        # The barrier makes each thread take exactly one of the calls.
        barrier = threading.Barrier(self._threads)
        for _ in range(self._threads):
            self._executor.submit(_close_connections, barrier)
        self._executor.shutdown(wait=True)


def _with_connection(call: Callable[[], Result]) -> Result:
    close_old_connections()
    return call()


def _close_connections(barrier: threading.Barrier) -> None:
    barrier.wait(timeout=10)
    connections.close_all()
