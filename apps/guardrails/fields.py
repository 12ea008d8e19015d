"""Reading a JSON object field by field; what can't be is refused with the field's full name."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from apps.core.errors import InvalidRequest

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_ABSENT: Final = object()
Part = TypeVar("Part")


class FieldReader:
    """One object of the form; every field that is read is known, and `finish` refuses the others."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            raise InvalidRequest(f"{place} must be an object.", code="parameter_invalid", param=place)
        self._value = value
        self._place = place
        self._known: set[str] = set()

    def path(self, field: str) -> str:
        """The field's full name."""
        return f"{self._place}.{field}"

    def refusal(self, field: str, message: str) -> InvalidRequest:
        """The error to raise for a value that can't be."""
        path = self.path(field)
        return InvalidRequest(f"{path}: {message}", code="parameter_invalid", param=path)

    def missing(self, field: str, message: str) -> InvalidRequest:
        """The error to raise for a value that is not there."""
        path = self.path(field)
        return InvalidRequest(f"{path} is missing. {message}".strip(), code="parameter_missing", param=path)

    def optional(self, field: str) -> Any:
        """The value as it is; None where it is absent or null."""
        self._known.add(field)
        return self._value.get(field)

    def choice(self, field: str, choices: Sequence[str], default: Any = _ABSENT) -> Any:
        """One of some words."""
        value = self.optional(field)
        if value is None:
            if default is _ABSENT:
                raise self.missing(field, f"It is one of {', '.join(choices)}.")
            return default
        if not isinstance(value, str) or value not in choices:
            raise self.refusal(field, f"It must be one of {', '.join(choices)}.")
        return value

    def choices(self, field: str, choices: Sequence[str]) -> tuple[Any, ...]:
        """At least one of some words, in their own order and once each."""
        value = texts(self._required(field), self.path(field), len(choices) * 2, 40)
        for number, item in enumerate(value):
            if item not in choices:
                raise self.refusal(f"{field}.{number}", f"It must be one of {', '.join(choices)}.")
        return tuple(choice for choice in choices if choice in value)

    def number(self, field: str, least: float, most: float, default: float) -> float:
        """A number between two others."""
        value = self.optional(field)
        if value is None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            raise self.refusal(field, f"It must be a number from {least:g} to {most:g}.")
        return float(value)

    def cap(self, field: str, most: int) -> int | None:
        """A whole number from 1, or nothing."""
        value = self.optional(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise self.refusal(field, f"It must be a whole number from 1 to {most:,}.")
        return value

    def text(self, field: str, longest: int) -> str:
        """A text that is not empty."""
        return _text(self._required(field), self.path(field), longest)

    def texts(self, field: str, most: int, longest: int) -> tuple[str, ...]:
        """At least one text, once each."""
        return texts(self._required(field), self.path(field), most, longest)

    def name(self, field: str, kind: str, taken: set[str]) -> str:
        """A name that no other rule has; without one it is the kind, with a number where that is taken."""
        value = self.optional(field)
        if value is None:
            numbered = (f"{kind}-{number}" for number in range(2, len(taken) + 3))
            return kind if kind not in taken else next(name for name in numbered if name not in taken)
        if not isinstance(value, str) or not NAME.match(value):
            raise self.refusal(field, "It has 1 to 40 of the characters a-z 0-9 _ - and begins with no sign.")
        if value in taken:
            raise self.refusal(field, "Another rule has that name.")
        return value

    def items(self, field: str, most: int) -> list[tuple[str, Any]]:
        """The items of a list, each with its full name; none where it is absent."""
        value = self.optional(field)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.refusal(field, "It must be a list.")
        if len(value) > most:
            raise self.refusal(field, f"It has at most {most} items.")
        return [(self.path(f"{field}.{number}"), item) for number, item in enumerate(value)]

    def section(self, field: str, read: Callable[["FieldReader"], Part]) -> Part | None:
        """A part that may be absent or null."""
        value = self.optional(field)
        if value is None:
            return None
        reader = FieldReader(value, self.path(field))
        part = read(reader)
        reader.finish()
        return part

    def finish(self) -> None:
        """Refuse what was not read."""
        for field in self._value:
            if field not in self._known:
                path = self.path(str(field)[:60])
                raise InvalidRequest(f"There is no field {path}.", code="parameter_unknown", param=path)

    def _required(self, field: str) -> Any:
        value = self.optional(field)
        if value is None:
            raise self.missing(field, "")
        return value


def texts(value: Any, path: str, most: int, longest: int) -> tuple[str, ...]:
    """At least one text, once each, in their order. Raises InvalidRequest."""
    if not isinstance(value, list | tuple) or not value:
        raise InvalidRequest(
            f"{path} must be a list with at least one item.", code="parameter_invalid", param=path
        )
    if len(value) > most:
        raise InvalidRequest(f"{path} has at most {most:,} items.", code="parameter_invalid", param=path)
    return tuple(dict.fromkeys(_text(item, f"{path}.{number}", longest) for number, item in enumerate(value)))


def _text(value: Any, path: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise InvalidRequest(
            f"{path} must be a text of 1 to {longest:,} characters.", code="parameter_invalid", param=path
        )
    if "\x00" in value or not _is_unicode(value):
        raise InvalidRequest(f"{path} holds a character that can't be.", code="invalid_character", param=path)
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
