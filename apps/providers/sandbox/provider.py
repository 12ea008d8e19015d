"""The sandbox behind the Provider port: tokens, latency and failures are simulated, the same every time."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from apps.core.chat_content import IMAGE, attachments_of
from apps.providers import tokens
from apps.providers.sandbox import embedding
from apps.providers.sandbox.catalogue import SandboxModel, find_model
from apps.providers.sandbox.phrasing import free_answer, sentiment_word
from apps.providers.sandbox.schema import Unfillable, fill
from apps.providers.sandbox.text import Subject, content_text, read_subject
from apps.providers.tool_calls import tool_call
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    EmbeddingRequest,
    EmbeddingResult,
    ProviderCallError,
    Usage,
)

LONGEST_LATENCY_MS: Final = 60_000
_PIECE: Final = re.compile(r"\S+\s*|\s+")
_ONE_WORD_ASKED: Final = re.compile(
    r"\bpositive\b.{0,60}\bnegative\b|\bnegative\b.{0,60}\bpositive\b", re.IGNORECASE | re.DOTALL
)


class SandboxProvider:
    """Answers without a model.

    `sandbox_latency_ms` (0 to 60,000) delays the answer, `sandbox_error_rate` (0 to 1) fails that share of
    inputs, always the same ones. A tool is called where `tool_choice` demands it, and only there.
    """

    def check(self, request: ChatRequest) -> None:
        """Nothing is refused before the call."""

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """See Provider.adapt: nothing is refused here."""
        return request

    def request_body(self, request: ChatRequest) -> dict[str, Any]:
        """See Provider.request_body: nothing is sent anywhere, so it is what the answer is made of."""
        body = {"model": request.model, "messages": list(request.messages), **request.parameters}
        given = {"tools": list(request.tools), "output_schema": request.output_schema}
        return body | {name: value for name, value in given.items() if value}

    async def complete(self, request: ChatRequest) -> ChatResult:
        """The whole answer, after the simulated latency."""
        result = self._answer(request)
        await _pass_time(request)
        _fail_by_chance(request)
        return result

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatDelta | ChatResult]:
        """The answer word by word, the simulated latency spread over the words."""
        result = self._answer(request)
        _fail_by_chance(request)
        pieces = _PIECE.findall(result.text)
        pause = _latency_seconds(request) / max(len(pieces), 1)
        for piece in pieces:
            await asyncio.sleep(pause)
            yield ChatDelta(piece)
        for number, call in enumerate(result.tool_calls):
            await asyncio.sleep(pause)
            yield ChatDelta("", ({"index": number, **call},))
        yield result

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """See Provider.embed; `dimensions` is the one parameter that counts. Takes no token numbers."""
        if request.model != embedding.MODEL:
            raise _refusal(f"The sandbox has no embedding model {request.model!r}; it has embedding.")
        texts = [text for text in request.texts if isinstance(text, str)]
        if len(texts) < len(request.texts):
            raise _refusal("The sandbox embeds texts, not token numbers.")
        size = request.parameters.get("dimensions") or embedding.DIMENSIONS
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= embedding.MOST_DIMENSIONS:
            raise _refusal(f"dimensions is a number from 1 to {embedding.MOST_DIMENSIONS:,}.")
        given = sum(tokens.count(text, request.model) for text in texts)
        return EmbeddingResult(
            [embedding.embed(text, size) for text in texts], Usage(given, 0), request.model
        )

    async def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, request: ChatRequest) -> ChatResult:
        model = find_model(request.model)
        if model is None:
            raise _refusal(f"The sandbox has no model {request.model!r}; it has standard and fast.")
        call = _tool_call(request, model)
        text, finish_reason = ("", "tool_calls") if call else _limited(_text(request, model), request)
        written = call["function"]["arguments"] if call else text
        return ChatResult(
            text=text,
            finish_reason=finish_reason,
            usage=Usage(_input_tokens(request, model), tokens.count(written, model.id), 0),
            model=model.id,
            provider_request_id=f"sandbox-{_digest(request)[:16]}",
            tool_calls=(call,) if call else (),
        )


def _tool_call(request: ChatRequest, model: SandboxModel) -> dict[str, Any] | None:
    """The call that `tool_choice` demands, with arguments that fit; None where it demands none."""
    choice = request.parameters.get("tool_choice")
    functions = [tool["function"] for tool in request.tools]
    if not functions or choice in (None, "auto", "none"):
        return None
    named = choice.get("function", {}).get("name") if isinstance(choice, dict) else functions[0]["name"]
    function = next((each for each in functions if each["name"] == named), None)
    if function is None:
        raise _refusal(f"tool_choice names the tool {str(named)[:64]!r}, which the request does not have.")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    try:
        arguments = fill(schema, read_subject(request.messages), model.sentences)
    except Unfillable as problem:
        raise _refusal(f"Sandbox: {problem}.") from problem
    return tool_call(f"call_{_digest(request)[:24]}", function["name"], orjson.dumps(arguments).decode())


def _input_tokens(request: ChatRequest, model: SandboxModel) -> int:
    told = orjson.dumps(list(request.tools)).decode() if request.tools else ""
    return tokens.count_messages(request.messages, model.id) + tokens.count(told, model.id)


def _text(request: ChatRequest, model: SandboxModel) -> str:
    subject = read_subject(request.messages)
    if request.output_schema is None:
        return _plain_text(request, model, subject)
    try:
        return orjson.dumps(fill(request.output_schema, subject, model.sentences)).decode()
    except Unfillable as problem:
        raise _refusal(f"Sandbox: {problem}.") from problem


def _plain_text(request: ChatRequest, model: SandboxModel, subject: Subject) -> str:
    instructions = " ".join(map(content_text, request.messages)).replace(subject.text, " ")
    if _ONE_WORD_ASKED.search(instructions):
        return sentiment_word(subject)
    answer = free_answer(subject, model.sentences) + _unseen(request)
    if request.parameters.get("response_format", {}) == {"type": "json_object"}:
        return orjson.dumps({"answer": answer}).decode()
    return answer


def _unseen(request: ChatRequest) -> str:
    """A word on the images and files that were sent: the sandbox reads nothing but text."""
    sent = [part for message in request.messages for part in attachments_of(message)]
    images = sum(part.get("type") == IMAGE for part in sent)
    counted = ((images, "image"), (len(sent) - images, "file"))
    named = [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counted if number]
    return f" (The sandbox reads text only; it did not look at {' and '.join(named)}.)" if named else ""


def _limited(text: str, request: ChatRequest) -> tuple[str, str]:
    """Cut plain text at the token limit; a filled schema is left whole, so that it stays valid."""
    limit = request.parameters.get("max_completion_tokens") or request.parameters.get("max_tokens")
    if not isinstance(limit, int) or request.output_schema is not None:
        return text, "stop"
    kept = ""
    for piece in _PIECE.findall(text):
        if tokens.count(kept + piece, request.model) > limit:
            return kept.rstrip(), "length"
        kept += piece
    return text, "stop"


def _latency_seconds(request: ChatRequest) -> float:
    return _number(request, "sandbox_latency_ms", LONGEST_LATENCY_MS) / 1000


async def _pass_time(request: ChatRequest) -> None:
    latency = _latency_seconds(request)
    await asyncio.sleep(min(latency, request.timeout_seconds))
    if latency > request.timeout_seconds:
        raise ProviderCallError(
            "The sandbox took longer than the time limit.", reason="timeout", retryable=True
        )


def _fail_by_chance(request: ChatRequest) -> None:
    rate = _number(request, "sandbox_error_rate", 1)
    if rate and int(_digest(request)[:8], 16) / 0x1_0000_0000 < rate:
        raise ProviderCallError(
            "Simulated failure of the sandbox.", reason="server", retryable=True, status=500
        )


def _number(request: ChatRequest, name: str, most: float) -> float:
    value: Any = request.parameters.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _refusal(f"{name} must be a number from 0 to {most}.")
    return value


def _digest(request: ChatRequest) -> str:
    asked = [request.model, request.messages, request.output_schema, *request.tools]
    content = orjson.dumps(asked)
    return hashlib.sha256(content).hexdigest()


def _refusal(message: str) -> ProviderCallError:
    return ProviderCallError(message, reason="bad_request", retryable=False, status=400)
