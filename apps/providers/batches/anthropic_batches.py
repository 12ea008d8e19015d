"""Anthropic's message batches: all calls in one request, all answers in one file.

They keep no words of ours and have no idempotency key, so a batch whose creation was not answered is looked
for by its time and size, and known by its answers.
"""

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from apps.providers import anthropic_requests
from apps.providers.anthropic_answers import Collected
from apps.providers.anthropic_provider import MESSAGES
from apps.providers.batches.types import Content, Fate, Limits, Line, RemoteBatch
from apps.providers.batches.wire import BatchWire, checked_id
from apps.providers.call_errors import names_and_message
from apps.providers.types import ChatRequest, ChatResult, Connection, ProviderCallError

LIMITS: Final = Limits(requests=100_000, size=256 * 1000 * 1000)
BATCHES: Final = f"{MESSAGES}/batches"
PAGE: Final = 100
MOST_PAGES: Final = 50
CLOCKS_DIFFER: Final = timedelta(minutes=2)
NOT_FOUND: Final = 404

_HEAD: Final = b'{"requests":[\n'
_TAIL: Final = b"\n]}"
_FATES: Final[dict[str, Fate]] = {
    "succeeded": "answered",
    "errored": "failed",
    "expired": "expired",
    "canceled": "cancelled",
}
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
}


class AnthropicBatches:
    """See BatchEndpoint."""

    limits = LIMITS
    joint = b",\n"

    def __init__(self, connection: Connection) -> None:
        base_url = connection.base_url.removesuffix("/v1")
        self._wire = BatchWire(
            connection, base_url, {"anthropic-version": anthropic_requests.SAMPLING_VERSION}
        )

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        """See BatchEndpoint.line."""
        return orjson.dumps({"custom_id": custom_id, "params": anthropic_requests.body(request)})

    def kind(self, request: ChatRequest) -> str:
        """The version of the API is one header for all."""
        return anthropic_requests.version(request)

    async def probe(self) -> None:
        """See BatchEndpoint.probe."""
        found = await self._wire.json("GET", f"{BATCHES}?limit=1")
        if not isinstance(found.get("data"), list):
            raise self._wire.errors.not_understood()

    async def upload(self, content: Content, name: str) -> str:
        """Nothing goes up before the batch."""
        return ""

    async def find_upload(self, name: str, size: int) -> str:
        """Nothing lies there before the batch."""
        return ""

    async def create(self, upload: str, content: Content | None, mark: str, version: str) -> RemoteBatch:
        """See BatchEndpoint.create."""
        assert content is not None
        headers = {"Content-Type": "application/json", "anthropic-version": version}
        size = len(_HEAD) + content.size + len(_TAIL)
        return self._batch(await self._wire.send(BATCHES, _framed(content), size, headers))

    async def find(
        self, mark: str, since: datetime, requests: int, known: Collection[str]
    ) -> RemoteBatch | None:
        """By time and size: the oldest since then that nobody has claimed."""
        candidates: list[RemoteBatch] = []
        after = ""
        for _ in range(MOST_PAGES):
            page = await self._wire.json("GET", f"{BATCHES}?limit={PAGE}{after}")
            batches = [self._batch(each) for each in page.get("data") or () if isinstance(each, dict)]
            fresh = [each for each in batches if each.created_at and each.created_at >= since - CLOCKS_DIFFER]
            candidates += [each for each in fresh if each.requests == requests and each.id not in known]
            if not fresh or len(fresh) < len(batches) or not page.get("has_more"):
                break
            after = f"&after_id={batches[-1].id}"
        return candidates[-1] if candidates else None

    async def get(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.get."""
        return self._batch(await self._wire.json("GET", f"{BATCHES}/{batch_id}"))

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.cancel."""
        try:
            return self._batch(await self._wire.json("POST", f"{BATCHES}/{batch_id}/cancel"))
        except ProviderCallError as error:
            if error.reason != "bad_request":
                raise
            return await self.get(batch_id)

    async def lines(self, batch: RemoteBatch) -> AsyncIterator[Line]:
        """See BatchEndpoint.lines."""
        async for raw in self._wire.lines(f"{BATCHES}/{batch.id}/results"):
            custom_id, result = raw.get("custom_id"), raw.get("result")
            fate = _FATES.get(str(result.get("type"))) if isinstance(result, dict) else None
            if isinstance(custom_id, str) and fate is not None:
                yield Line(custom_id, fate, raw)

    def answer(self, line: Line, request: ChatRequest) -> ChatResult | ProviderCallError:
        """See BatchEndpoint.answer."""
        errors, result = self._wire.errors, line.raw["result"]
        if line.fate == "failed":
            told = result.get("error")
            names, _ = names_and_message(told)
            status = next((_STATUSES[name] for name in sorted(names) if name in _STATUSES), 500)
            return errors.of_status(status, told, {})
        try:
            collected = Collected(request, errors)
            collected.take_message(result["message"])
            message_id = result["message"].get("id")
            return collected.result(message_id if isinstance(message_id, str) else None)
        except ProviderCallError as refused:
            return refused
        except (ValueError, TypeError, AttributeError, LookupError):
            return errors.not_understood()

    async def tidy(self, batch: RemoteBatch, upload: str) -> None:
        """Delete the batch with its answers."""
        try:
            await self._wire.json("DELETE", f"{BATCHES}/{batch.id}")
        except ProviderCallError as error:
            if error.status != NOT_FOUND:
                raise

    async def close(self) -> None:
        """See BatchEndpoint.close."""
        await self._wire.close()

    def _batch(self, told: dict[str, Any]) -> RemoteBatch:
        errors = self._wire.errors
        batch_id = checked_id(told.get("id"), errors)
        status, counts = told.get("processing_status"), told.get("request_counts")
        if status not in ("in_progress", "canceling", "ended") or not isinstance(counts, dict):
            raise errors.not_understood()
        numbers = {name: value for name, value in counts.items() if isinstance(value, int) and value >= 0}
        answered = numbers.get("succeeded", 0)
        total = sum(numbers.values())
        return RemoteBatch(
            id=batch_id,
            stage="ended" if status == "ended" else "running",
            created_at=_moment(told.get("created_at")),
            requests=total,
            answered=answered,
            failed=total - answered - numbers.get("processing", 0),
            sources=(batch_id,) if status == "ended" else (),
        )


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


async def _framed(content: Content) -> AsyncIterator[bytes]:
    yield _HEAD
    async for chunk in content.chunks():
        yield chunk
    yield _TAIL
