"""The messages of a call in OpenAI's form, with tool calls and their results: checked, in one form. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.prompts.types import ROLES

TOOL: Final = "tool"
MOST_CALLS: Final = 128
_FIELDS: Final = frozenset({"role", "content", "tool_calls", "tool_call_id"})


def clean_messages(messages: Iterable[Any], *, param: str = "messages") -> tuple[dict[str, Any], ...]:
    """Messages in the one form that providers take. Raises InvalidRequest naming the field.

    What a client sends back of an earlier answer is taken: fields that are null or empty count as absent.
    """
    return tuple(_message(message, f"{param}.{index}") for index, message in enumerate(messages))


def _message(message: Any, param: str) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise InvalidRequest("A message is an object.", param=param)
    given = {name: value for name, value in message.items() if value not in (None, [])}
    unknown = sorted(str(name) for name in set(given) - _FIELDS)
    if unknown:
        raise InvalidRequest(
            f"'{unknown[0][:64]}' is not supported.",
            code="unsupported_parameter",
            param=f"{param}.{unknown[0][:64]}",
        )
    role = message.get("role")
    if role != TOOL and role not in ROLES:
        allowed = ", ".join((*ROLES, TOOL))
        raise InvalidRequest(f"A message's role is one of {allowed}.", param=f"{param}.role")
    calls = _calls(given, role, param)
    content = _content(given.get("content", message.get("content")), param, optional=bool(calls))
    cleaned = {"role": role, "content": content}
    if calls:
        cleaned["tool_calls"] = calls
    return cleaned | _answered_call(given, role, param)


def _content(content: Any, param: str, *, optional: bool) -> str | None:
    if isinstance(content, list) and content:
        content = _joined_parts(content, param)
    if isinstance(content, str) or (content in (None, []) and optional):
        return content or ("" if isinstance(content, str) else None)
    raise InvalidRequest("A message's content is text.", param=f"{param}.content")


def _joined_parts(parts: list[Any], param: str) -> str:
    """OpenAI's list of content parts, text only."""
    texts = []
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise InvalidRequest(
                "Only text parts are supported.",
                code="unsupported_content",
                param=f"{param}.content.{index}",
            )
        texts.append(part["text"])
    return "".join(texts)


def _answered_call(given: Mapping[str, Any], role: str, param: str) -> dict[str, Any]:
    """A tool's message names the call that it answers; no other message does."""
    call_id = given.get("tool_call_id")
    if (role == TOOL) != (call_id is not None):
        message = "A tool's message, and no other, names its tool_call_id."
        raise InvalidRequest(message, param=f"{param}.tool_call_id")
    if call_id is None:
        return {}
    if not isinstance(call_id, str) or not call_id:
        raise InvalidRequest("tool_call_id must be text.", param=f"{param}.tool_call_id")
    return {"tool_call_id": call_id}


def _calls(given: Mapping[str, Any], role: str, param: str) -> list[dict[str, Any]]:
    calls = given.get("tool_calls")
    if calls is None or calls == []:
        return []
    place = f"{param}.tool_calls"
    if role != "assistant":
        raise InvalidRequest("Only an assistant's message has tool_calls.", param=place)
    if not isinstance(calls, list) or len(calls) > MOST_CALLS:
        raise InvalidRequest(f"tool_calls is a list of at most {MOST_CALLS} calls.", param=place)
    return [_call(call, f"{place}.{index}") for index, call in enumerate(calls)]


def _call(call: Any, param: str) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or call.get("type", "function") != "function":
        raise InvalidRequest("A tool call has the type function and a function.", param=param)
    texts = {"id": call.get("id"), "name": function.get("name"), "arguments": function.get("arguments")}
    for name, text in texts.items():
        if not isinstance(text, str) or (name != "arguments" and not text):
            where = "id" if name == "id" else f"function.{name}"
            raise InvalidRequest(f"A tool call's {name} is text.", param=f"{param}.{where}")
    written = {"name": texts["name"], "arguments": texts["arguments"]}
    return {"id": texts["id"], "type": "function", "function": written}
