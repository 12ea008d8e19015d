"""Anthropic's Messages API: Anthropic itself, and servers that speak it."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.providers import anthropic_requests
from apps.providers.anthropic_answers import Collected
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    Connection,
    EmbeddingRequest,
    EmbeddingResult,
)
from apps.providers.wire import Wire

NOT_UNDERSTOOD: Final = (
    "The provider's answer is not one of Anthropic's Messages API. Is the base URL right, as in "
    "https://api.anthropic.com?"
)
MESSAGES: Final = "/v1/messages"


class AnthropicProvider:
    """A connection's client. It never retries; one for each connection and process, in one event loop."""

    def __init__(self, connection: Connection) -> None:
        # People copy addresses with and without it.
        self._wire = Wire(connection, connection.base_url.removesuffix("/v1"), NOT_UNDERSTOOD)

    def check(self, request: ChatRequest) -> None:
        """Refuse what Anthropic has no counterpart of; see anthropic_requests."""
        anthropic_requests.check(request)

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """See Provider.adapt."""
        return anthropic_requests.adapted(request)

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """See Provider.request_body."""
        return anthropic_requests.body(request)

    async def complete(self, request: ChatRequest) -> ChatResult:
        """One message. Raises ProviderCallError."""
        answer, call_id = await self._wire.post(
            MESSAGES, anthropic_requests.body(request), request.timeout_seconds, _version(request)
        )
        with self._wire.translating():
            collected = Collected(request, self._wire.errors)
            collected.take_message(answer)
            return collected.result(call_id)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """The message as it comes, the whole result last. Raises ProviderCallError."""
        collected = Collected(request, self._wire.errors)
        body = {**anthropic_requests.body(request), "stream": True}
        call_id: str | None = None
        with self._wire.translating():
            async with aclosing(
                self._wire.stream(MESSAGES, body, request.timeout_seconds, _version(request))
            ) as events:
                async for event, told_id in events:
                    call_id = told_id
                    delta = collected.take_event(event)
                    if delta is not None:
                        yield delta
        if not collected.is_complete:
            raise self._wire.errors.incomplete()
        last = collected.last_piece()
        if last is not None:
            yield last
        yield collected.result(call_id)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Always refused: Anthropic offers no embeddings."""
        message = "Anthropic has no embedding models. Name one of another connection, as in openai/…."
        raise InvalidRequest(message, code="embeddings_unsupported", param="model")

    async def close(self) -> None:
        """Close the connections that are held open."""
        await self._wire.close()


def _version(request: ChatRequest) -> dict[str, str]:
    return {"anthropic-version": anthropic_requests.version(request)}
