"""From Anthropic's answers, whole or streamed, to ours in OpenAI's form.

Only text, tool calls and usage are read. Thinking and what else an answer holds is passed over. What does not
have the expected form raises ValueError, TypeError, AttributeError or LookupError, which the wire calls "not
understood".
"""

from typing import Any, Final

import orjson

from apps.providers import anthropic_requests
from apps.providers.call_errors import CallErrors
from apps.providers.openai_answers import LONGEST_TEXT, TEXT_TOO_LONG, word
from apps.providers.tool_calls import ToolCallPieces
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, Usage

FINISH_REASONS: Final = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


class Collected:
    """What has come of an answer."""

    def __init__(self, request: ChatRequest, errors: CallErrors) -> None:
        self._model = request.model
        self._errors = errors
        self._size = 0
        self._by_tool = anthropic_requests.answers_by_tool(request)
        self._wrapped = self._by_tool and anthropic_requests.is_wrapped(request)
        self._parts: list[str] = []
        self._wrapped_parts: list[str] = []
        self._beside: list[str] = []
        self._calls = ToolCallPieces()
        self._call_of_block: dict[int, int | None] = {}
        self._stop_reason: str | None = None
        self._counts: dict[str, int] = {}

    @property
    def is_complete(self) -> bool:
        """Whether the provider said why the answer ends."""
        return self._stop_reason is not None

    def take_message(self, message: Any) -> None:
        """Take a whole answer."""
        self._begin(message)
        self._stop_reason = word(message.get("stop_reason")) or "end_turn"
        for index, block in enumerate(message["content"]):
            self._begin_block(index, block)
            if block["type"] == "tool_use":
                self._input_piece(index, orjson.dumps(block["input"]).decode())

    def take_event(self, event: Any) -> ChatDelta | None:
        """Take one event of a stream; what it brings of the answer. Raises ProviderCallError for an error."""
        match event["type"]:
            case "content_block_delta":
                return self._take_delta(event["index"], event["delta"])
            case "content_block_start":
                return self._begin_block(event["index"], event["content_block"])
            case "message_start":
                self._begin(event["message"])
            case "message_delta":
                self._stop_reason = word(event["delta"].get("stop_reason")) or self._stop_reason
                self._count(event.get("usage"))
            case "error":
                raise self._errors.told(event)
        return None

    def last_piece(self) -> ChatDelta | None:
        """What could not be shown before the end: a wrapped answer, or words for our tool's call."""
        if self._wrapped_parts:
            return self._text(self._unwrapped())
        if self._parts or self._calls.whole():
            return None
        beside, self._beside = "".join(self._beside), []
        return self._text(beside)

    def result(self, request_id: str | None) -> ChatResult:
        """The whole answer."""
        self.last_piece()
        calls = self._calls.whole()
        reason = FINISH_REASONS.get(self._stop_reason or "", "stop")
        if reason == "tool_calls" and not calls:
            reason = "stop"  # the tool was ours, and its input the answer
        return ChatResult("".join(self._parts), reason, self._usage(), self._model, request_id, calls)

    def _begin(self, message: Any) -> None:
        self._model = word(message.get("model")) or self._model
        self._count(message.get("usage"))

    def _take_delta(self, index: int, delta: Any) -> ChatDelta | None:
        if delta["type"] == "text_delta":
            return self._said(delta["text"])
        if delta["type"] == "input_json_delta":
            return self._input_piece(index, delta["partial_json"])
        return None

    def _begin_block(self, index: int, block: Any) -> ChatDelta | None:
        if block["type"] == "text":
            return self._said(block["text"])
        if block["type"] != "tool_use":
            return None
        if self._by_tool and block["name"] == anthropic_requests.ANSWER_TOOL:
            self._call_of_block[index] = None
            return None
        number = sum(call is not None for call in self._call_of_block.values())
        self._call_of_block[index] = number
        piece = {"index": number, "id": block["id"], "name": block["name"], "arguments": ""}
        return ChatDelta("", (self._calls.add(piece),))

    def _input_piece(self, index: int, text: str) -> ChatDelta | None:
        if index not in self._call_of_block or not text:
            return None
        self._grow(text)
        number = self._call_of_block[index]
        if number is not None:
            return ChatDelta("", (self._calls.add({"index": number, "arguments": text}),))
        if self._wrapped:
            self._wrapped_parts.append(text)
            return None
        return self._text(text)

    def _said(self, text: str) -> ChatDelta | None:
        self._grow(text)
        if self._by_tool:
            # Beside our own tool's call it would spoil the JSON.
            self._beside.append(text)
            return None
        return self._text(text)

    def _text(self, text: str) -> ChatDelta | None:
        if not text:
            return None
        self._parts.append(text)
        return ChatDelta(text)

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > LONGEST_TEXT:
            raise self._errors.refused(TEXT_TOO_LONG)

    def _unwrapped(self) -> str:
        text = "".join(self._wrapped_parts)
        self._wrapped_parts.clear()
        try:
            return orjson.dumps(orjson.loads(text)[anthropic_requests.WRAPPED]).decode()
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return text  # cut off: shown as it came, and refused by the check of the schema

    def _count(self, usage: Any) -> None:
        """Take what a usage says; in a stream later counts replace earlier ones."""
        if not usage:
            return
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ):
            value = usage.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                self._counts[name] = value

    def _usage(self) -> Usage:
        read = self._counts.get("cache_read_input_tokens")
        written = self._counts.get("cache_creation_input_tokens")
        fresh = self._counts.get("input_tokens")
        # Anthropic counts cached tokens beside the input, OpenAI and we as a part of it.
        given = None if fresh is None else fresh + (read or 0) + (written or 0)
        return Usage(given, self._counts.get("output_tokens"), read, written)
