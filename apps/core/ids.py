"""Identifiers: UUIDv7 inside, prefix + base32 outside.

A public id is ``<prefix>_<26 characters>``: the 128 bits of the UUID in Crockford's base32
(no I, L, O, U), so ids of one kind sort by creation time as text too.
"""

import os
import time
from collections import deque
from datetime import datetime
from typing import Final
from uuid import UUID

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH: Final = 26
RANDOMS_AT_ONCE: Final = 256
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
# Two characters for each 10 bits, shifted in parts of 30: a request writes several ids, and character by
# character they took 20 µs.
_PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
_VERSION_7: Final = 0x7 << 76 | 0x2 << 62
_RANDOM_BITS: Final = (1 << 76) - 1 & ~(0x3 << 62)

PREFIXES: Final[dict[str, str]] = {
    "ale": "alert event",
    "alr": "alert rule",
    "aud": "audit event",
    "bat": "batch",
    "batch": "OpenAI batch",
    "bpr": "row preparation",
    "str": "stream",
    "sct": "scale test",
    "scs": "step of a scale test",
    "bti": "batch item",
    "btv": "batch variant",
    "drf": "draft",
    "dsc": "dataset change",
    "dsd": "dataset draft",
    "dsi": "dataset row",
    "dst": "dataset",
    "dsv": "dataset version",
    "dsx": "dataset import",
    "ers": "erasure",
    "evt": "event",
    "fbk": "feedback",
    "fil": "file",
    "file": "OpenAI file",
    "grt": "grant",
    "inc": "incident",
    "ivt": "invitation",
    "key": "API key",
    "lbl": "label",
    "lbm": "label move",
    "lgh": "legal hold",
    "mal": "model alias",
    "mbr": "member",
    "org": "organization",
    "oxp": "export",
    "pbt": "provider batch",
    "pcr": "provider connection",
    "pdm": "default model",
    "prc": "price",
    "prg": "purge",
    "prj": "project",
    "prm": "prompt",
    "prv": "prompt version",
    "req": "request",
    "rol": "role",
    "rtp": "retention policy",
    "run": "run",
    "ses": "session",
    "srv": "serving policy",
    "use": "usage event",
    "usr": "user",
    "whd": "webhook delivery",
    "whk": "webhook endpoint",
}


# Asking the kernel for each id costs much of it. Taking one out is atomic, so threads may share them.
_randoms: deque[int] = deque()
os.register_at_fork(after_in_child=_randoms.clear)


def prefix_of_kind(kind: str) -> str:
    """The prefix of a kind as the API names it ("dataset_version"); empty for one without ids."""
    found = (prefix for prefix, words in PREFIXES.items() if words.lower().replace(" ", "_") == kind)
    return next(found, "")


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    try:
        random = _randoms.pop()
    except IndexError:
        random = _more_randoms()
    return UUID(int=time.time_ns() // 1_000_000 << 80 | random & _RANDOM_BITS | _VERSION_7)


def first_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a millisecond: ids made from that moment on are not below it."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=(max(0, milliseconds) & 0xFFFFFFFFFFFF) << 80)


def encode(prefix: str, value: UUID) -> str:
    """The public form of an id, as ``run_01k…``. Raises KeyError for an unregistered prefix."""
    if prefix not in PREFIXES:
        raise KeyError(prefix)
    number, pairs = value.int, _PAIRS
    first, second = number >> 100, number >> 70 & 0x3FFFFFFF
    third, fourth = number >> 40 & 0x3FFFFFFF, number >> 10 & 0x3FFFFFFF
    return (
        f"{prefix}_{pairs[first >> 20]}{pairs[first >> 10 & 1023]}{pairs[first & 1023]}"
        f"{pairs[second >> 20]}{pairs[second >> 10 & 1023]}{pairs[second & 1023]}"
        f"{pairs[third >> 20]}{pairs[third >> 10 & 1023]}{pairs[third & 1023]}"
        f"{pairs[fourth >> 20]}{pairs[fourth >> 10 & 1023]}{pairs[fourth & 1023]}{pairs[number & 1023]}"
    )


def decode(prefix: str, text: str) -> UUID:
    """The UUID behind a public id. Raises ValueError for another prefix or a malformed text."""
    head, separator, body = text.partition("_")
    if head != prefix or not separator or len(body) != LENGTH or body[0] not in "01234567":
        raise ValueError(f"not a {prefix}_ id")
    number = 0
    for character in body:
        if character not in _VALUES:
            raise ValueError(f"not a {prefix}_ id")
        number = number << 5 | _VALUES[character]
    return UUID(int=number)


def decode_or_none(prefix: str, text: str) -> UUID | None:
    """The UUID behind a public id; None for another prefix or a malformed text."""
    try:
        return decode(prefix, text)
    except ValueError:
        return None


def read_any(text: str) -> tuple[str, UUID] | None:
    """Prefix and UUID of a public id of any kind; no prefix for a bare UUID, None for anything else."""
    prefix = text.partition("_")[0]
    found = decode_or_none(prefix, text) if prefix in PREFIXES else None
    if found is not None:
        return prefix, found
    try:
        return "", UUID(text)
    except ValueError:
        return None


def _more_randoms() -> int:
    """Fill the store of random numbers, and one of them."""
    drawn = os.urandom(10 * RANDOMS_AT_ONCE)
    fresh = [int.from_bytes(drawn[start : start + 10], "big") for start in range(0, len(drawn), 10)]
    one = fresh.pop()
    _randoms.extend(fresh)
    return one
