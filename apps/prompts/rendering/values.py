"""From what a caller sends, or a row of a file holds, to the values of a prompt's variables."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest

VARIABLE_TYPES: Final = ("text", "number", "boolean", "json")
MAX_CHARACTERS: Final = 2 * 1024 * 1024
MAX_ITEMS: Final = 100_000
MAX_JSON_DEPTH: Final = 32
_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})


def unknown_names(variables: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> tuple[str, ...]:
    """Names in ``values`` that the prompt does not declare. They are ignored, never an error: rows of
    a file and callers with one shape for many prompts carry more than a prompt reads."""
    known = {variable["name"] for variable in variables}
    return tuple(name for name in values if name not in known)


def coerce_values(variables: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every declared variable: given, else default, else None when not required.

    Text from a file becomes a number, a boolean or JSON by the variable's type; an empty text counts
    as absent for these three. Raises InvalidRequest (``variable_missing``, ``variable_invalid``,
    ``variables_too_large``) with param ``variables.<name>``.
    """
    return measured_values(variables, values)[0]


def measured_values(
    variables: Iterable[Mapping[str, Any]], values: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """`coerce_values`, and the length of the longest text within them."""
    result: dict[str, Any] = {}
    for variable in variables:
        name, kind = variable["name"], variable["type"]
        value = values.get(name)
        # Most values are plain texts already.
        if kind != "text" or not isinstance(value, str) or not value.isascii() or "\x00" in value:
            value = coerce(kind, value, name)
        if value is None:
            value = variable.get("default")
        if value is None and variable.get("required", True):
            raise InvalidRequest(
                f"Variable '{name}' has no value and no default.",
                code="variable_missing",
                param=f"variables.{name}",
            )
        result[name] = value
    return result, check_size(result)


def coerce_default(kind: str, value: Any, name: str) -> Any:
    """A default as it is stored, of the variable's type. Raises InvalidRequest."""
    return coerce(kind, value, name)


def coerce(kind: str, value: Any, name: str) -> Any:
    """One value of one type; None stays None (absent). Raises InvalidRequest ``variable_invalid``."""
    if value is None:
        return None
    if kind != "text" and isinstance(value, str) and not value.strip():
        return None
    try:
        return _COERCERS[kind](value)
    except (ValueError, TypeError) as error:
        message = f"Variable '{name}' is not {_ARTICLES[kind]}: {error}"
        raise InvalidRequest(message, code="variable_invalid", param=f"variables.{name}") from None


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        _refuse_unstorable(value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(_to_number(value))
    raise TypeError("got a list or an object; declare it as json.")


def _to_number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise TypeError("got true or false.")
    if isinstance(value, str):
        value = _parse_number(value.strip())
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("it is not finite.")
        return value
    if isinstance(value, int):
        return value
    raise TypeError("got a list or an object.")


def _parse_number(text: str) -> int | float:
    if len(text) > 100 or "_" in text:
        raise ValueError("it cannot be read.")
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"“{text[:40]}” cannot be read.") from None


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use true or false.")


def _to_json(value: Any) -> Any:
    if isinstance(value, str):
        _refuse_unstorable(value)
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{error}.") from None
    _check_json(value, MAX_JSON_DEPTH)
    return value


def _check_json(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"it is nested more than {MAX_JSON_DEPTH} levels deep.")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("its keys must be texts.")
            _refuse_unstorable(key)
            _check_json(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth - 1)
    elif isinstance(value, str):
        _refuse_unstorable(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that is not finite.")
    elif not isinstance(value, str | bool | int | float | None):
        raise TypeError("it holds something that JSON does not know.")


def _refuse_unstorable(text: str) -> None:
    """NUL and lone surrogates cannot be stored or sent: refuse them at the entrance."""
    if "\x00" in text:
        raise ValueError("it holds a NUL character.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a character (a lone surrogate).") from None


_COERCERS: Final[dict[str, Callable[[Any], Any]]] = {
    "text": _to_text,
    "number": _to_number,
    "boolean": _to_boolean,
    "json": _to_json,
}
_ARTICLES: Final = {"text": "a text", "number": "a number", "boolean": "a boolean", "json": "JSON"}


def check_size(values: Mapping[str, Any]) -> int:
    """The length of the longest text within the values. Raises InvalidRequest ``variables_too_large``."""
    size = _Size()
    for value in values.values():
        size.add(value)
    return size.longest


class _Size:
    def __init__(self) -> None:
        self.characters = 0
        self.items = 0
        self.longest = 0

    def add(self, value: Any) -> None:
        self.items += 1
        if isinstance(value, str):
            self.characters += len(value)
            self.longest = max(self.longest, len(value))
        elif isinstance(value, dict):
            for key, item in value.items():
                self.characters += len(key)
                self.add(item)
        elif isinstance(value, list):
            for item in value:
                self.add(item)
        if self.characters > MAX_CHARACTERS or self.items > MAX_ITEMS:
            message = f"The variables together exceed {MAX_CHARACTERS:,} characters or {MAX_ITEMS:,} items."
            raise InvalidRequest(message, code="variables_too_large", param="variables")
