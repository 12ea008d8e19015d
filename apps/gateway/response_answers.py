"""From a run to OpenAI's response object and its typed events. Pure.

Ids are made of the run's, so a replay names the same things. Everything of ours stands under `promptsaas`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from apps.core import ids
from apps.core.errors import PromptsaasError
from apps.gateway.chat_answers import created_at, facts
from apps.gateway.response_requests import ResponseBody
from apps.providers.types import Usage
from apps.runs.models import BackgroundRun, BackgroundStatus
from apps.runs.response_formats import JSON_SCHEMA
from apps.runs.types import RunDelta, RunResult

Event = dict[str, Any]
Item = dict[str, Any]
ItemStatus = Literal["in_progress", "completed", "incomplete"]

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_WAITING: Final = {BackgroundStatus.RUNNING.value: "in_progress"}
# OpenAI's clients know a closed list of codes; ours stands beside it in `promptsaas.error`.
_ERROR_CODES: Final = {
    "rate_limit_error": "rate_limit_exceeded",
    "quota_error": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
}


def response(
    body: ResponseBody | None, result: RunResult, output: list[Item] | None = None
) -> dict[str, Any]:
    """The response object of a run that has an answer; `output` as it was streamed, if it was."""
    reason = _INCOMPLETE.get(result.finish_reason or "")
    answer = _response(body, result.run_id, "incomplete" if reason else "completed", result.model)
    return answer | {
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output
        if output is not None
        else whole_output(result, "incomplete" if reason else "completed"),
        "usage": usage(result.usage),
        "promptsaas": facts(result),
    }


def queued_response(body: ResponseBody, run_id: UUID) -> dict[str, Any]:
    """The response object of a run that waits to be carried out in the background."""
    return _response(body, run_id, "queued", _requested(body))


def waiting_response(run: BackgroundRun) -> dict[str, Any]:
    """The response object of a background run that no record tells of."""
    answer = _response(None, run.pk, _WAITING.get(run.status, run.status), run.model or run.prompt_name)
    if run.error_code:
        told = {"type": run.error_type, "code": run.error_code, "message": run.error_message}
        answer |= {"error": _error(run.error_type, run.error_message), "promptsaas": {"error": told}}
    return answer | {"background": True}


def recorded_response(
    result: RunResult, *, metadata: dict[str, str], background: bool, error: dict[str, Any] | None
) -> dict[str, Any]:
    """The response object of a recorded run; what its caller asked for is not repeated."""
    if result.error is None:
        answer = response(None, result)
    else:
        status = "cancelled" if result.status == "cancelled" else "failed"
        answer = _response(None, result.run_id, status, result.model)
        answer |= {
            "error": _error(result.error.type, result.error.message),
            "output": whole_output(result, "incomplete") if result.text or result.tool_calls else [],
            "usage": usage(result.usage),
            "promptsaas": facts(result) | (error or {}),
        }
    return answer | {"metadata": metadata, "background": background}


def whole_output(result: RunResult, status: ItemStatus) -> list[Item]:
    """The items of an answer: its text, if it has any, then its calls of functions."""
    calls = [_call_item(result.run_id, number, call, status) for number, call in enumerate(result.tool_calls)]
    if calls and not result.text:
        return calls
    return [_message_item(result.run_id, result.text, status), *calls]


def usage(spent: Usage) -> dict[str, Any] | None:
    """Token counts in this API's names, or None where the provider did not say.

    Reasoning is part of the output tokens and is not told apart.
    """
    if spent.input_tokens is None and spent.output_tokens is None:
        return None
    given, made = spent.input_tokens or 0, spent.output_tokens or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": spent.cached_tokens or 0,
            "cache_write_tokens": spent.cache_write_tokens or 0,
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


class ResponseEvents:
    """The events of one streamed response, each with its type and its number."""

    def __init__(self, body: ResponseBody, run_id: UUID) -> None:
        self._body = body
        self._run_id = run_id
        self._number = 0
        self._text: list[str] = []
        self._text_index: int | None = None
        self._calls: dict[int, Item] = {}
        self._places: dict[int, int] = {}

    def first(self) -> Iterator[Event]:
        """The events before the first piece."""
        answer = _response(self._body, self._run_id, "in_progress", _requested(self._body))
        yield self._event("response.created", response=answer)
        yield self._event("response.in_progress", response=answer)

    def piece(self, delta: RunDelta) -> Iterator[Event]:
        """The events of a piece of text, or of pieces of calls."""
        if delta.text:
            yield from self._text_piece(delta.text)
        for call in delta.tool_calls:
            yield from self._call_piece(call)

    def last(self, result: RunResult) -> Iterator[Event]:
        """The events that end the answer; sent after the run is recorded."""
        if self._text_index is None and not self._calls:
            yield from self._open_text()
        output = self._output("incomplete" if result.finish_reason in _INCOMPLETE else "completed")
        for index, item in enumerate(output):
            yield from self._done(index, item)
        answer = response(self._body, result, output)
        yield self._event(f"response.{answer['status']}", response=answer)

    def failed(self, error: PromptsaasError, request_id: str, model: str = "") -> Event:
        """The event of an answer that broke off, with what came of it."""
        answer = _response(self._body, self._run_id, "failed", model or _requested(self._body))
        answer |= {
            "error": _error(error.type, error.message),
            "output": self._output("incomplete"),
            "promptsaas": error.body(request_id),
        }
        return self._event("response.failed", response=answer)

    def _text_piece(self, text: str) -> Iterator[Event]:
        if self._text_index is None:
            yield from self._open_text()
        self._text.append(text)
        yield self._event(
            "response.output_text.delta", **self._text_place(), content_index=0, delta=text, logprobs=[]
        )

    def _open_text(self) -> Iterator[Event]:
        self._text_index = self._next_place()
        item = _message_item(self._run_id, None, "in_progress")
        yield self._event("response.output_item.added", output_index=self._text_index, item=item)
        yield self._event(
            "response.content_part.added", **self._text_place(), content_index=0, part=_text_part("")
        )

    def _text_place(self) -> dict[str, Any]:
        return {"item_id": _item_id("msg", self._run_id), "output_index": self._text_index}

    def _call_piece(self, piece: dict[str, Any]) -> Iterator[Event]:
        number, function = piece["index"], piece.get("function", {})
        item = self._calls.get(number)
        if item is None:
            call = {
                "id": piece.get("id", ""),
                "function": {"name": function.get("name", ""), "arguments": ""},
            }
            item = self._calls[number] = _call_item(self._run_id, number, call, "in_progress")
            self._places[number] = self._next_place()
            yield self._event(
                "response.output_item.added", output_index=self._places[number], item=dict(item)
            )
        written = function.get("arguments") or ""
        if written:
            item["arguments"] += written
            yield self._event(
                "response.function_call_arguments.delta",
                item_id=item["id"],
                output_index=self._places[number],
                delta=written,
            )

    def _next_place(self) -> int:
        return len(self._places) + (self._text_index is not None)

    def _output(self, status: ItemStatus) -> list[Item]:
        """The items in the order in which they were begun."""
        placed = {self._places[number]: item | {"status": status} for number, item in self._calls.items()}
        if self._text_index is not None:
            placed[self._text_index] = _message_item(self._run_id, "".join(self._text), status)
        return [placed[index] for index in sorted(placed)]

    def _done(self, index: int, item: Item) -> Iterator[Event]:
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part = item["content"][0]
            yield self._event(
                "response.output_text.done", **place, content_index=0, text=part["text"], logprobs=[]
            )
            yield self._event("response.content_part.done", **place, content_index=0, part=part)
        else:
            yield self._event(
                "response.function_call_arguments.done",
                **place,
                name=item["name"],
                arguments=item["arguments"],
            )
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _event(self, kind: str, **values: Any) -> Event:
        number, self._number = self._number, self._number + 1
        return {"type": kind, "sequence_number": number, **values}


def _response(body: ResponseBody | None, run_id: UUID, status: str, model: str) -> dict[str, Any]:
    """A response object without an answer: what was asked for, as far as it is known, and how far it is."""
    given: Mapping[str, Any] = body.given if body is not None else {}
    return {
        "id": ids.encode("run", run_id),
        "object": "response",
        "created_at": created_at(run_id),
        "status": status,
        "background": bool(given.get("background")),
        "error": None,
        "incomplete_details": None,
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "metadata": given.get("metadata") or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": given.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "prompt": given.get("prompt"),
        "reasoning": {"effort": (given.get("reasoning") or {}).get("effort"), "summary": None},
        "store": given.get("store") is not False,
        "temperature": given.get("temperature"),
        "text": {"format": _format(body)},
        "tool_choice": given.get("tool_choice") or "auto",
        "tools": given.get("tools") or [],
        "top_p": given.get("top_p"),
        "truncation": "disabled",
        "usage": None,
        "user": given.get("user"),
    }


def _error(kind: str, message: str) -> dict[str, str]:
    return {"code": _ERROR_CODES.get(kind, "server_error"), "message": message}


def _requested(body: ResponseBody) -> str:
    """What the caller named, for as long as the model isn't known."""
    if body.model is not None:
        return body.model
    reference = body.prompt
    if reference is None:
        return ""
    place = f"#{reference.number}" if reference.number is not None else f"@{reference.label}"
    return f"prompt:{reference.name}{place}"


def _format(body: ResponseBody | None) -> dict[str, Any]:
    wanted = body.parameters.get("response_format") if body is not None else None
    if wanted is None:
        return {"type": "text"}
    return {"type": wanted["type"], **wanted.get(JSON_SCHEMA, {})}


def _message_item(run_id: UUID, text: str | None, status: ItemStatus) -> Item:
    return {
        "id": _item_id("msg", run_id),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [_text_part(text)],
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(run_id: UUID, number: int, call: dict[str, Any], status: ItemStatus) -> Item:
    return {
        "id": f"{_item_id('fc', run_id)}_{number}",
        "type": "function_call",
        "status": status,
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }


def _item_id(prefix: str, run_id: UUID) -> str:
    return f"{prefix}_{ids.encode('run', run_id).partition('_')[2]}"
