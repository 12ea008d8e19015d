"""One bare connection to Redis for one event loop, for calls that every request makes.

redis-py costs ten times as much a call: this packs and reads by hiredis and answers through callbacks.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import parse_url

OnReply = Callable[[Any], None]
CONNECT_SECONDS: Final = 0.5
_MORE: Final = object()


class LineError(ConnectionError):
    """The connection is gone, or Redis said something that nobody understands."""


class RedisLine(asyncio.Protocol):
    """Calls in order, replies in order. A connection that broke stays broken: open another one."""

    def __init__(self, on_lost: "OnLost") -> None:
        self._on_lost = on_lost
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._waiting: deque[OnReply] = deque()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports are none by birth.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _MORE:
                self._waiting.popleft()(reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol: whoever waits is told."""
        self._transport = None
        lost = LineError("The connection to Redis was lost.")
        while self._waiting:
            self._waiting.popleft()(lost)
        self._on_lost(self)

    def call(self, packed: bytes, on_reply: OnReply) -> None:
        """Send a packed command; `on_reply` gets the reply, a hiredis.ReplyError or a LineError."""
        if self._transport is None:
            on_reply(LineError("There is no connection to Redis."))
            return
        self._waiting.append(on_reply)
        self._transport.write(packed)

    def abort(self) -> None:
        """Drop the connection at once; whoever waits is told."""
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, *words: str | bytes) -> Any:
        """One call for its reply. Raises LineError."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(reply: Any) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.call(pack(words), answered)
        reply = await answer
        if isinstance(reply, Exception):
            raise LineError(str(reply))
        return reply


def pack(words: Sequence[str | bytes | float | int]) -> bytes:
    """A command as it goes over the wire."""
    # hiredis' types promise less than it takes.
    return cast(bytes, hiredis.pack_command(tuple(words)))  # type: ignore[arg-type]


OnLost = Callable[[RedisLine], None]


async def open_line(url: str, on_lost: OnLost, *commands: Sequence[str]) -> RedisLine:
    """Connect, sign in, choose the database, and give these commands.

    Raises OSError, which TimeoutError and LineError are.
    """
    place = parse_url(url)
    loop = asyncio.get_running_loop()
    line = RedisLine(on_lost)
    async with asyncio.timeout(CONNECT_SECONDS):
        if "path" in place:
            await loop.create_unix_connection(lambda: line, place["path"])
        else:
            host, port = place.get("host", "localhost"), place.get("port", 6379)
            await loop.create_connection(lambda: line, host, port, ssl=_encryption(url, place))
        try:
            if place.get("password"):
                await line.ask("AUTH", *filter(None, (place.get("username"), place["password"])))
            await line.ask("SELECT", str(place.get("db", 0)))
            for command in commands:
                await line.ask(*command)
        except BaseException:
            line.abort()
            raise
    return line


def _encryption(url: str, place: Any) -> ssl.SSLContext | None:
    """As redis-py reads an address that begins with rediss://."""
    if not url.startswith("rediss://"):
        return None
    context = ssl.create_default_context(cafile=place.get("ssl_ca_certs"))
    if place.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if place.get("ssl_certfile"):
        context.load_cert_chain(place["ssl_certfile"], place.get("ssl_keyfile"))
    return context
