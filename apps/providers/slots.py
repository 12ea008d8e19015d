"""How many calls may run at a time, first come first served, in one event loop."""

import asyncio
from collections import deque


class Slots:
    """At most `limit` at a time; None does not limit. Each `take` that returns True needs a `give`."""

    __slots__ = ("_busy", "_waiting", "limit")

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> int:
        """How many are taken."""
        return self._busy

    def take_now(self) -> bool:
        """Take one if it is free and nobody waits."""
        if self.limit is not None and (self._busy >= self.limit or self._waiting):
            return False
        self._busy += 1
        return True

    async def take(self, seconds: float) -> bool:
        """Take one, waiting at most that long for it."""
        if self.take_now():
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await turn
        except TimeoutError:
            return turn.done() and not turn.cancelled()
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give()  # it came as the waiter was going
            raise
        finally:
            turn.cancel()
        return True

    def give(self) -> None:
        """Give one back; whoever waits longest has it at once."""
        self._busy -= 1
        self._wake()

    def resize(self, limit: int | None) -> None:
        """Change the limit; those that run over a smaller one finish."""
        self.limit = limit
        self._wake()

    def _wake(self) -> None:
        while self._waiting and (self.limit is None or self._busy < self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
