"""Our own test set of personal data: shapes of values in sentences of three languages."""

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.guardrails.texts import DATA, Half, half_of

CASES_A_TYPE: Final = 400
_ALPHABETS: Final = {
    "#": string.digits,
    "%": "123456789",
    "^": string.ascii_uppercase,
    "~": string.ascii_lowercase,
    "*": string.ascii_letters + string.digits,
    "!": "0123456789abcdef",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A text with a value of a type from `start` to `end`; where `found` is False, something like one."""

    kind: str
    text: str
    start: int
    end: int
    found: bool
    half: Half


def cases(kind: str) -> list[Case]:
    """At least 300 texts with a value of the type and 300 with something like it."""
    carriers, shapes = _read()
    return [case for found in (True, False) for case in _cases(kind, shapes[kind, found], carriers, found)]


def kinds() -> list[str]:
    """Every type that the set has."""
    return list(dict.fromkeys(kind for kind, _ in _read()[1]))


def _cases(kind: str, shapes: list[str], carriers: list[str], found: bool) -> Iterator[Case]:
    source = random.Random(f"{kind} {found}")
    for number in range(CASES_A_TYPE):
        shape = shapes[number % len(shapes)]
        carrier = carriers[(number // len(shapes) * 7 + number) % len(carriers)]
        value = _value(kind, shape, found, source)
        start = carrier.index("{value}")
        text = carrier.replace("{value}", value)
        yield Case(kind, text, start, start + len(value), found, half_of(f"{kind}{shape}{carrier}"))


def _read() -> tuple[list[str], dict[tuple[str, bool], list[str]]]:
    carriers: list[str] = []
    shapes: dict[tuple[str, bool], list[str]] = {}
    for line in (DATA / "pii.txt").read_text().splitlines():
        head, separator, text = line.partition(": ")
        if line.startswith("#") or not separator:
            continue
        text = text.replace("\\n", "\n")
        if head == "carrier":
            carriers.append(text)
        else:
            kind, _, sign = head.partition(" ")
            shapes.setdefault((kind, sign == "+"), []).append(text)
    return carriers, shapes


def _value(kind: str, shape: str, found: bool, source: random.Random) -> str:
    # A row of stars in a text that holds no secret is just that.
    letters = {} if not found and "****" in shape else _ALPHABETS
    filled = "".join(source.choice(letters[c]) if c in letters else c for c in shape)
    if "?" not in shape or kind not in ("card", "iban"):
        return filled
    checks = [str(digit) for digit in range(10)] if kind == "card" else [f"{n:02}" for n in range(2, 99)]
    place = "?" if kind == "card" else "??"
    right = [check for check in checks if _is_right(kind, filled.replace(place, check))]
    wrong = [check for check in checks if check not in right]
    return filled.replace(place, source.choice(right if found else wrong))


def _is_right(kind: str, value: str) -> bool:
    plain = "".join(c for c in value if c.isalnum())
    if kind == "iban":
        return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
    doubled = [int(c) * (1 + number % 2) for number, c in enumerate(reversed(plain))]
    return sum(digit // 10 + digit % 10 for digit in doubled) % 10 == 0
