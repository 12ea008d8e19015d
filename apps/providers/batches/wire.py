"""HTTP of batch endpoints: small JSON calls, and bodies of hundreds of megabytes, never whole in memory.

The vendors' clients build a batch as one list of objects, which takes several times its size, so they are not
used here. The rules of `core.outbound` hold: https, pinned addresses, no redirects, caps on size and time. A
provider's own links are never followed with the key: addresses are made from ids here.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import orjson

from apps.core import outbound
from apps.core.errors import PromptsaasError
from apps.core.json_bodies import is_too_deep
from apps.providers.call_errors import CallErrors
from apps.providers.types import Connection

NOT_UNDERSTOOD: Final = (
    "The provider's answer is not one of a batch endpoint. Does this server offer batches?"
)
LARGEST_ANSWERS: Final = 4 * 1024 * 1024 * 1024
LARGEST_LINE: Final = 8 * 1024 * 1024
LARGEST_BODY: Final = 4 * 1024 * 1024
LARGEST_ERROR: Final = 64 * 1024
STEP_SECONDS: Final = 60.0
"""How long the provider may say nothing, or take nothing."""
TRANSFER_SECONDS: Final = 1_500.0
"""How long a whole transfer may take."""
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


class BatchWire:
    """One connection's client for batches; for one event loop."""

    def __init__(
        self, connection: Connection, base_url: str, headers: Mapping[str, str] | None = None
    ) -> None:
        key = {"Authorization": f"Bearer {connection.api_key}"} if connection.api_key else {}
        self.errors = CallErrors(connection, NOT_UNDERSTOOD)
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": "promptsaas", **(headers or {}), **key, **connection.headers},
            transport=outbound.async_public_address_transport(
                size_limit=LARGEST_ANSWERS, time_limit_seconds=TRANSFER_SECONDS
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(STEP_SECONDS, connect=outbound.CONNECT_SECONDS),
        )

    async def json(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A small call's answer. Raises ProviderCallError."""
        content = None if body is None else orjson.dumps(body)
        sent = {"Content-Type": "application/json", **(headers or {})} if content else dict(headers or {})
        async with self._answer(method, path, sent, content) as answer:
            return self._object(await _read(answer, LARGEST_BODY))

    async def send(
        self, path: str, chunks: AsyncIterator[bytes], size: int, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """POST a body of `size` bytes as it is read. Raises ProviderCallError."""
        sent = {**headers, "Content-Length": str(size)}
        async with self._answer("POST", path, sent, chunks) as answer:
            return self._object(await _read(answer, LARGEST_BODY))

    async def lines(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The objects of a JSONL file as they come; lines that are too long or no objects are passed over."""
        async with self._answer("GET", path, {}, None) as answer:
            async for line in _lines(answer.aiter_bytes()):
                try:
                    found = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(found, dict) and not is_too_deep(found):
                    yield found

    async def close(self) -> None:
        """Close what is held open."""
        await self._client.aclose()

    def _object(self, raw: bytes | None) -> dict[str, Any]:
        try:
            found = orjson.loads(raw or b"")
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise self.errors.not_understood()
        return found

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | AsyncIterator[bytes] | None
    ) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._client.stream(
                method, f"{self._base_url}{path}", headers=dict(headers), content=content
            ) as answer:
                if answer.status_code >= 300:
                    raise self.errors.of_status(
                        answer.status_code, _loads(await _read(answer, LARGEST_ERROR)), answer.headers
                    )
                yield answer
        except (TimeoutError, httpx2.TimeoutException) as late:
            raise self.errors.late() from late
        except PromptsaasError as refused:
            raise self.errors.refused(refused.message) from None
        except httpx2.HTTPError as broken:
            raise self.errors.broken() from broken


def checked_id(value: Any, errors: CallErrors) -> str:
    """An id that may stand in an address. Raises ProviderCallError for anything else."""
    if not isinstance(value, str) or not _ID.fullmatch(value) or set(value) <= {"."}:
        raise errors.not_understood()
    return value


async def _read(answer: httpx2.Response, most: int) -> bytes | None:
    parts: list[bytes] = []
    left = most
    async for chunk in answer.aiter_bytes():
        left -= len(chunk)
        if left < 0:
            return None
        parts.append(chunk)
    return b"".join(parts)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of at most LARGEST_LINE bytes; of a longer one nothing is held."""
    waiting = bytearray()
    skipping = False
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            if not skipping:
                line = bytes(waiting) + piece
                if line.strip():
                    yield line
            waiting.clear()
            skipping = False
        waiting += rest
        if len(waiting) > LARGEST_LINE:
            waiting.clear()
            skipping = True
    if waiting.strip() and not skipping:
        yield bytes(waiting)


def _loads(raw: bytes | None) -> Any:
    try:
        return orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return None
