"""The messages of a call in OpenAI's form, with tool calls and their results: checked, in one form. Pure.

A content is a text; it stays a list of parts only where a user's message has an image or a file in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from apps.core.chat_content import TEXT, attachments_of
from apps.core.errors import InvalidRequest
from apps.prompts.types import ROLES
from apps.runs.content_parts import MOST_ATTACHMENTS, clean_part

TOOL: Final = "tool"
MOST_CALLS: Final = 128
_FIELDS: Final = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_PLAIN_ROLES: Final = frozenset(ROLES)


class CheckedParts(list[dict[str, Any]]):
    """Parts that were checked and need no second look on their way, which takes long for large files."""

    __slots__ = ()


def clean_messages(messages: Iterable[Any], *, param: str = "messages") -> tuple[dict[str, Any], ...]:
    """Messages in the one form that providers take. Raises InvalidRequest naming the field.

    What a client sends back of an earlier answer is taken: fields that are null or empty count as absent.
    """
    cleaned = tuple(
        message if _is_plain(message) else _message(message, f"{param}.{index}")
        for index, message in enumerate(messages)
    )
    check_attachments(cleaned, param)
    return cleaned


def check_attachments(messages: Iterable[dict[str, Any]], param: str) -> None:
    """Raise InvalidRequest for more images and files than a call may have."""
    if sum(len(attachments_of(message)) for message in messages) > MOST_ATTACHMENTS:
        raise InvalidRequest(
            f"A call has at most {MOST_ATTACHMENTS} images and files.",
            code="too_many_attachments",
            param=param,
        )


def _is_plain(message: Any) -> bool:
    """Whether a message is but a role and a text, as nearly all are: it stays what it is."""
    return (
        type(message) is dict
        and len(message) == 2
        and type(message.get("content")) is str
        and type(message.get("role")) is str
        and message["role"] in _PLAIN_ROLES
    )


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
    content = _content(given.get("content", message.get("content")), role, param, optional=bool(calls))
    cleaned = {"role": role, "content": content}
    if calls:
        cleaned["tool_calls"] = calls
    return cleaned | _answered_call(given, role, param)


def _content(content: Any, role: str, param: str, *, optional: bool) -> str | list[dict[str, Any]] | None:
    if isinstance(content, CheckedParts) and role == "user":
        return content
    if isinstance(content, list) and content:
        return _parts(content, role, param)
    if isinstance(content, str) or (content in (None, []) and optional):
        return content or ("" if isinstance(content, str) else None)
    raise InvalidRequest("A message's content is text or a list of parts.", param=f"{param}.content")


def _parts(parts: list[Any], role: str, param: str) -> str | list[dict[str, Any]]:
    """OpenAI's list of parts; one text where there is nothing but text in it."""
    cleaned = [clean_part(part, f"{param}.content.{index}") for index, part in enumerate(parts)]
    if all(part["type"] == TEXT for part in cleaned):
        return "".join(part["text"] for part in cleaned)
    if role != "user":
        raise InvalidRequest(
            "Only a user's message has images and files.",
            code="unsupported_content",
            param=f"{param}.content",
        )
    return CheckedParts(cleaned)


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
