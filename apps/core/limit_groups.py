"""Limits for an event loop: everything that is asked in one turn goes to Redis in one call of the script.

While a call is under way the next one gathers. Without Redis each process counts for itself, from what it
knows, and a task of its own looks every second whether Redis is back: no request waits for that.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from apps.core.limit_bounds import (
    LEASE_SECONDS,
    SMALL,
    Rate,
    Slots,
    Take,
    Verdict,
    packed,
    verdict_of,
)
from apps.core.limit_local import LocalLimits
from apps.core.limit_script import EPOCH, SCRIPT
from apps.core.logs import get_logger
from apps.core.metrics import counter
from apps.core.redis_line import RedisLine, open_line

CALL_SECONDS: Final = 0.1
"""A call that takes longer is given up, and its limits are counted here."""
LATE_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 1.0
KEEP_SECONDS: Final = LEASE_SECONDS / 3
MOST_IN_GROUP: Final = 128
MOST_ORDERS: Final = 500
ORDER_SECONDS: Final = 0.005
EPOCH_SENT: Final = packed(EPOCH)
CALL_SENT: Final = packed(b"EVALSHA") + packed(
    hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest().encode()
)

COUNTED_LOCALLY: Final = counter(
    "promptsaas_limits_counted_locally", "Checks of limits that were decided without Redis."
)

logger = get_logger(__name__)


class _Ask(NamedTuple):
    takes: Sequence[Take]
    answer: "asyncio.Future[Verdict]"


class _Order(NamedTuple):
    """One thing to do whatever the limits say."""

    place: bytes
    words: bytes


class GroupedLimits:
    """The limits of one event loop. `local` is the process's own count, shared by all its loops."""

    def __init__(self, url: str, local: LocalLimits) -> None:
        self._url = url
        self._local = local
        self._loop = asyncio.get_running_loop()
        self._line: RedisLine | None = None
        self._opening: asyncio.Task[None] | None = None
        self._keeping: asyncio.TimerHandle | None = None
        self._asks: list[_Ask] = []
        self._orders: list[_Order] = []
        self._is_due = False
        self._under_way: _Call | None = None
        self._epoch: bytes | None = None
        self._later: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None
        self._tried = asyncio.Event()

    async def take(self, takes: Sequence[Take]) -> Verdict:
        """Whether all bounds let it pass; if one does not, none is charged. Never raises for Redis's sake."""
        if self._line is None:
            if not self._tried.is_set():
                await self._try()
            if self._line is None:
                return self._decide_here(takes)
        answer: asyncio.Future[Verdict] = self._loop.create_future()
        self._asks.append(_Ask(takes, answer))
        self._send_soon()
        try:
            return await answer
        except asyncio.CancelledError:
            # The verdict may have come in the turn in which whoever asked was leaving.
            if not answer.cancelled() and answer.done() and answer.result().allowed:
                self.give_back(takes)
            raise

    def refused_here(self, takes: Sequence[Take]) -> Verdict | None:
        """The refusal of rates that are known to be used up; None where they may pass. Takes nothing."""
        numbers = self._local.refusal(takes)
        return None if numbers is None else verdict_of(takes, numbers)

    def known_here(self, takes: Sequence[Take]) -> Verdict:
        """What is known of bounds without asking Redis, as if nothing were taken."""
        return verdict_of(takes, self._local.look(takes))

    def settle(self, rate: Rate, more: int) -> None:
        """Take so many more of a rate, or give them back where it is less than 0, whatever its limit says."""
        self._local.settle(rate, more)
        self._order(rate.place, b"settle", b"%r" % rate.interval, b"%d" % rate.limit, b"%d" % more)

    def free(self, slots: Slots, holder: bytes) -> None:
        """Give a slot back."""
        self._local.free(slots, holder)
        self._order(slots.place, b"free", b"", b"", holder)

    def give_back(self, takes: Sequence[Take]) -> None:
        """Undo what was taken."""
        for take in takes:
            if isinstance(take.bound, Rate):
                self.settle(take.bound, -min(take.cost, take.bound.limit))
            else:
                self.free(take.bound, take.holder)

    async def close(self) -> None:
        """Send what is due and close the connection."""
        self._closed = True
        for timer in (self._keeping, self._later):
            if timer is not None:
                timer.cancel()
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._line is None:
            return
        if self._asks or self._orders or self._under_way:
            self._emptied = self._loop.create_future()
            self._send_soon()
            await asyncio.wait({self._emptied}, timeout=CALL_SECONDS)
        self._line.abort()
        await asyncio.sleep(0)

    async def _try(self) -> None:
        """Wait for the first attempt to connect."""
        if self._opening is None:
            self._opening = self._loop.create_task(self._open())
        await self._tried.wait()

    def _order(self, place: bytes, *words: bytes) -> None:
        if self._line is not None:
            self._orders.append(_Order(place, b"".join((SMALL[0], *map(packed, words)))))
            if self._later is None:
                # As a rule the next request takes it along.
                self._later = self._loop.call_later(ORDER_SECONDS, self._send_orders)

    def _send_orders(self) -> None:
        self._later = None
        if self._orders:
            self._send_soon()

    def _send_soon(self) -> None:
        if not self._is_due and self._under_way is None:
            self._is_due = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_due = False
        if self._under_way is not None or not (self._asks or self._orders):
            return
        asks, self._asks = self._asks[:MOST_IN_GROUP], self._asks[MOST_IN_GROUP:]
        orders, self._orders = self._orders[:MOST_ORDERS], self._orders[MOST_ORDERS:]
        asks = [ask for ask in asks if not ask.answer.done()]
        if self._line is None:
            self._decide_all_here(asks)
            return
        self._under_way = _Call(asks, orders, self._ended)
        self._under_way.send(self._line, self._loop)

    def _ended(self, call: "_Call", reply: Any) -> None:
        """A call has its answer, or has failed; the next group may go."""
        self._under_way = None
        if isinstance(reply, list):
            self._deliver(call.asks, reply)
        else:
            self._decide_all_here(call.asks)
            logger.warning("rate_limits.redis_is_away", extra={"error": str(reply)})
            if self._line is not None:
                self._line.abort()
        if self._asks or len(self._orders) >= MOST_ORDERS or (self._closed and self._orders):
            self._send_soon()
        elif not self._orders and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _deliver(self, asks: list[_Ask], reply: list[Any]) -> None:
        at = 1
        for takes, answer in asks:
            verdict = verdict_of(takes, reply, at)
            self._local.note(takes, reply, at, verdict.allowed)
            at += 2 * len(takes)
            if not answer.done():
                answer.set_result(verdict)
            elif verdict.allowed:
                # Whoever asked has gone in the meantime.
                self.give_back(takes)
        if reply[0] != self._epoch:
            if self._epoch is not None:
                self._tell_again()
            self._epoch = reply[0]

    def _decide_all_here(self, asks: list[_Ask]) -> None:
        for takes, answer in asks:
            if not answer.done():
                answer.set_result(self._decide_here(takes))

    def _decide_here(self, takes: Sequence[Take]) -> Verdict:
        COUNTED_LOCALLY.inc()
        return verdict_of(takes, self._local.take(takes))

    def _tell_again(self) -> None:
        """Redis has forgotten: tell it what is known here."""
        self._keep_held()
        for place, seconds in self._local.known():
            self._order(place, b"restore", b"%.6f" % seconds, b"", b"")

    def _keep_held(self) -> None:
        for place, holder in self._local.held():
            self._order(place, b"keep", b"", b"%r" % LEASE_SECONDS, holder)

    def _keep_now_and_then(self) -> None:
        self._keep_held()
        self._keeping = self._loop.call_later(KEEP_SECONDS, self._keep_now_and_then)

    def _lost(self, line: RedisLine) -> None:
        if line is self._line:
            self._line = None
            if not self._closed:
                self._opening = self._loop.create_task(self._open(RETRY_SECONDS))

    async def _open(self, wait: float = 0.0) -> None:
        """Connect, and go on trying."""
        while self._line is None:
            await asyncio.sleep(wait)
            try:
                self._line = await open_line(self._url, self._lost, ("SCRIPT", "LOAD", SCRIPT))
            except OSError as error:
                logger.warning("rate_limits.redis_is_away", extra={"error": str(error)})
            wait = RETRY_SECONDS
            self._tried.set()
        if self._epoch is not None:
            self._tell_again()
        if self._keeping is None:
            self._keep_now_and_then()


class _Call:
    """One call of the script on its way, and its time limit."""

    def __init__(
        self, asks: list[_Ask], orders: list[_Order], on_end: Callable[["_Call", Any], None]
    ) -> None:
        self.asks = asks
        self._orders = orders
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None

    def send(self, line: RedisLine, loop: asyncio.AbstractEventLoop) -> None:
        """On its way."""
        self._timer = loop.call_later(CALL_SECONDS, self._late, line, loop)
        line.call(self._packed(), self._answered)

    def _packed(self) -> bytes:
        # By hand: hiredis' packing of so many words would cost more than all the rest.
        places: list[bytes] = [EPOCH_SENT]
        words: list[bytes] = []
        for order in self._orders:
            places.append(packed(order.place))
            words.append(order.words)
        count = 5 * len(words)
        for takes, _ in self.asks:
            words.append(SMALL[len(takes)])
            count += 1 + 4 * len(takes)
            for take in takes:
                place, asked = take.sent()
                places.append(place)
                words.append(asked)
        head = b"*%d\r\n%b$%d\r\n%d\r\n"
        keys = len(places)
        return b"".join((head % (3 + keys + count, CALL_SENT, len(str(keys)), keys), *places, *words))

    def _answered(self, reply: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._on_end(self, reply)

    def _late(self, line: RedisLine, loop: asyncio.AbstractEventLoop) -> None:
        # After a long turn of the loop timers come before what has arrived: it gets one more chance.
        self._timer = loop.call_later(LATE_SECONDS, line.abort)
