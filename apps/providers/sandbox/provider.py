"""The sandbox behind the Provider port: tokens, latency and failures are simulated, the same every time."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from apps.providers import tokens
from apps.providers.sandbox.catalogue import SandboxModel, find_model
from apps.providers.sandbox.phrasing import free_answer, sentiment_word
from apps.providers.sandbox.schema import Unfillable, fill
from apps.providers.sandbox.text import Subject, content_text, read_subject
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, ProviderCallError, Usage

LONGEST_LATENCY_MS: Final = 60_000
_PIECE: Final = re.compile(r"\S+\s*|\s+")
_ONE_WORD_ASKED: Final = re.compile(
    r"\bpositive\b.{0,60}\bnegative\b|\bnegative\b.{0,60}\bpositive\b", re.IGNORECASE | re.DOTALL
)


class SandboxProvider:
    """Answers without a model.

    `sandbox_latency_ms` (0 to 60,000) delays the answer, `sandbox_error_rate` (0 to 1) fails that share of
    inputs, always the same ones.
    """

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
        yield result

    async def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, request: ChatRequest) -> ChatResult:
        model = find_model(request.model)
        if model is None:
            raise _refusal(f"The sandbox has no model {request.model!r}; it has standard and fast.")
        text, finish_reason = _limited(_text(request, model), request)
        return ChatResult(
            text=text,
            finish_reason=finish_reason,
            usage=Usage(tokens.count_messages(request.messages, model.id), tokens.count(text, model.id), 0),
            model=model.id,
            provider_request_id=f"sandbox-{_digest(request)[:16]}",
        )


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
    answer = free_answer(subject, model.sentences)
    if request.parameters.get("response_format", {}) == {"type": "json_object"}:
        return orjson.dumps({"answer": answer}).decode()
    return answer


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
    content = orjson.dumps([request.model, request.messages, request.output_schema])
    return hashlib.sha256(content).hexdigest()


def _refusal(message: str) -> ProviderCallError:
    return ProviderCallError(message, reason="bad_request", retryable=False, status=400)
