"""The filters and tests of templates: our own, so that each is bounded and charges the meter.

No filter can make its input longer than a small factor; ``join``, ``replace`` and ``indent`` compute
the length of their answer first.
"""

from collections.abc import Callable
from typing import Any, Final

from apps.prompts.rendering.data import (
    DataList,
    DataMap,
    as_json,
    as_text,
    current_meter,
    face,
    too_large,
    unface,
)


def _text(value: Any) -> str:
    text = as_text(value)
    current_meter().count_filtered(len(text))
    return text


def _bounded(length: int) -> None:
    cap = current_meter().output_cap
    if length > cap:
        raise too_large(cap)


def _lower(value: Any) -> str:
    return _text(value).lower()


def _upper(value: Any) -> str:
    return _text(value).upper()


def _capitalize(value: Any) -> str:
    return _text(value).capitalize()


def _title(value: Any) -> str:
    return _text(value).title()


def _trim(value: Any) -> str:
    return _text(value).strip()


def _truncate(value: Any, length: Any = 255) -> str:
    text, limit = _text(value), max(int(length), 1)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = _text(value), as_text(old), as_text(new)
    if not before:
        return text
    _bounded(len(text) + text.count(before) * max(len(after) - len(before), 0))
    return text.replace(before, after)


def _indent(value: Any, width: Any = 4) -> str:
    text, blanks = _text(value), " " * min(max(int(width), 0), 40)
    _bounded(len(text) + text.count("\n") * len(blanks))
    return text.replace("\n", "\n" + blanks)


def _default(value: Any, other: Any = "", also_empty: Any = False) -> Any:
    return other if value is None or (also_empty and not unface(value)) else value


def _length(value: Any) -> int:
    plain = unface(value)
    return len(plain) if isinstance(plain, str | list | dict) else 0


def _first(value: Any) -> Any:
    plain = unface(value)
    return face(plain[0]) if isinstance(plain, str | list) and plain else None


def _last(value: Any) -> Any:
    plain = unface(value)
    return face(plain[-1]) if isinstance(plain, str | list) and plain else None


def _join(value: Any, separator: Any = "") -> str:
    plain, glue = unface(value), as_text(separator)
    if not isinstance(plain, list):
        return _text(value)
    parts = []
    total = 0
    for item in plain:
        part = _text(item)
        total += len(part) + len(glue)
        _bounded(total - len(glue))
        parts.append(part)
    return glue.join(parts)


def _items(value: Any) -> Any:
    plain = unface(value)
    if not isinstance(plain, dict):
        return DataList([])
    current_meter().count_looks(len(plain))
    return DataList([[key, item] for key, item in plain.items()])


def _tojson(value: Any) -> str:
    text = as_json(value)
    current_meter().count_filtered(len(text))
    _bounded(len(text))
    return text


def _round(value: Any, digits: Any = 0) -> Any:
    plain = unface(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return value
    places = min(max(int(digits), 0), 15)
    return round(float(plain), places) if places else round(plain)


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "capitalize": _capitalize,
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "indent": _indent,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _lower,
    "replace": _replace,
    "round": _round,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "upper": _upper,
}

TESTS: Final[dict[str, Callable[..., bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: value is not None,
    "even": lambda value: isinstance(value, int) and value % 2 == 0,
    "mapping": lambda value: isinstance(value, DataMap),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": lambda value: isinstance(value, int) and value % 2 == 1,
    "sequence": lambda value: isinstance(value, DataList),
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: value is None,
}
