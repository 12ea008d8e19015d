"""What is refused at the entrance of a run, before anything is looked up or spent."""

from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.runs.types import RunRequest

PARAMETERS: Final = frozenset(
    {
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
    }
)
ROLES: Final = frozenset({"system", "developer", "user", "assistant"})


def check_request(request: RunRequest) -> None:
    """Raise InvalidRequest for text that Postgres can't store and for parameters that would be ignored."""
    check_text("messages", list(request.messages))
    check_text("variables", dict(request.variables))
    check_text("metadata", dict(request.metadata))
    check_text("user", request.user)
    check_parameters(dict(request.overrides))
    check_messages(request.messages)


def check_text(param: str, value: Any) -> None:
    """Raise InvalidRequest for NUL characters and lone surrogates anywhere in a JSON value."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        raise InvalidRequest(
            f"{param} holds text that is not valid Unicode.", code="invalid_text", param=param
        ) from None
    if b"\\u0000" in encoded and _has_nul(value):
        raise InvalidRequest(f"{param} holds a NUL character.", code="invalid_text", param=param)


def clean_text(text: str) -> str:
    """A provider's text made storable: NUL and lone surrogates become the replacement character."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(text) else text


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise InvalidRequest for a model parameter that this platform does not pass on."""
    for name in parameters:
        if name not in PARAMETERS:
            raise InvalidRequest(
                f"The parameter '{name}' is not supported.", code="unsupported_parameter", param=name
            )


def check_messages(messages: tuple[dict[str, Any], ...]) -> None:
    """Raise InvalidRequest unless every message is a known role with text content."""
    for index, message in enumerate(messages):
        param = f"messages.{index}"
        if message.get("role") not in ROLES:
            allowed = ", ".join(sorted(ROLES))
            raise InvalidRequest(f"A message's role is one of {allowed}.", param=f"{param}.role")
        if not isinstance(message.get("content"), str):
            raise InvalidRequest("A message's content is text.", param=f"{param}.content")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(_has_nul(item) for item in value)
    return False


def _has_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
