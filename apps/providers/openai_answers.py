"""From OpenAI's answers, whole or streamed, to ours. Pure.

A provider's answer may be anything: what does not have the expected form raises ValueError, TypeError,
AttributeError or LookupError, which the wire calls "not understood".
"""

from typing import Any, Final

from apps.providers.call_errors import CallErrors
from apps.providers.tool_calls import ToolCallPieces
from apps.providers.types import (
    ChatDelta,
    ChatRequest,
    ChatResult,
    EmbeddingRequest,
    EmbeddingResult,
    Usage,
)

LONGEST_TEXT: Final = 4 * 1024 * 1024
"""Characters of a streamed answer; the engine keeps less."""
LARGEST_NUMBER: Final = 3.4e38
"""Of a vector: what four bytes hold, which is how callers and the database take it."""
TEXT_TOO_LONG: Final = "The provider's answer is longer than 4 MiB."


class Collected:
    """What has come of a stream."""

    def __init__(self, model: str, errors: CallErrors) -> None:
        self._model = model
        self._errors = errors
        self._parts: list[str] = []
        self._size = 0
        self._finish_reason: str | None = None
        self._usage = Usage()
        self._calls = ToolCallPieces()
        self._refused = False

    def add(self, chunk: Any) -> ChatDelta | None:
        """Take a chunk; what it brings of the answer. Raises ProviderCallError for an error that it tells."""
        if chunk.get("error"):
            raise self._errors.told(chunk)
        self._model = word(chunk.get("model")) or self._model
        if chunk.get("usage"):
            self._usage = usage_of(chunk["usage"])
        choices = chunk.get("choices")
        if not choices:
            return None
        choice = choices[0]
        self._finish_reason = word(choice.get("finish_reason")) or self._finish_reason
        delta = choice.get("delta")
        if not delta:
            return None
        refusal = delta.get("refusal")
        self._refused = self._refused or bool(refusal)
        text = text_of(delta.get("content") or refusal)
        if text:
            self._keep(text)
        pieces = delta.get("tool_calls")
        calls = tuple([self._calls.add(_piece(call)) for call in pieces]) if pieces else ()
        for call in calls:
            self._grow(call["function"]["arguments"])
        return ChatDelta(text, calls) if text or calls else None

    @property
    def is_complete(self) -> bool:
        """Whether the provider said why the answer ends."""
        return self._finish_reason is not None

    def result(self, call_id: str | None) -> ChatResult:
        """The whole answer."""
        text, calls = "".join(self._parts), self._calls.whole()
        reason = "content_filter" if self._refused else self._finish_reason
        return ChatResult(text, reason, self._usage, self._model, call_id, calls)

    def _keep(self, text: str) -> None:
        self._parts.append(text)
        self._grow(text)

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > LONGEST_TEXT:
            raise self._errors.refused(TEXT_TOO_LONG)


def chat_result(answer: Any, request: ChatRequest, call_id: str | None) -> ChatResult:
    """A whole answer."""
    choice = answer["choices"][0]
    message = choice["message"]
    refusal = message.get("refusal")
    return ChatResult(
        text=text_of(message.get("content") or refusal),
        finish_reason="content_filter" if refusal else word(choice.get("finish_reason")),
        usage=usage_of(answer.get("usage")),
        model=word(answer.get("model")) or request.model,
        provider_request_id=call_id,
        tool_calls=_tool_calls(message.get("tool_calls")),
    )


def embedding_result(answer: Any, request: EmbeddingRequest, call_id: str | None) -> EmbeddingResult:
    """The vectors in the order of the texts."""
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    vectors = [[float(number) for number in row["embedding"]] for row in rows]
    if [row["index"] for row in rows] != list(range(len(request.texts))) or not all(vectors):
        raise ValueError("not a vector for each text")
    if max(map(max, vectors)) > LARGEST_NUMBER or min(map(min, vectors)) < -LARGEST_NUMBER:
        raise ValueError("not a number of four bytes")
    usage = usage_of(answer.get("usage"))
    return EmbeddingResult(vectors, usage, word(answer.get("model")) or request.model, call_id)


def usage_of(usage: Any) -> Usage:
    """Tokens as the provider told them; unknown where it told none."""
    if not usage:
        return Usage()
    details = usage.get("prompt_tokens_details")
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(details.get("cached_tokens")) if details else None,
    )


def text_of(content: Any) -> str:
    """A message's text; some servers answer with a list of parts, of which thoughts are passed over."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type", "text") == "text")
    raise TypeError("content is no text")


def word(value: Any) -> str | None:
    """A name that a provider gives, if it is one."""
    return value if isinstance(value, str) else None


def _tool_calls(calls: Any) -> tuple[dict[str, Any], ...]:
    if not calls:
        return ()
    pieces = ToolCallPieces()
    for number, call in enumerate(calls):
        pieces.add(_piece(call) | {"index": number})
    return pieces.whole()


def _piece(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call, or a streamed piece of one, with what it has."""
    function = call.get("function") or {}
    return {
        "index": call.get("index"),
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
