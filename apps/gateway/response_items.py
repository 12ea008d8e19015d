"""`input` of POST /v1/responses: text or OpenAI's items, turned into the messages of a call. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from apps.core.chat_content import TEXT
from apps.core.errors import InvalidRequest
from apps.prompts.types import ROLES
from apps.runs.content_parts import clean_file, clean_image
from apps.runs.conversation import MOST_CALLS, TOOL, CheckedParts, check_attachments

Message = dict[str, Any]
Part = dict[str, Any]

_ITEM_TYPES: Final = ("message", "function_call", "function_call_output")


def read_input(given: Any, instructions: str | None) -> tuple[Message, ...]:
    """The messages that `instructions` and `input` make. Raises InvalidRequest naming the field."""
    messages: list[Message] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    elif isinstance(given, list):
        for index, item in enumerate(given):
            _take(messages, item, f"input.{index}")
    elif given is not None:
        raise InvalidRequest("input is text or a list of items.", param="input")
    check_attachments(messages, "input")
    return tuple(messages)


def text_value(value: Any, param: str) -> Any:
    """A variable's value, which OpenAI also takes as an input_text part. Raises InvalidRequest."""
    if not isinstance(value, Mapping) or not str(value.get("type", "")).startswith("input_"):
        return value
    if value["type"] == "input_text" and isinstance(value.get("text"), str):
        return value["text"]
    raise InvalidRequest("A variable is text: images and files go into input.", param=param)


def _take(messages: list[Message], item: Any, param: str) -> None:
    """Add an item to the messages; a function's call joins the assistant's message before it."""
    if not isinstance(item, Mapping):
        raise InvalidRequest("An item of input is an object.", param=param)
    kind = item.get("type") or "message"
    if kind == "message":
        messages.append(_message(item, param))
    elif kind == "function_call":
        _add_call(messages, item, param)
    elif kind == "function_call_output":
        messages.append(_call_output(item, param))
    else:
        raise InvalidRequest(
            f"An item's type is one of {', '.join(_ITEM_TYPES)}.",
            code="unsupported_parameter",
            param=f"{param}.type",
        )


def _message(item: Mapping[str, Any], param: str) -> Message:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidRequest(f"A message's role is one of {', '.join(ROLES)}.", param=f"{param}.role")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, list) or not content:
        raise InvalidRequest("A message's content is text or a list of parts.", param=f"{param}.content")
    parts = list(_parts(content, f"{param}.content"))
    if all(part["type"] == TEXT for part in parts):
        return {"role": role, "content": "".join(part["text"] for part in parts)}
    if role != "user":
        raise InvalidRequest(
            "Only a user's message has images and files.",
            code="unsupported_content",
            param=f"{param}.content",
        )
    return {"role": role, "content": CheckedParts(parts)}


def _parts(content: list[Any], param: str) -> Iterator[Part]:
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, Mapping) else None
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise InvalidRequest(
                f"A part's type is one of {', '.join(_READERS)}.",
                code="unsupported_content",
                param=f"{param}.{index}",
            )
        yield reader(part, f"{param}.{index}")


def _text(part: Mapping[str, Any], param: str) -> Part:
    field = "refusal" if part["type"] == "refusal" else "text"
    text = part.get(field)
    if not isinstance(text, str):
        raise InvalidRequest(f"This part has a {field}.", param=f"{param}.{field}")
    return {"type": TEXT, "text": text}


def _image(part: Mapping[str, Any], param: str) -> Part:
    _refuse(part, param, file_id="No files are kept here: send image_url.")
    try:
        return clean_image(part.get("image_url"), part.get("detail"), f"{param}.image_url")
    except InvalidRequest as problem:
        if problem.param == f"{param}.image_url.detail":
            problem.param = f"{param}.detail"
        raise


def _file(part: Mapping[str, Any], param: str) -> Part:
    _refuse(
        part,
        param,
        file_id="No files are kept here: send the content as file_data.",
        file_url="Files are not fetched: send the content as file_data.",
    )
    return clean_file(part.get("file_data"), part.get("filename"), param)


_READERS: Final[dict[str, Callable[[Mapping[str, Any], str], Part]]] = {
    "input_text": _text,
    "output_text": _text,
    "refusal": _text,
    "input_image": _image,
    "input_file": _file,
}


def _refuse(part: Mapping[str, Any], param: str, **reasons: str) -> None:
    for name, reason in reasons.items():
        if part.get(name) is not None:
            raise InvalidRequest(reason, code="unsupported_parameter", param=f"{param}.{name}")


def _add_call(messages: list[Message], item: Mapping[str, Any], param: str) -> None:
    function = {name: _demand(item, name, param, empty=name == "arguments") for name in ("name", "arguments")}
    call = {"id": _demand(item, "call_id", param), "type": "function", "function": function}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    calls = messages[-1].setdefault("tool_calls", [])
    if len(calls) >= MOST_CALLS:
        raise InvalidRequest(f"At most {MOST_CALLS} calls stand in a row.", param=param)
    calls.append(call)


def _call_output(item: Mapping[str, Any], param: str) -> Message:
    output = item.get("output")
    if isinstance(output, list):
        parts = list(_parts(output, f"{param}.output"))
        if any(part["type"] != TEXT for part in parts):
            raise InvalidRequest(
                "A function's output is text.", code="unsupported_content", param=f"{param}.output"
            )
        output = "".join(part["text"] for part in parts)
    if not isinstance(output, str):
        raise InvalidRequest("A function's output is text or a list of parts.", param=f"{param}.output")
    return {"role": TOOL, "content": output, "tool_call_id": _demand(item, "call_id", param)}


def _demand(item: Mapping[str, Any], name: str, param: str, *, empty: bool = False) -> str:
    text = item.get(name)
    if not isinstance(text, str) or not (text or empty):
        raise InvalidRequest(f"{name} must be text.", param=f"{param}.{name}")
    return text
