"""Anthropic's Messages API: Anthropic itself, and servers that speak it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2

from apps.core import lazy, outbound
from apps.providers import anthropic_requests
from apps.providers.anthropic_answers import Collected
from apps.providers.sdk_errors import ErrorTranslator
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, Connection

NO_KEY: Final = "none"  # without one, the client looks for the operator's own in environment and files
NOT_UNDERSTOOD: Final = (
    "The provider's answer is not one of Anthropic's Messages API. Is the base URL right, as in "
    "https://api.anthropic.com?"
)
MOST_LISTED: Final = 1000


class AnthropicProvider:
    """A connection's client. It never retries; one for each connection and process, in one event loop."""

    def __init__(self, connection: Connection) -> None:
        anthropic: Any = lazy.load("anthropic")
        self._errors = ErrorTranslator(anthropic, connection, NOT_UNDERSTOOD)
        self._client = anthropic.AsyncAnthropic(
            api_key=connection.api_key or NO_KEY,
            # The client adds /v1 itself; people copy addresses with and without it.
            base_url=connection.base_url.removesuffix("/v1"),
            max_retries=0,
            open_telemetry={"traces": False, "propagation": False},
            http_client=httpx2.AsyncClient(
                transport=outbound.async_public_address_transport(), trust_env=False, follow_redirects=False
            ),
        )
        # The client adds headers from the environment: those of the operator are not the customer's.
        self._client._custom_headers = dict(connection.headers)
        # The client imports this part when it is first asked for: here, not in the middle of a call.
        self._messages = self._client.messages

    def check(self, request: ChatRequest) -> None:
        """Refuse what Anthropic has no counterpart of; see anthropic_requests."""
        anthropic_requests.check(request)

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """See Provider.request_body."""
        return anthropic_requests.body(request)

    async def complete(self, request: ChatRequest) -> ChatResult:
        """One message. Raises ProviderCallError."""
        with self._errors.translating():
            async with asyncio.timeout(request.timeout_seconds):
                answer = await self._messages.create(**anthropic_requests.arguments(request))
            collected = Collected(request)
            collected.take_message(answer)
            return collected.result(getattr(answer, "_request_id", None))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """The message as it comes, the whole result last. Raises ProviderCallError."""
        collected = Collected(request)
        with self._errors.translating():
            events = await self._messages.create(**anthropic_requests.arguments(request), stream=True)
            async with events:
                async for event in events:
                    delta = collected.take_event(event)
                    if delta is not None:
                        yield delta
        if not collected.is_complete:
            raise self._errors.incomplete()
        last = collected.last_piece()
        if last is not None:
            yield last
        yield collected.result(getattr(events.response, "headers", {}).get("request-id"))

    async def list_models(self, timeout_seconds: float) -> list[str]:
        """The ids of the models that can be called. Raises ProviderCallError."""
        with self._errors.translating():
            async with asyncio.timeout(timeout_seconds):
                page = await self._client.models.list(limit=MOST_LISTED, timeout=timeout_seconds)
            offered = [model for model in page.data if getattr(model, "lifecycle", None) != "retired"]
            return sorted({str(model.id) for model in offered if getattr(model, "id", None)})

    async def close(self) -> None:
        """Close the connections that are held open."""
        await self._client.close()
