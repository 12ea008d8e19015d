"""The texts of a run that guardrails look at, each with its place, and the run with them replaced. Pure.

Both walk in one order, so that the texts that come back find their places without being told.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from apps.guardrails.findings import Hit, Piece

# Roles whose words are the author's: they aren't suspected of giving orders that they may not give.
TRUSTED_ROLES: Final = frozenset({"system", "developer", "assistant"})
# A number of fewer digits is no card, phone or account.
SMALLEST_NUMBER: Final = 10**6
# What marks the place of a key itself.
KEY: Final = ".#key"
# Keys are shown in places, which are stored in the clear: what isn't a plain name is told by its number.
_NAME: Final = re.compile(r"[A-Za-z_](?:[A-Za-z_-]|[0-9]{1,3}(?![0-9])){0,40}\Z")


def discreet(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """The hits with places that say nothing of keys in which something was found: places are no secret."""
    found = tuple(hits)
    if not any(hit.place.endswith(KEY) for hit in found):
        return found
    return tuple(replace(hit, place=".".join(hit.place.split(".")[:2])) for hit in found)


def value_pieces(values: Mapping[str, Any]) -> Iterator[Piece]:
    """The texts of variables."""
    for number, (name, value) in enumerate(values.items()):
        for place, text in _leaves(value, f"variables.{_step(name, number)}"):
            yield Piece(place, text)


def texts_of_values(values: Mapping[str, Any]) -> list[str]:
    """The texts of `value_pieces`, without their places."""
    texts: list[str] = []
    for value in values.values():
        if isinstance(value, str):
            texts.append(value)
        else:
            texts.extend(text for _, text in _leaves(value, ""))
    return texts


def replace_values(values: Mapping[str, Any], texts: Iterator[str]) -> dict[str, Any]:
    """The variables with their texts replaced."""
    return {name: _rebuilt(value, texts) for name, value in values.items()}


def message_pieces(messages: Sequence[Mapping[str, Any]], first: int) -> Iterator[Piece]:
    """The texts of messages of which the first has the number `first`."""
    for number, message in enumerate(messages, first):
        trusted = message.get("role") in TRUSTED_ROLES
        content = message.get("content")
        if isinstance(content, str):
            yield Piece(f"messages.{number}", content, trusted)
        elif isinstance(content, list | tuple):
            for part_number, part in enumerate(content):
                if isinstance(part.get("text"), str):
                    yield Piece(f"messages.{number}.content.{part_number}", part["text"], trusted)
        yield from call_pieces(message.get("tool_calls") or (), f"messages.{number}.tool_calls", trusted)


def replace_messages(
    messages: Sequence[Mapping[str, Any]], texts: Iterator[str]
) -> tuple[dict[str, Any], ...]:
    """The messages with their texts replaced."""
    return tuple(_replaced(message, texts) for message in messages)


def call_pieces(calls: Iterable[Mapping[str, Any]], place: str, trusted: bool) -> Iterator[Piece]:
    """The texts of the arguments of tool calls."""
    for number, call in enumerate(calls):
        arguments = call["function"]["arguments"]
        for inner, text in _leaves(_as_value(arguments), f"{place}.{number}.arguments"):
            yield Piece(inner, text, trusted)


def replace_calls(calls: Iterable[Mapping[str, Any]], texts: Iterator[str]) -> tuple[dict[str, Any], ...]:
    """The tool calls with the texts of their arguments replaced; what has not changed keeps its spelling."""
    return tuple(_replaced_call(call, texts) for call in calls)


def answer_pieces(text: str, *, is_json: bool) -> Iterator[Piece]:
    """The texts of an answer; of one that is JSON each by itself, so that it stays JSON."""
    for place, leaf in _leaves(_as_value(text) if is_json else text, "output"):
        yield Piece(place, leaf)


def replace_answer(text: str, texts: Iterator[str], *, is_json: bool) -> str:
    """The answer with its texts replaced."""
    if not is_json:
        return next(texts)
    value = _as_value(text)
    rebuilt = _rebuilt(value, texts)
    return text if rebuilt == value else _written(rebuilt)


def _replaced(message: Mapping[str, Any], texts: Iterator[str]) -> dict[str, Any]:
    replaced = dict(message)
    content = message.get("content")
    if isinstance(content, str):
        replaced["content"] = next(texts)
    elif isinstance(content, list | tuple):
        replaced["content"] = [
            {**part, "text": next(texts)} if isinstance(part.get("text"), str) else part for part in content
        ]
    if message.get("tool_calls"):
        replaced["tool_calls"] = list(replace_calls(message["tool_calls"], texts))
    return replaced


def _replaced_call(call: Mapping[str, Any], texts: Iterator[str]) -> dict[str, Any]:
    arguments = call["function"]["arguments"]
    value = _as_value(arguments)
    rebuilt = _rebuilt(value, texts)
    written = arguments if rebuilt == value else _written(rebuilt)
    return {**call, "function": {**call["function"], "arguments": written}}


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text of a value, keys too, and numbers that are long enough to be somebody's."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for number, (key, item) in enumerate(value.items()):
            inner = f"{place}.{_step(key, number)}"
            # A key that is found must not be told by the places of its values: see `discreet`.
            yield f"{inner}{KEY}", key
            yield from _leaves(item, inner)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}.{number}")
    elif _is_long_number(value):
        yield place, str(value)


def _rebuilt(value: Any, texts: Iterator[str]) -> Any:
    """The value with every leaf replaced; a number stays one unless its text has changed."""
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, Mapping):
        return {next(texts): _rebuilt(item, texts) for item in value.values()}
    if isinstance(value, list | tuple):
        return [_rebuilt(item, texts) for item in value]
    if _is_long_number(value):
        text = next(texts)
        return value if text == str(value) else text
    return value


def _is_long_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= SMALLEST_NUMBER


def _step(name: str, number: int) -> str:
    return name if _NAME.match(name) else str(number)


def _as_value(text: str) -> Any:
    """A text as JSON if it is an object or a list, else as it is."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, dict | list) else text


def _written(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
