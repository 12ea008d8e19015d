"""JSON as people type it: read with the place of what is wrong, and written over several lines. Pure."""

import json
from typing import Any, Final

import orjson

_SORTED: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS


class JSONTextProblem(Exception):
    """A text is not JSON; line and column count from 1."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column

    @property
    def message(self) -> str:
        """What to tell the author."""
        return f"This is not JSON: {self.reason} (line {self.line}, column {self.column})."


def read_json(text: str) -> Any:
    """The value that a text holds; None for an empty one. Raises JSONTextProblem."""
    if not text.strip():
        return None
    try:
        # The standard reader knows the place in characters, and refuses a key that stands twice.
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JSONTextProblem(_plain(error.msg), error.lineno, error.colno) from None
    except _Refused as refused:
        raise _placed(text, refused) from None
    except RecursionError:
        raise JSONTextProblem("it is nested too deeply", 1, 1) from None


def pretty(value: Any) -> str:
    """JSON over several lines."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def tidied(text: str) -> str:
    """The text with sorted keys where it can be read, else as it is; for comparing two texts."""
    try:
        value = read_json(text)
        return "" if value is None else orjson.dumps(value, option=_SORTED).decode()
    except (JSONTextProblem, TypeError):
        return text


class _Refused(Exception):
    def __init__(self, reason: str, word: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.word = word


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _Refused(f"the key “{key[:64]}” stands twice in one object", json.dumps(key))
        result[key] = value
    return result


def _refuse_constant(word: str) -> Any:
    raise _Refused(f"{word} is not a JSON number", word)


def _placed(text: str, refused: _Refused) -> JSONTextProblem:
    offset = max(text.rfind(refused.word), 0)
    line = text.count("\n", 0, offset) + 1
    return JSONTextProblem(refused.reason, line, offset - text.rfind("\n", 0, offset))


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(":")
