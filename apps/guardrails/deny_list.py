"""Finding words and phrases whole, whatever their case, accents, look-alikes and invisible characters. Pure.

Words of Latin letters are looked for in the folded text. Others (Cyrillic, Chinese …) would lose what tells
them apart there, so they are looked for in a text that is only decomposed.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

from apps.guardrails.folding import LETTER, Folded, fold

MOST_FOUND: Final = 10_000
MEMORY: Final = 32 * 1024 * 1024
_LATIN_END: Final = 0x24F
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_") | {LETTER}
# Scripts that put no blank between words: a word of theirs has no ends to look for.
_UNSPACED: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True, slots=True)
class DenyPattern:
    """The compiled words of a list, in their two kinds; None where there are none.

    `folded` is the source of the first kind, empty where there are none.
    """

    latin: Any | None
    other: Any | None
    folded: str = ""


def pattern_of(word: str) -> str | None:
    """The pattern of one word or phrase; None if it holds neither letters nor digits."""
    if _is_latin(word):
        plain = fold(word).data.decode("latin-1")
        return _phrase(plain, r"[^a-z0-9\x00]+", _edge_of_bytes) if any(map(str.isalnum, plain)) else None
    plain = "".join(_decompose(character) for character in word)
    return _phrase(plain, r"\s+", _no_edge) if any(map(str.isalnum, plain)) else None


@lru_cache(maxsize=200)
def compile_words(words: tuple[str, ...]) -> DenyPattern:
    """The patterns of a list."""
    latin = [found for word in words if _is_latin(word) and (found := pattern_of(word))]
    other = [found for word in words if not _is_latin(word) and (found := pattern_of(word))]
    return DenyPattern(
        re2.compile("|".join(latin).encode("latin-1"), _options(latin=True)) if latin else None,
        re2.compile("|".join(other), _options(latin=False)) if other else None,
        "|".join(latin),
    )


def find_words(patterns: DenyPattern, text: str, folded: Folded, *, latin: bool) -> Iterator[tuple[int, int]]:
    """Start and end, in characters of the text, of every word found; `latin` is whether to look for those."""
    if latin and patterns.latin is not None:
        for _, match in zip(range(MOST_FOUND), patterns.latin.finditer(folded.data), strict=False):
            start, end = match.span()
            if not _cuts_bytes(folded.data, start, end):
                yield folded.span(start, end)
    if patterns.other is not None and not text.isascii():
        yield from _others(patterns.other, text)


def _others(pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    plain, offsets = _decomposed(text)
    for _, match in zip(range(MOST_FOUND), pattern.finditer(plain), strict=False):
        start, end = match.span()
        if not (_cuts(plain, start - 1, start) or _cuts(plain, end - 1, end)):
            yield offsets[start], offsets[end - 1] + 1


def _cuts(plain: str, left: int, right: int) -> bool:
    """Whether a word goes on between two places."""
    if left < 0 or right >= len(plain):
        return False
    return all(plain[place].isalnum() and not _is_unspaced(plain[place]) for place in (left, right))


def _cuts_bytes(data: bytes, start: int, end: int) -> bool:
    before = start > 0 and data[start - 1] in _WORD and data[start] in _WORD
    return before or (end < len(data) and data[end] in _WORD and data[end - 1] in _WORD)


@lru_cache(maxsize=4_096)
def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)


def _decomposed(text: str) -> tuple[str, Sequence[int]]:
    parts: list[str] = []
    offsets: list[int] = []
    for place, character in enumerate(text):
        plain = _decompose(character)
        parts.append(plain)
        offsets.extend([place] * len(plain))
    return "".join(parts), offsets


@lru_cache(maxsize=65_536)
def _decompose(character: str) -> str:
    """One character without case and marks; nothing for an invisible one."""
    parts = unicodedata.normalize("NFKD", character.casefold())
    return "".join(part for part in parts if unicodedata.category(part) not in ("Mn", "Me", "Cf"))


def _is_latin(word: str) -> bool:
    return all(ord(part) <= _LATIN_END for part in unicodedata.normalize("NFKD", word) if part.isalpha())


def _phrase(plain: str, gap: str, edge: Callable[[str], str]) -> str:
    parts = plain.split()
    return edge(parts[0][0]) + gap.join(map(re.escape, parts)) + edge(parts[-1][-1])


def _edge_of_bytes(character: str) -> str:
    return r"\b" if character.isascii() and (character.isalnum() or character == "_") else ""


def _no_edge(character: str) -> str:
    del character
    return ""


def _options(*, latin: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return options
