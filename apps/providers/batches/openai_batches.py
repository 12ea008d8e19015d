"""OpenAI's batches: a file of calls goes up, a batch is made of it, files of answers and errors come down."""

import uuid
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from apps.providers.batches.types import Content, Fate, Limits, Line, RemoteBatch, Stage
from apps.providers.batches.wire import BatchWire, checked_id
from apps.providers.openai_answers import chat_result
from apps.providers.openai_compatible import COMPLETIONS, request_body
from apps.providers.types import ChatRequest, ChatResult, Connection, ProviderCallError

LIMITS: Final = Limits(requests=50_000, size=200 * 1000 * 1000)
MARK: Final = "promptsaas_batch"
ENDPOINT: Final = f"/v1{COMPLETIONS}"
PAGE: Final = 100
MOST_PAGES: Final = 50
CLOCKS_DIFFER: Final = timedelta(minutes=10)
NOT_FOUND: Final = 404

_STAGES: Final[dict[str, Stage]] = {
    "validating": "running",
    "in_progress": "running",
    "finalizing": "running",
    "cancelling": "running",
    "completed": "ended",
    "cancelled": "ended",
    "expired": "ended",
    "failed": "failed",
}


class OpenAIBatches:
    """See BatchEndpoint."""

    limits = LIMITS
    joint = b"\n"

    def __init__(self, connection: Connection) -> None:
        self._wire = BatchWire(connection, connection.base_url)

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        """See BatchEndpoint.line."""
        return orjson.dumps(
            {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": request_body(request)}
        )

    def kind(self, request: ChatRequest) -> str:
        """One model a file."""
        return request.model

    async def probe(self) -> None:
        """See BatchEndpoint.probe."""
        found = await self._wire.json("GET", "/batches?limit=1")
        if not isinstance(found.get("data"), list):
            raise self._wire.errors.not_understood()

    async def upload(self, content: Content, name: str) -> str:
        """See BatchEndpoint.upload."""
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size = len(head) + content.size + len(tail)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        found = await self._wire.send("/files", _framed(head, content, tail), size, headers)
        return checked_id(found.get("id"), self._wire.errors)

    async def find_upload(self, name: str, size: int) -> str:
        """See BatchEndpoint.find_upload."""
        found = await self._wire.json("GET", f"/files?purpose=batch&limit={PAGE}&order=desc")
        for each in found.get("data") or ():
            if isinstance(each, dict) and each.get("filename") == name and each.get("bytes") == size:
                return checked_id(each.get("id"), self._wire.errors)
        return ""

    async def create(self, upload: str, content: Content | None, mark: str, version: str) -> RemoteBatch:
        """See BatchEndpoint.create."""
        asked = {
            "input_file_id": upload,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {MARK: mark},
        }
        return self._batch(await self._wire.json("POST", "/batches", asked))

    async def find(
        self, mark: str, since: datetime, requests: int, known: Collection[str]
    ) -> RemoteBatch | None:
        """By the mark, from the newest batch back to `since`."""
        after = ""
        for _ in range(MOST_PAGES):
            page = await self._wire.json("GET", f"/batches?limit={PAGE}{after}")
            batches = [self._batch(each) for each in page.get("data") or () if isinstance(each, dict)]
            for batch in batches:
                if batch.mark == mark:
                    return batch
            last = batches[-1] if batches else None
            if last is None or not page.get("has_more"):
                return None
            if last.created_at is not None and last.created_at < since - CLOCKS_DIFFER:
                return None
            after = f"&after={last.id}"
        return None

    async def get(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.get."""
        return self._batch(await self._wire.json("GET", f"/batches/{batch_id}"))

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.cancel."""
        try:
            return self._batch(await self._wire.json("POST", f"/batches/{batch_id}/cancel", {}))
        except ProviderCallError as error:
            # One that has ended meanwhile can't be cancelled, and needn't be.
            if error.reason != "bad_request":
                raise
            return await self.get(batch_id)

    async def lines(self, batch: RemoteBatch) -> AsyncIterator[Line]:
        """See BatchEndpoint.lines."""
        for source in batch.sources:
            async for raw in self._wire.lines(f"/files/{source}/content"):
                custom_id = raw.get("custom_id")
                if isinstance(custom_id, str):
                    yield Line(custom_id, _fate(raw), raw)

    def answer(self, line: Line, request: ChatRequest) -> ChatResult | ProviderCallError:
        """See BatchEndpoint.answer."""
        response = line.raw.get("response")
        if not isinstance(response, dict):
            return self._wire.errors.of_status(500, {"error": line.raw.get("error")}, {})
        status = response.get("status_code")
        if line.fate == "failed":
            return self._wire.errors.of_status(
                status if isinstance(status, int) else 500, response.get("body"), {}
            )
        told = response.get("request_id")
        try:
            return chat_result(response.get("body"), request, told if isinstance(told, str) else None)
        except (ValueError, TypeError, AttributeError, LookupError):
            return self._wire.errors.not_understood()

    async def tidy(self, batch: RemoteBatch, upload: str) -> None:
        """Delete the files; the batch itself, which holds no content, stays in the provider's list."""
        for file in (upload, *batch.sources):
            if not file:
                continue
            try:
                await self._wire.json("DELETE", f"/files/{file}")
            except ProviderCallError as error:
                if error.status != NOT_FOUND:
                    raise

    async def close(self) -> None:
        """See BatchEndpoint.close."""
        await self._wire.close()

    def _batch(self, told: dict[str, Any]) -> RemoteBatch:
        errors = self._wire.errors
        batch_id = checked_id(told.get("id"), errors)
        stage = _STAGES.get(str(told.get("status")))
        if stage is None:
            raise errors.not_understood()
        counts, metadata = told.get("request_counts"), told.get("metadata")
        code, message = _first_error(told.get("errors"))
        files = [told.get(name) for name in ("output_file_id", "error_file_id")]
        created = told.get("created_at")
        return RemoteBatch(
            id=batch_id,
            stage=stage,
            created_at=datetime.fromtimestamp(created, UTC) if isinstance(created, int) else None,
            mark=str(metadata.get(MARK, "")) if isinstance(metadata, dict) else "",
            requests=_count(counts, "total"),
            answered=_count(counts, "completed"),
            failed=_count(counts, "failed"),
            error_code=code[:64],
            error_message=errors.clean(message),
            sources=tuple(checked_id(each, errors) for each in files if each),
        )


def _fate(raw: dict[str, Any]) -> Fate:
    error, response = raw.get("error"), raw.get("response")
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    if "expired" in code:
        return "expired"
    if "cancel" in code:
        return "cancelled"
    answered = isinstance(response, dict) and response.get("status_code") == 200
    return "answered" if answered and not error else "failed"


def _first_error(errors: Any) -> tuple[str, str]:
    listed = errors.get("data") if isinstance(errors, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, dict):
        return "", ""
    return str(first.get("code") or ""), str(first.get("message") or "")


def _count(counts: Any, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    return value if isinstance(value, int) and value >= 0 else 0


async def _framed(head: bytes, content: Content, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for chunk in content.chunks():
        yield chunk
    yield tail
