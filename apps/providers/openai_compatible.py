"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, Ollama, llama.cpp, OpenRouter."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from apps.providers.openai_answers import Collected, chat_result, embedding_result
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
    "The provider's answer is not a chat completion. Is the base URL right (often it ends in /v1)?"
)
COMPLETIONS: Final = "/chat/completions"
EMBEDDINGS: Final = "/embeddings"
OWN_FIELDS: Final = frozenset(["messages", "model", "n", "stream", "stream_options", "tools"])
TOOL_FIELDS: Final = frozenset(["tool_choice", "parallel_tool_calls"])  # refused by servers without tools


class OpenAICompatibleProvider:
    """A connection's client. It never retries; one for each connection and process, in one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._wire = Wire(connection, connection.base_url, NOT_UNDERSTOOD)

    def check(self, request: ChatRequest) -> None:
        """Everything is passed on: servers know parameters that we don't."""

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """See Provider.adapt: everything is passed on."""
        return request

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """See Provider.request_body."""
        return request_body(request)

    async def complete(self, request: ChatRequest) -> ChatResult:
        """One chat completion. Raises ProviderCallError."""
        answer, call_id = await self._wire.post(COMPLETIONS, request_body(request), request.timeout_seconds)
        with self._wire.translating():
            return chat_result(answer, request, call_id)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """The completion as it comes, the whole result last. Raises ProviderCallError."""
        collected = Collected(request.model, self._wire.errors)
        body = {**request_body(request), "stream": True, "stream_options": {"include_usage": True}}
        call_id: str | None = None
        with self._wire.translating():
            async with aclosing(self._wire.stream(COMPLETIONS, body, request.timeout_seconds)) as events:
                async for event, told_id in events:
                    call_id = told_id
                    delta = collected.add(event)
                    if delta is not None:
                        yield delta
        if not collected.is_complete:
            raise self._wire.errors.incomplete()
        yield collected.result(call_id)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See Provider.embed."""
        body = {**request.parameters, "model": request.model, "input": list(request.texts)}
        answer, call_id = await self._wire.post(EMBEDDINGS, body, request.timeout_seconds)
        with self._wire.translating():
            return embedding_result(answer, request, call_id)

    async def close(self) -> None:
        """Close the connections that are held open."""
        await self._wire.close()


def request_body(request: ChatRequest) -> dict[str, Any]:
    """What is sent, as JSON."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": list(request.messages),
        **{
            name: value
            for name, value in request.parameters.items()
            if name not in OWN_FIELDS and not name.startswith("sandbox_")
            if request.tools or name not in TOOL_FIELDS
        },
    }
    if request.tools:
        body["tools"] = list(request.tools)
    if request.output_schema is not None and "response_format" not in body:
        body["response_format"] = _response_format(request.output_schema)
    return body


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title") or "output"))[:64]
    described = {"name": name, "schema": schema, "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes a schema: every object closed, every property required."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required") or ()) != set(properties or {}):
            return False
    return all(is_strict(part) for key, part in schema.items() if key not in ("enum", "const", "default"))
