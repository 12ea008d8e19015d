"""What else a text says once its disguises are off: encodings, replaced letters, invisible tags. Pure."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from apps.guardrails.expressions import folded_pattern
from apps.guardrails.folding import Folded, fold

MOST_ENCODED: Final = 20
LONGEST_ENCODED: Final = 20_000
_ENCODED_PATTERN: Final = r"[a-z0-9+/]{20,}={0,2}"
_LEET_PATTERN: Final = r"[a-z][0134578@$]+[a-z]"
_SPACED_PATTERN: Final = r"\b(?:[a-z][ ._*\-]+){7,}[a-z]\b"
_ENCODED: Final = folded_pattern(_ENCODED_PATTERN)
_LEET: Final = folded_pattern(_LEET_PATTERN)
_SPACED: Final = folded_pattern(_SPACED_PATTERN)
# "ignore", "disregard", "instruction", "prompt" and German and Spanish words, in ROT13 and backwards.
_ROT13_PATTERN: Final = (
    r"\b(?:vtaber|qvfertneq|sbetrg|vafgehpgvba|cebzcg"
    r"|vtabevre|ijetvff|naervfhat|vtaben|byivqn|vafgehppvba)"
)
_BACKWARDS_PATTERN: Final = (
    r"(?:erongi|draggersid|tegrof|snoitcurtsni|tpmorp|negnusiewna|ereirongi|arongi|senoiccurtsni)\b"
)
_ROT13: Final = folded_pattern(_ROT13_PATTERN)
_BACKWARDS: Final = folded_pattern(_BACKWARDS_PATTERN)
SIGN_PATTERN: Final = "|".join(
    (_ENCODED_PATTERN, _LEET_PATTERN, _SPACED_PATTERN, _ROT13_PATTERN, _BACKWARDS_PATTERN)
)
"""Tells whether a folded text has a sign of a disguise."""
_IN_LEET: Final = {
    "a": "[a4@]",
    "b": "[b8]",
    "e": "[e3]",
    "i": "[i1]",
    "o": "[o0]",
    "s": "[s5$]",
    "t": "[t7]",
}
_LEET_WORDS: Final = folded_pattern(
    "|".join(
        "".join(_IN_LEET.get(letter, letter) for letter in word)
        for word in (
            *(
                "ignor",
                "disregard",
                "forget",
                "bypass",
                "instruction",
                "prompt",
                "filter",
                "jailbreak",
                "unrestricted",
            ),
            *(
                "vergiss",
                "missacht",
                "anweisung",
                "regeln",
                "olvida",
                "instruccion",
                "reglas",
                "reveal",
                "developer",
            ),
        )
    )
)
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_FROM_LEET: Final = bytes.maketrans(b"013457@$8", b"oieastasb")
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\n\r\t") | frozenset(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class View:
    """A reading of a text or of a part of it; `base` is where its offsets begin, if they are kept at all.

    Without offsets of its own (`whole`), everything found is at `start` to `end` of the text.
    """

    folded: Folded
    whole: tuple[int, int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the text that a find from byte `start` to `end` stands for."""
        return self.whole or self.folded.span(start, end)


def hidden_views(text: str, folded: Folded, *, disguised: bool) -> Iterator[View]:
    """Every other reading of the text that there is a sign of.

    `disguised` is whether SIGN_PATTERN is there.
    """
    if not text.isascii():
        yield from _tags(text)
    if not disguised:
        return
    yield from _encoded(text, folded)
    if _has_leet_word(folded.data):
        yield View(Folded(folded.data.translate(_FROM_LEET), folded.length, folded.offsets))
    if _SPACED.search(folded.data) is not None:
        yield from _spaced(folded)
    if _ROT13.search(folded.data) is not None:
        turned = codecs.encode(folded.data.decode("latin-1"), "rot13").encode("latin-1")
        yield View(Folded(turned, folded.length, folded.offsets))
    if _BACKWARDS.search(folded.data) is not None:
        size = len(folded.data)
        offsets = folded.offsets or range(size)
        # Its spans run backwards, so only the whole text is told.
        yield View(Folded(folded.data[::-1], folded.length), whole=(offsets[0], offsets[-1] + 1))


def _has_leet_word(data: bytes) -> bool:
    """Whether a word of attacks is there with signs in place of letters."""
    seen = 0
    for match in _LEET.finditer(data):
        if match.start() >= seen:
            seen = data.find(b" ", match.end())
            seen = seen if seen >= 0 else len(data)
            if _LEET_WORDS.search(data[data.rfind(b" ", 0, match.start()) + 1 : seen]) is not None:
                return True
    return False


def _tags(text: str) -> Iterator[View]:
    for match in _TAGS.finditer(text):
        said = "".join(chr(ord(character) - 0xE0000) for character in match[0])
        yield View(fold(said), whole=match.span())


def _encoded(text: str, folded: Folded) -> Iterator[View]:
    for _, match in zip(range(MOST_ENCODED), _ENCODED.finditer(folded.data), strict=False):
        start, end = folded.span(*match.span())
        said = _decoded(text[start : min(end, start + LONGEST_ENCODED)])
        if said is not None:
            yield View(fold(said), whole=(start, end))


def _decoded(word: str) -> str | None:
    """What a word says in hexadecimal or Base64, if that is text."""
    plain = word.rstrip("=")
    for decode in (_from_hex, _from_base64):
        found = decode(plain)
        if found and all(byte in _PRINTABLE for byte in found):
            try:
                return found.decode()
            except UnicodeDecodeError:
                continue
    return None


def _from_hex(word: str) -> bytes | None:
    try:
        return bytes.fromhex(word)
    except ValueError:
        return None


def _from_base64(word: str) -> bytes | None:
    try:
        return base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _spaced(folded: Folded) -> Iterator[View]:
    """Words whose letters stand apart: two or more signs between letters part words."""
    for _, match in zip(range(MOST_ENCODED), _SPACED.finditer(folded.data), strict=False):
        start, end = match.span()
        words = re.split(rb"[ ._*\-]{2,}", folded.data[start:end])
        joined = b" ".join(re.sub(rb"[^a-z]", b"", word) for word in words)
        yield View(Folded(joined, len(joined)), whole=folded.span(start, end))
