"""The little of HTTP that the gateway needs: bounded bodies, JSON and event-stream answers."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from apps.core.api_version import API_VERSION, VERSION_HEADER
from apps.core.client_address import client_address
from apps.core.deadlines import Deadline
from apps.core.errors import InvalidRequest, PromptsaasError
from apps.core.json_bodies import BODY_LIMIT, dump_json, parse_json
from apps.core.limit_bounds import Take
from apps.core.records import record
from apps.core.request_id import new_request_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

BODY_SECONDS: Final = 30.0
READER_SECONDS: Final = 30.0
UNREAD_BYTES: Final = 4 * 1024
"""What the server reads over without ending the connection."""
JSON_TYPE: Final = (b"content-type", b"application/json")
# An answer holds what a model or a customer wrote: no browser may take it for a page.
ALWAYS: Final = (
    (VERSION_HEADER.lower().encode(), API_VERSION.encode()),
    (b"x-content-type-options", b"nosniff"),
)
STREAM_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class RequestTimeout(InvalidRequest):
    """The body came too slowly."""

    status = 408
    default_code = "request_timeout"


class ReaderStalled(RequestTimeout):
    """The client is there but takes nothing of its stream any more."""

    default_code = "reader_stalled"


class Disconnected(Exception):
    """The client has gone; there is nobody to answer."""


@dataclass(slots=True)
class HttpRequest:
    """One request; `answer_headers` go with whatever is answered, `route` is its pattern once it is known.

    `owed` is what limits are still to be asked for it: the run does that, together with its own. `arrived` is
    when it came, by `time.perf_counter`.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    receive: Receive
    peer: str = ""
    query_string: bytes = b""
    request_id: str = field(default_factory=new_request_id)
    answer_headers: dict[bytes, bytes] = field(default_factory=dict)
    route: str = ""
    owed: tuple[Take, ...] = ()
    arrived: float = field(default_factory=time.perf_counter)
    _is_read: bool = False

    def header(self, name: bytes) -> str:
        """A header's text, empty if it is absent."""
        return self.headers.get(name, b"").decode("latin-1")

    def query(self, name: str) -> str | None:
        """The first value of a query parameter. Raises InvalidRequest for what can't be stored."""
        for key, value in parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True):
            if key == name:
                if "\x00" in value:
                    message = f"{name} holds a NUL character."
                    raise InvalidRequest(message, code="invalid_character", param=name)
                return value
        return None

    @property
    def client_address(self) -> str | None:
        """Who asks, as far as trusted proxies say so."""
        return client_address(self.peer, self.header(b"x-forwarded-for"))

    async def json(self) -> Any:
        """The body as JSON; raises InvalidRequest for what is too large, too deep or too slow."""
        try:
            with Deadline(BODY_SECONDS):
                raw = await self._body()
        except TimeoutError:
            raise RequestTimeout("The body did not arrive in time.") from None
        return parse_json(raw)

    async def _body(self) -> bytes:
        declared = self.header(b"content-length")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > BODY_LIMIT:
            raise InvalidRequest(f"The body is larger than {BODY_LIMIT:,} bytes.", code="body_too_large")
        chunks = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > BODY_LIMIT:
                raise InvalidRequest(f"The body is larger than {BODY_LIMIT:,} bytes.", code="body_too_large")
            chunks.append(chunk)
            if not message.get("more_body"):
                self._is_read = True
                return b"".join(chunks)

    def note_unread(self) -> None:
        """Before an answer: say so where the server hangs up behind it, since much of a body is on its way.

        A client that isn't told sends its next request into a connection that closes.
        """
        declared = self.headers.get(b"content-length", b"0")
        if not self._is_read and (not declared.isdigit() or int(declared[:20]) > UNREAD_BYTES):
            self.answer_headers[b"connection"] = b"close"

    async def disconnected(self) -> None:
        """Return when the client has gone. Only after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


@record(frozen=True, slots=True)
class JsonAnswer:
    """A whole answer; bytes are JSON already."""

    value: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


async def send_json(request: HttpRequest, send: Send, answer: JsonAnswer) -> None:
    """Send a JSON answer with its length."""
    body = answer.value if isinstance(answer.value, bytes) else dump_json(answer.value)
    headers = [
        JSON_TYPE,
        (b"content-length", str(len(body)).encode()),
        *_common(request),
        *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})


async def send_not_modified(request: HttpRequest, send: Send, headers: Mapping[str, str]) -> None:
    """Tell a client that what it has still holds."""
    told = [*_common(request), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    await send({"type": "http.response.start", "status": 304, "headers": told})
    await send({"type": "http.response.body", "body": b""})


def error_answer(request: HttpRequest, error: PromptsaasError) -> JsonAnswer:
    """The one JSON shape of errors."""
    return JsonAnswer(error.body(request.request_id), error.status, error.headers())


async def start_stream(request: HttpRequest, send: Send) -> None:
    """Send the head of an event stream."""
    headers = [*STREAM_HEADERS, *_common(request)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def send_event(send: Send, value: Any, name: bytes = b"") -> None:
    """Send one event, with its name if it has one; bytes go as they are.

    Waits while the client has not taken what went before, and so does the provider's stream. Raises
    ReaderStalled for one who takes nothing for half a minute: a run must not be held up for ever.
    """
    data = value if isinstance(value, bytes) else dump_json(value)
    head = b"event: " + name + b"\n" if name else b""
    event = {"type": "http.response.body", "body": head + b"data: " + data + b"\n\n", "more_body": True}
    try:
        with Deadline(READER_SECONDS):
            await send(event)
    except TimeoutError:
        raise ReaderStalled("The client did not read its stream.") from None


async def end_stream(send: Send) -> None:
    """Close an event stream."""
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _common(request: HttpRequest) -> Headers:
    request_id = request.request_id.encode()
    took = b"%d" % ((time.perf_counter() - request.arrived) * 1000)
    return (
        *ALWAYS,
        (b"request-id", request_id),
        # By these names OpenAI's clients read the id, and people the time until the answer began.
        (b"x-request-id", request_id),
        (b"openai-processing-ms", took),
        *request.answer_headers.items(),
    )
