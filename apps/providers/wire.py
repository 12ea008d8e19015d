"""A connection's calls over HTTP: JSON out, JSON or a stream of events in, everything bounded.

The vendors' clients define the wire format but cost some ten times as much a call, so they serve only what
is off the path of runs (see sdk_listing). A call never retries. What goes wrong is a ProviderCallError.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Final

import orjson

from apps.core.deadlines import Deadline
from apps.core.errors import PromptsaasError
from apps.core.http_calls import Answer, Origin, default_ssl_context
from apps.core.json_bodies import is_too_deep
from apps.core.outbound import REDIRECTS
from apps.providers.call_errors import CallErrors, request_id
from apps.providers.event_stream import EventReader, EventTooLarge
from apps.providers.types import Connection, ProviderCallError

LARGEST_ANSWER: Final = 8 * 1024 * 1024
LARGEST_ERROR: Final = 64 * 1024
TOO_LARGE: Final = f"The provider's answer is larger than {LARGEST_ANSWER // 1024 // 1024} MiB."
REDIRECT: Final = "The address answers with a redirect."
USER_AGENT: Final = "promptsaas"
DONE: Final = b"[DONE]"
NO_EVENTS: Final = frozenset({"application/json", "text/html"})
DRAIN_SECONDS: Final = 1.0

Headers = Mapping[str, str]


class Wire:
    """One connection's session; open it in a thread or in the loop, use it in one loop only."""

    def __init__(self, connection: Connection, base_url: str, not_understood: str) -> None:
        key = {"Authorization": f"Bearer {connection.api_key}"} if connection.api_key else {}
        self.errors = CallErrors(connection, not_understood)
        self._base_url = base_url
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # answers are short; what comes compressed is unpacked bounded
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            **key,
            **connection.headers,
        }
        self._translating = _Translating(self.errors)
        self._origin: Origin | None = None
        default_ssl_context()

    async def post(
        self, path: str, body: Any, timeout_seconds: float, headers: Headers | None = None
    ) -> tuple[Any, str | None]:
        """The answer's JSON, and the provider's id of the call. Raises ProviderCallError."""
        with self.translating():
            with Deadline(timeout_seconds):
                answer = await self._ask(path, body, headers)
                try:
                    raw = await _read(answer, LARGEST_ANSWER)
                except BaseException:
                    answer.close()
                    raise
            if raw is None:
                answer.close()
                raise self.errors.refused(TOO_LARGE)
            return _json(raw), request_id(answer.headers)

    async def stream(
        self, path: str, body: Any, timeout_seconds: float, headers: Headers | None = None
    ) -> AsyncGenerator[tuple[Any, str | None], None]:
        """The JSON of each event with the provider's id of the call, until `[DONE]` or the stream's end.

        `timeout_seconds` bounds the wait for the first and for each further piece. Bytes are read only when
        the next event is asked for; closing the generator hangs up. Raises ProviderCallError.
        """
        reader = EventReader()
        with self.translating():
            with Deadline(timeout_seconds):
                answer = await self._ask(path, body, {"Accept": "text/event-stream", **(headers or {})})
            try:
                if answer.content_type in NO_EVENTS:
                    raise self.errors.not_understood()
                call_id = request_id(answer.headers)
                while chunk := await _next_chunk(answer, timeout_seconds):
                    for event in reader.feed(chunk):
                        if event == DONE:
                            _leave(answer)
                            return
                        yield _json(event), call_id
            except BaseException:
                answer.close()
                raise

    def translating(self) -> "_Translating":
        """Turn whatever a call and the reading of its answer raise into ProviderCallError."""
        return self._translating

    async def close(self) -> None:
        """Close the connections that are held open."""
        if self._origin is not None:
            self._origin.close()

    async def _ask(self, path: str, body: Any, headers: Headers | None) -> Answer:
        """A good answer whose body is still to be read, to its end or closed."""
        origin = self._origin or self._open()
        answer = await origin.post(path, orjson.dumps(body), headers)
        if 200 <= answer.status < 300:
            return answer
        try:
            failure = await self._failure(answer)
        finally:
            answer.close()
        raise failure

    def _open(self) -> Origin:
        self._origin = Origin(self._base_url, self._headers)
        return self._origin

    async def _failure(self, answer: Answer) -> ProviderCallError:
        if answer.status in REDIRECTS:
            return self.errors.refused(REDIRECT)
        raw = await _read(answer, LARGEST_ERROR)
        try:
            body = orjson.loads(raw or b"")
        except orjson.JSONDecodeError:
            body = None
        return self.errors.of_status(answer.status, body, answer.headers)


class _Translating:
    """See Wire.translating; one for all calls, since it keeps nothing of any."""

    __slots__ = ("_errors",)

    def __init__(self, errors: CallErrors) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, ProviderCallError):
            return
        if isinstance(error, TimeoutError):
            raise self._errors.late() from error
        if isinstance(error, PromptsaasError):
            raise self._errors.refused(error.message) from None
        if isinstance(error, EventTooLarge):
            raise self._errors.refused(TOO_LARGE) from None
        if isinstance(error, OSError):
            raise self._errors.broken() from error
        if isinstance(error, ValueError | TypeError | AttributeError | LookupError):
            raise self._errors.not_understood() from error


async def _next_chunk(answer: Answer, timeout_seconds: float) -> bytes:
    with Deadline(timeout_seconds):
        return await answer.read_any()


def _leave(answer: Answer) -> None:
    """What follows the last event is nothing but the end: wait for it, so that the connection is kept."""
    if not answer.is_read:
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, answer.close)


async def _read(answer: Answer, most: int) -> bytes | None:
    """The body; None where it is larger than `most` bytes, of which no more than these are ever held."""
    if (answer.content_length or 0) > most:
        return None
    parts: list[bytes] = []
    left = most
    while chunk := await answer.read_any():
        left -= len(chunk)
        if left < 0:
            return None
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _json(raw: bytes) -> Any:
    """JSON of a depth that can be written again. Raises ValueError."""
    value = orjson.loads(raw)
    if raw.count(b"[") + raw.count(b"{") > 64 and is_too_deep(value):
        raise ValueError("too deep")
    return value
