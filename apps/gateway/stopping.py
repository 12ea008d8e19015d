"""Noticing early that the process is told to stop.

The server first waits for all connections to end and only then tells the application, so a long run would
be killed unrecorded. The signal's own handler stays in force; ours runs before it.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop_signal(begin: Callable[[], None]) -> Iterator[None]:
    """Call `begin` in the running loop when the process gets SIGTERM or SIGINT.

    Does nothing where nobody handles these signals, and outside the main thread.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                stack.enter_context(_chained(number, lambda: loop.call_soon_threadsafe(begin)))
        yield


@contextmanager
def _chained(number: signal.Signals, notify: Callable[[], object]) -> Iterator[None]:
    before = signal.getsignal(number)
    if not callable(before):
        yield
        return

    def handle(received: int, frame: FrameType | None) -> None:
        notify()
        before(received, frame)

    signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)
