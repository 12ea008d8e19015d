"""A bound on the time that a block of a task may take, for paths that thousands of requests a second walk."""

import asyncio
from types import TracebackType
from typing import Final

NEVER: Final = float("inf")


class Alarm:
    """Something that happens at a time unless it is called off before: override `ring`."""

    __slots__ = ("_alarms", "due")

    due: float
    _alarms: "_Alarms"

    def set(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Ring in the running loop after so many seconds."""
        global _last
        alarms = _last
        if alarms is None or alarms.loop is not loop:
            alarms = _last = _Alarms(loop)
        self._alarms = alarms
        self.due = loop.time() + seconds
        alarms.waiting.add(self)
        if self.due < alarms.next_look:
            alarms.look_at(self.due)

    def call_off(self) -> None:
        """Don't ring any more."""
        self._alarms.waiting.discard(self)

    def ring(self) -> None:
        """What is to happen."""
        raise NotImplementedError


class _Alarms:
    """The alarms of a loop, behind one timer.

    Nearly all are called off long before they ring, and most lie farther ahead than the next look: then
    setting one is an addition to a set. A timer of its own for each took 2 µs.
    """

    __slots__ = ("_timer", "loop", "next_look", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: set[Alarm] = set()
        self.next_look = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def look_at(self, moment: float) -> None:
        """Look at that moment, by the loop's clock."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_look = moment
        self._timer = self.loop.call_at(moment, self._look)

    def _look(self) -> None:
        """Ring what is due; the next look is for the one after it."""
        # A timer may come a moment early: clocks of loops count milliseconds.
        now = max(self.loop.time(), self.next_look)
        self._timer, self.next_look = None, NEVER
        due = [alarm for alarm in self.waiting if alarm.due <= now]
        self.waiting.difference_update(due)
        for alarm in due:
            alarm.ring()
        if self.waiting:
            soonest = min(alarm.due for alarm in self.waiting)
            if soonest < self.next_look:
                self.look_at(soonest)


_last: _Alarms | None = None
"""Of the loop that set one last. Threads with loops of their own only make new ones now and then."""


class Deadline(Alarm):
    """`asyncio.timeout` in the one way that the paths of requests need it, at a tenth of its cost.

    Leaving the block late raises TimeoutError; a cancellation from elsewhere stays one.
    """

    __slots__ = ("_asked", "_expired", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        # Each question for the running loop is one to the kernel for the process's id.
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._asked = task.cancelling()
        self.set(loop, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.call_off()
        if not self._expired:
            return
        if (
            self._task.uncancel() <= self._asked
            and kind is not None
            and issubclass(kind, asyncio.CancelledError)
        ):
            raise TimeoutError from error

    def ring(self) -> None:
        """See Alarm."""
        self._expired = True
        self._task.cancel()
