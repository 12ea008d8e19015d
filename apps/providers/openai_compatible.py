"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, Ollama, llama.cpp, OpenRouter."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2

from apps.core import lazy, outbound
from apps.providers.sdk_errors import ErrorTranslator
from apps.providers.tool_calls import ToolCallPieces
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    Connection,
    Usage,
)

NOT_UNDERSTOOD: Final = (
    "The provider's answer is not a chat completion. Is the base URL right (often it ends in /v1)?"
)
NO_KEY: Final = "none"  # the client refuses an empty key; local servers ignore what they get
OWN_FIELDS: Final = frozenset(["messages", "model", "n", "stream", "stream_options", "tools"])
TOOL_FIELDS: Final = frozenset(["tool_choice", "parallel_tool_calls"])  # refused by servers without tools


class OpenAICompatibleProvider:
    """A connection's client. It never retries; one for each connection and process, in one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._openai: Any = lazy.load("openai")
        self._errors = ErrorTranslator(self._openai, connection, NOT_UNDERSTOOD)
        self._client = self._openai.AsyncOpenAI(
            api_key=connection.api_key or NO_KEY,
            base_url=connection.base_url,
            default_headers=connection.headers,
            max_retries=0,
            http_client=httpx2.AsyncClient(
                transport=outbound.async_public_address_transport(), trust_env=False, follow_redirects=False
            ),
        )
        # The client reads these from the environment: the operator's account is not the customer's.
        self._client.organization = self._client.project = self._client.admin_api_key = None
        self._client._custom_headers = dict(connection.headers)
        # The client imports this part when it is first asked for: here, not in the middle of a call.
        self._completions = self._client.chat.completions

    def check(self, request: ChatRequest) -> None:
        """Everything is passed on: servers know parameters that we don't."""

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """See Provider.request_body."""
        arguments = _arguments(request)
        return {"model": request.model, "messages": arguments["messages"], **arguments["extra_body"]}

    async def complete(self, request: ChatRequest) -> ChatResult:
        """One chat completion. Raises ProviderCallError."""
        with self._errors.translating():
            async with asyncio.timeout(request.timeout_seconds):
                answer = await self._completions.create(**_arguments(request))
            return _result(answer, request)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """The completion as it comes, the whole result last. Raises ProviderCallError."""
        collected = _Collected(request.model)
        with self._errors.translating():
            chunks = await self._completions.create(
                **_arguments(request), stream=True, stream_options={"include_usage": True}
            )
            async with chunks:
                async for chunk in chunks:
                    delta = collected.add(chunk)
                    if delta is not None:
                        yield delta
        if not collected.is_complete:
            raise self._errors.incomplete()
        yield collected.result(getattr(chunks.response, "headers", {}).get("x-request-id"))

    async def list_models(self, timeout_seconds: float) -> list[str]:
        """The ids of the models that the server offers. Raises ProviderCallError."""
        with self._errors.translating():
            async with asyncio.timeout(timeout_seconds):
                page = await self._client.models.list(timeout=timeout_seconds)
        found = getattr(page, "data", None)
        if not isinstance(found, list):
            raise self._errors.not_understood()
        return sorted({str(model.id) for model in found if getattr(model, "id", None)})

    async def close(self) -> None:
        """Close the connections that are held open."""
        await self._client.close()


class _Collected:
    """What has come of a stream."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._parts: list[str] = []
        self._finish_reason: str | None = None
        self._usage = Usage()
        self._calls = ToolCallPieces()

    def add(self, chunk: Any) -> ChatDelta | None:
        """Take a chunk; what it brings of the answer."""
        self._model = getattr(chunk, "model", None) or self._model
        if getattr(chunk, "usage", None):
            self._usage = _usage(chunk.usage)
        choices = getattr(chunk, "choices", None) or []
        if not choices:
            return None
        self._finish_reason = choices[0].finish_reason or self._finish_reason
        delta = choices[0].delta
        text = (delta.content or getattr(delta, "refusal", None) or "") if delta else ""
        if text:
            self._parts.append(text)
        calls = tuple(map(self._calls.add, map(_piece, getattr(delta, "tool_calls", None) or ())))
        return ChatDelta(text, calls) if text or calls else None

    @property
    def is_complete(self) -> bool:
        return self._finish_reason is not None

    def result(self, request_id: str | None) -> ChatResult:
        text, calls = "".join(self._parts), self._calls.whole()
        return ChatResult(text, self._finish_reason, self._usage, self._model, request_id, calls)


def _arguments(request: ChatRequest) -> dict[str, Any]:
    body = {
        name: value
        for name, value in request.parameters.items()
        if name not in OWN_FIELDS and not name.startswith("sandbox_")
        if request.tools or name not in TOOL_FIELDS
    }
    if request.tools:
        body["tools"] = list(request.tools)
    if request.output_schema is not None and "response_format" not in body:
        body["response_format"] = _response_format(request.output_schema)
    # extra_body, because servers know parameters that the client does not.
    return {
        "model": request.model,
        "messages": list(request.messages),
        "extra_body": body,
        "timeout": request.timeout_seconds,
    }


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


def _result(answer: Any, request: ChatRequest) -> ChatResult:
    choices = getattr(answer, "choices", None)
    if not choices or choices[0].message is None:
        raise ValueError("no choice")
    message = choices[0].message
    refusal = getattr(message, "refusal", None)
    return ChatResult(
        text=message.content or refusal or "",
        finish_reason="content_filter" if refusal else choices[0].finish_reason,
        usage=_usage(getattr(answer, "usage", None)),
        model=getattr(answer, "model", None) or request.model,
        provider_request_id=getattr(answer, "_request_id", None),
        tool_calls=_tool_calls(message),
    )


def _tool_calls(message: Any) -> tuple[dict[str, Any], ...]:
    pieces = ToolCallPieces()
    for number, call in enumerate(getattr(message, "tool_calls", None) or ()):
        pieces.add(_piece(call) | {"index": number})
    return pieces.whole()


def _piece(call: Any) -> dict[str, Any]:
    """A tool call, or a streamed piece of one, as plain data with what it has."""
    function = getattr(call, "function", None)
    return {
        "index": getattr(call, "index", None),
        "id": getattr(call, "id", None),
        "name": getattr(function, "name", None),
        "arguments": getattr(function, "arguments", None),
    }


def _usage(usage: Any) -> Usage:
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        _count(getattr(usage, "prompt_tokens", None)),
        _count(getattr(usage, "completion_tokens", None)),
        _count(getattr(details, "cached_tokens", None)),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
