"""HTTP/1.1 calls of one origin, as lean as a run needs: POST a body, read the answer as it comes.

A general client spends more time on a call than all the rest of a run takes (docs/decisions/0024). This one
knows one origin and one method; framing is llhttp's, by httptools. The rules of `outbound` hold: names are
resolved once, every address is checked, and connections go to a checked address. No proxies, no redirects, no
cookies, no retries.
"""

import asyncio
import ssl
import time
import zlib
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

import httptools
import httpx2

from apps.core import outbound
from apps.core.outbound import ResolveAsync

KEEP_ALIVE_SECONDS: Final = 15.0
IDLE_CONNECTIONS: Final = 200
READ_BUFFER: Final = 64 * 1024
"""Bytes that may wait for a slow reader; past twice as many the socket is no longer read."""
LARGEST_HEAD: Final = 64 * 1024
MOST_HEADS: Final = 16
_DECODERS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class BadAnswer(ConnectionError):
    """What came is no HTTP answer, or one that was not asked for."""


class ConnectionLost(ConnectionError):
    """The connection ended before the answer did."""


class Origin:
    """Calls below one base URL; for one event loop. Raises OutboundRefused for one that may not be called."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        resolve: ResolveAsync = outbound.resolve_async,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        url = httpx2.URL(outbound.check_url(base_url))
        self._host, self._is_https = url.host, url.scheme == "https"
        self._port = url.port or (outbound.PORT if self._is_https else 80)
        self._path = url.raw_path.decode().rstrip("/")
        self._ssl = (verify or default_ssl_context()) if self._is_https else None
        self._resolve = resolve
        self._shared = _head_lines({"Host": url.netloc.decode(), **headers})
        self._heads: dict[str, bytes] = {}
        self._idle: list[tuple[float, _Line]] = []
        self._open: set[_Line] = set()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> "Answer":
        """The answer once its head has come. `headers` are sent beside the origin's own.

        Raises OSError where there is no connection or it was lost, BadAnswer, OutboundRefused.
        """
        head = self._heads.get(path) or self._head(path)
        own = _head_lines(headers).encode("latin-1") if headers else b""
        line = self._take() or await self._connect()
        return await line.call(b"%b%bContent-Length: %d\r\n\r\n%b" % (head, own, len(body), body))

    def close(self) -> None:
        """Drop every connection. No call may run any more."""
        for line in list(self._open):
            line.abort()

    def give_back(self, line: "_Line") -> None:
        """Keep a connection for the next call."""
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append((time.monotonic(), line))
        else:
            line.abort()

    def forget(self, line: "_Line") -> None:
        """A connection is gone."""
        self._open.discard(line)

    def _head(self, path: str) -> bytes:
        """The beginning of a call's head; there are a handful of paths."""
        head = f"POST {self._path}{path} HTTP/1.1\r\n{self._shared}".encode("latin-1")
        if len(self._heads) < MOST_HEADS:
            self._heads[path] = head
        return head

    def _take(self) -> "_Line | None":
        """The connection that was used last; those that have waited for too long are dropped."""
        oldest = time.monotonic() - KEEP_ALIVE_SECONDS
        while self._idle:
            since, line = self._idle.pop()
            if since >= oldest and line.is_open:
                return line
            line.abort()
        return None

    async def _connect(self) -> "_Line":
        async with asyncio.timeout(outbound.CONNECT_SECONDS):
            found = await self._resolve(self._host, self._port)
            *others, last = outbound.checked_addresses(self._host, self._port, found)
            for address in others:
                try:
                    return await self._connect_to(address)
                except OSError:
                    continue
            return await self._connect_to(last)

    async def _connect_to(self, address: str) -> "_Line":
        line = _Line(self)
        await asyncio.get_running_loop().create_connection(
            lambda: line,
            address,
            self._port,
            ssl=self._ssl,
            server_hostname=self._host if self._is_https else None,
        )
        self._open.add(line)
        return line


class Answer:
    """An answer whose head has come; names of `headers` are in lower case."""

    def __init__(self, line: "_Line", status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._line = line
        self._pieces: deque[bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._size = 0
        self._is_whole = False
        self._error: Exception | None = None
        self._unpack = _unpacker(headers.get("content-encoding", ""))

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """The length that the head tells, if it does."""
        told = self.headers.get("content-length", "")
        return int(told) if told.isascii() and told.isdigit() else None

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to be read."""
        return self._is_whole and not self._pieces

    async def read_any(self) -> bytes:
        """What has come of the body, or comes next; empty at its end. Raises ConnectionLost, BadAnswer."""
        while True:
            if self._pieces:
                piece = self._next_piece()
                if piece:
                    return piece
                continue  # a piece of a packed body need not bring any text
            if self._error is not None:
                raise self._error
            if self._is_whole:
                return self._unpack.decompress(b"", READ_BUFFER) if self._unpack is not None else b""
            self._waiting = self._line.new_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def close(self) -> None:
        """Hang up, unless the whole answer has come."""
        if not self._is_whole:
            self._line.abort()

    def fed(self, piece: bytes) -> bool:
        """Take a piece of the body; whether the socket should wait for the reader."""
        self._pieces.append(piece)
        self._size += len(piece)
        self._wake()
        return self._size > 2 * READ_BUFFER

    def ended(self, error: Exception | None = None) -> None:
        """The body is whole, or will never be."""
        if error is None:
            self._is_whole = True
        elif not self._is_whole:
            self._error = error
        self._wake()

    def _next_piece(self) -> bytes:
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._size <= READ_BUFFER:
            self._line.resume()
        if self._unpack is None:
            return piece
        try:
            # Bounded, so that a small answer can't unpack to a large one at once.
            text = self._unpack.decompress(piece, READ_BUFFER)
        except zlib.error as error:
            raise BadAnswer("The answer can't be unpacked.") from error
        if self._unpack.unused_data:
            raise BadAnswer("The answer goes on behind its end.")  # it would be kept, however much it is
        if self._unpack.unconsumed_tail:
            self._pieces.appendleft(self._unpack.unconsumed_tail)
            self._size += len(self._unpack.unconsumed_tail)
        return text

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Line(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser = httptools.HttpResponseParser(self)
        self._head: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._loop = asyncio.get_running_loop()
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether a call may be made."""
        return self._transport is not None

    async def call(self, request: bytes) -> Answer:
        """Send a request; its answer once the head has come."""
        if self._transport is None:
            raise ConnectionLost("The connection was closed.")
        self._head = self._loop.create_future()
        self._transport.write(request)
        try:
            return await self._head
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Hang up; from now on no call may be made."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def resume(self) -> None:
        """The reader has caught up."""
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    def new_future(self) -> "asyncio.Future[None]":
        """A future of the connection's loop; asking for the running one each time is a system call."""
        return self._loop.create_future()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._head is None and self._answer is None:
            self.abort()  # nobody asked
            return
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, UnicodeDecodeError):
            self._fail(BadAnswer("The answer is not HTTP."))
            return
        # Lines behind the body count as well: only the body itself may be of any length.
        if self._head_size > LARGEST_HEAD:
            self._fail(BadAnswer("The answer's head is too large."))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._origin.forget(self)
        answer = self._answer
        if answer is not None and exc is None and _ends_with_connection(answer):
            self._answer = None
            answer.ended()
        else:
            self._fail(ConnectionLost("The connection was lost before the answer was whole."))

    # httptools

    def on_message_begin(self) -> None:
        if self._head is None:
            self.abort()  # a second answer to one call would be taken for that of the next

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[_header_name(name)] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        headers, self._headers = self._headers, {}
        status = self._parser.get_status_code()
        if status < 200 or self._head is None:
            return  # an interim answer such as 103; the real one follows
        self._answer = Answer(self, status, headers)
        if not self._head.done():
            self._head.set_result(self._answer)
        self._head = None

    def on_body(self, piece: bytes) -> None:
        self._head_size = 0
        if self._answer is not None and self._answer.fed(piece) and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        self._head_size, self._headers = 0, {}  # lines behind a body are no headers of the next answer
        answer.ended()
        if self._parser.should_keep_alive() and self._transport is not None:
            self.resume()
            self._origin.give_back(self)
        else:
            self.abort()

    def _fail(self, error: Exception) -> None:
        head, self._head = self._head, None
        answer, self._answer = self._answer, None
        if head is not None and not head.done():
            head.set_exception(error)
        if answer is not None:
            answer.ended(error)
        self.abort()


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """The process's own: reading the certificates takes some 20 ms, so ask for it in a thread first."""
    return httpx2.create_ssl_context(verify=True, trust_env=False)


@lru_cache(maxsize=512)
def _header_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _head_lines(headers: Mapping[str, str]) -> str:
    """Lines of a head. Raises BadAnswer for a name or value that would begin another line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\x00" in lines:
        raise BadAnswer("A header holds a line break.")
    return lines


def _ends_with_connection(answer: Answer) -> bool:
    """RFC 9112 §6.3: a body without length and without chunks ends when the server hangs up."""
    return "content-length" not in answer.headers and "transfer-encoding" not in answer.headers


def _unpacker(encoding: str) -> "zlib._Decompress | None":
    bits = _DECODERS.get(encoding.strip().lower())
    return zlib.decompressobj(bits) if bits is not None else None
