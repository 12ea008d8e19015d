"""JSON in and out: what may come in is bounded, and can always be stored in Postgres."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import orjson
from django.utils.functional import Promise

from apps.core.errors import InvalidRequest

BODY_LIMIT: Final = 4 * 1024 * 1024
DEPTH_LIMIT: Final = 64
LARGEST_FLOAT: Final = 10**308
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def parse_json(raw: bytes, *, limit: int = BODY_LIMIT) -> Any:
    """The value of a JSON text.

    Raises InvalidRequest for broken JSON, more than `limit` bytes, more than 64 levels, and for what
    Postgres can't store: NUL characters and lone surrogates.
    """
    if len(raw) > limit:
        raise InvalidRequest(f"The body is larger than {limit:,} bytes.", code="body_too_large")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    if raw.count(b"[") + raw.count(b"{") > DEPTH_LIMIT and is_too_deep(value):
        raise InvalidRequest(f"The body is nested deeper than {DEPTH_LIMIT} levels.", code="body_too_deep")
    if b"\\u0000" in raw:
        _refuse_nul(value)
    return value


def is_too_deep(value: object) -> bool:
    """Whether a value has more than 64 levels. More than 254 can be read, but not written again."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [child for parent in level for child in _children(parent)]
    return any(isinstance(found, dict | list) for found in level)


def dump_json(value: Any) -> bytes:
    """JSON text: UTC times end in Z, decimals are strings (a float would lose cents)."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError:
        # 1e30 comes back from Postgres as a whole number, which orjson reads, but does not write.
        return orjson.dumps(_without_large(value), default=_plain, option=_OPTIONS)


def _without_large(value: object) -> object:
    """The value with whole numbers of more than 64 bits as it was read: as floats."""
    if isinstance(value, dict):
        return {name: _without_large(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_large(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < LARGEST_FLOAT else str(value)
    return value


def _plain(value: object) -> object:
    if isinstance(value, Decimal | Promise):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _refuse_nul(value: object) -> None:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        names = list(found) if isinstance(found, dict) else [found]
        if any(isinstance(name, str) and "\0" in name for name in names):
            raise InvalidRequest("The body holds a NUL character.", code="invalid_character")
        waiting.extend(_children(found))
