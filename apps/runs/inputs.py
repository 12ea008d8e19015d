"""What is refused at the entrance of a run, before anything is looked up or spent."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.prompts.content import PARAMETERS as VERSION_PARAMETERS
from apps.prompts.tools import chosen_tool, tool_names
from apps.runs.conversation import clean_messages
from apps.runs.types import RunRequest

Check = Callable[[Any], bool]

# What a version may set, and what only a call may.
PARAMETERS: Final[dict[str, tuple[Check, str]]] = {
    **VERSION_PARAMETERS,
    "response_format": (lambda value: isinstance(value, dict), "an object"),
    "sandbox_latency_ms": (lambda value: _is_number(value, 60_000), "a number from 0 to 60,000"),
    "sandbox_error_rate": (lambda value: _is_number(value, 1), "a number from 0 to 1"),
}

_LIMITS: Final = ("max_tokens", "max_completion_tokens")


def check_request(request: RunRequest) -> None:
    """Raise InvalidRequest for text that Postgres can't store and for parameters that would be ignored."""
    texts = {
        "messages": list(request.messages),
        "variables": dict(request.variables),
        "metadata": dict(request.metadata),
        "user": request.user,
        "unit": request.unit,
        "tools": list(request.tools or ()),
    }
    if not _is_storable(texts):
        for param, value in texts.items():
            check_text(param, value)
    check_parameters(request.overrides)
    clean_messages(request.messages)


def merged_parameters(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A version's parameters with a call's in their place: of two names for one limit the call's stays."""
    if not overrides:
        return dict(defaults)
    dropped = _LIMITS if any(name in overrides for name in _LIMITS) else ()
    return {name: value for name, value in defaults.items() if name not in dropped} | dict(overrides)


def _is_storable(value: Any) -> bool:
    try:
        return b"\\u0000" not in orjson.dumps(value)
    except TypeError:
        return False


def check_text(param: str, value: Any) -> None:
    """Raise InvalidRequest for NUL characters and lone surrogates anywhere in a JSON value."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        raise InvalidRequest(
            f"{param} holds text that is not valid Unicode.", code="invalid_character", param=param
        ) from None
    if b"\\u0000" in encoded and _has_nul(value):
        raise InvalidRequest(f"{param} holds a NUL character.", code="invalid_character", param=param)


def clean_text(text: str) -> str:
    """A provider's text made storable: NUL and lone surrogates become the replacement character."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(text) else text


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for a model parameter that is not passed on, or whose value can't be right."""
    for name, value in parameters.items():
        if name not in PARAMETERS:
            raise InvalidRequest(f"'{name}' is not supported.", code="unsupported_parameter", param=name)
        fits, wanted = PARAMETERS[name]
        if not _holds(fits, value):
            raise InvalidRequest(f"{name} must be {wanted}.", code="parameter_invalid", param=name)


def check_tool_choice(overrides: Mapping[str, Any], tools: Iterable[Mapping[str, Any]]) -> None:
    """Raise InvalidRequest for a call's word on tools that the call does not have."""
    names = tool_names(tools)
    choice = overrides.get("tool_choice")
    if names and chosen_tool(choice) in ("", *names):
        return
    if choice is not None and choice != "none":
        known = f"The tools are {', '.join(names)}." if names else "There are no tools."
        raise InvalidRequest(
            f"tool_choice asks for a tool that isn't there. {known}",
            code="parameter_invalid",
            param="tool_choice",
        )


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


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _holds(check: Check, value: Any) -> bool:
    try:
        return check(value)
    except TypeError:  # a list is not hashable, so it can't be looked for in a set
        return False
