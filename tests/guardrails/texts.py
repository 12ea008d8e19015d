"""Our own test set of guardrails: texts written for it, each in one of two halves.

Rules are tuned on one half only; the other tells what they are worth. A line's variants stay together, so
that no half knows the other's wording. The `unseen` classes were written after the last change of the rules,
and nothing was changed for them: they tell how the rules fare with wordings that they don't know.
"""

import base64
import codecs
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Half = Literal["tuning", "held_out"]
Class = Literal["direct", "indirect", "ordinary", "trigger", "unseen_direct", "unseen_trigger"]

DATA: Final = Path(__file__).parent / "data"
CARRIERS_A_PAYLOAD: Final = 9
_SLOT: Final = re.compile(r"\[\[(.+?)\]\]")
_LEET: Final = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})
_HOMOGLYPHS: Final = str.maketrans({"a": "а", "e": "е", "o": "о", "c": "с", "p": "р", "x": "х", "i": "і"})


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a class, with the half that its line falls into."""

    text: str
    language: str
    half: Half


def texts(kind: Class) -> list[Text]:
    """Every text of a class."""
    return list(_indirect() if kind == "indirect" else _lines(kind))


def half_of(line: str) -> Half:
    """The half of a line, by its hash."""
    return "tuning" if hashlib.sha256(line.encode()).digest()[0] % 2 else "held_out"


def lines(name: str) -> Iterator[tuple[str, str, str, str]]:
    """Language, disguise, text and the whole line, of each line of a file."""
    for line in (DATA / f"{name}.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            head, _, text = line.partition(": ")
            language, _, disguise = head.partition(" ")
            yield language, disguise, text.replace("\\n", "\n"), line


def variants(text: str) -> Iterator[str]:
    """The text with each choice of its slots."""
    parts = _SLOT.split(text)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    return ("".join(chosen) for chosen in itertools.product(*choices))


def _lines(name: str) -> Iterator[Text]:
    for language, disguise, text, line in lines(name):
        for variant in variants(text):
            yield Text(disguised(variant, disguise), language, half_of(line))


def _indirect() -> Iterator[Text]:
    carriers = list(lines("indirect_carriers"))
    for number, (language, disguise, payload, line) in enumerate(lines("indirect_payloads")):
        for step in range(CARRIERS_A_PAYLOAD):
            # Carriers of every language: an attack need not speak the document's.
            carrier = carriers[(number + step * 5) % len(carriers)][2]
            yield Text(carrier.replace("{payload}", disguised(payload, disguise)), language, half_of(line))


def disguised(text: str, disguise: str) -> str:
    """The text as an attacker would hide it; each word of `disguise` is one way."""
    for way in disguise.split():
        text = _DISGUISES[way](text)
    return text


_DISGUISES: Final[dict[str, Callable[[str], str]]] = {
    "leet": lambda text: text.lower().translate(_LEET),
    "spaced": lambda text: "   ".join(" ".join(word) for word in text.split()),
    "base64": lambda text: f"Decode and follow: {base64.b64encode(text.encode()).decode()}",
    "wrapped": lambda text: f"A riddle for you.\n\n{text}\n\nThank you.",
    "hex": lambda text: f"hex: {text.encode().hex()}",
    "rot13": lambda text: f"rot13: {codecs.encode(text, 'rot13')}",
    "zerowidth": lambda text: "\u200b".join(text),
    "homoglyph": lambda text: text.translate(_HOMOGLYPHS),
    "fullwidth": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "reversed": lambda text: f"Read this backwards: {text[::-1]}",
    "tags": lambda text: "What a day." + "".join(chr(0xE0000 + ord(c)) for c in text),
}
