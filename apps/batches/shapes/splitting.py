"""Cutting long texts into pieces of so many tokens. Pure."""

import re
from typing import Final

from apps.providers import tokens

# Where a text may be cut, the best places first: between paragraphs, lines, sentences, words, anywhere.
_ENDS: Final = (r"\n\s*\n", r"\n", r"(?<=[.!?。！？])\s+", r"\s+", r"(?<=[^\s])(?=[^\s])")
_CHARACTERS_A_TOKEN: Final = 4


def split(text: str, *, size: int, overlap: int, model: str = "") -> list[str]:
    """Pieces of at most about `size` tokens that together hold the whole text.

    Each piece after the first begins with about the last `overlap` tokens of the one before, from a word's
    beginning on. Cuts are made after paragraphs where these fit, else lines, sentences, words.
    """
    if tokens.count(text, model) <= size:
        return [text]
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = _end(text, start, size, model)
        begin = _beginning(text, start, overlap, model) if pieces else start
        pieces.append(text[begin:end])
        start = end
    return pieces


def _end(text: str, start: int, size: int, model: str) -> int:
    """The end of the longest piece from `start` that holds at most `size` tokens, at a good place."""
    furthest = _reach(text, start, size, model)
    if furthest >= len(text):
        return len(text)
    for pattern in _ENDS:
        ends = [match.end() for match in re.finditer(pattern, text[start:furthest])]
        # A cut in the first half would make twice as many pieces for the sake of a paragraph.
        if ends and ends[-1] >= (furthest - start) // 2:
            return start + ends[-1]
    return furthest


def _reach(text: str, start: int, size: int, model: str) -> int:
    """How far `size` tokens reach, by halving: the counter is monotonous in the text's length."""
    low, high = start + 1, min(len(text), start + size * _CHARACTERS_A_TOKEN * 2)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens.count(text[start:middle], model) <= size:
            low = middle
        else:
            high = middle - 1
    return low


def _beginning(text: str, start: int, overlap: int, model: str) -> int:
    """Where a piece begins whose own text begins at `start`."""
    low, high = max(0, start - overlap * _CHARACTERS_A_TOKEN * 2), start
    while low < high:
        middle = (low + high) // 2
        if tokens.count(text[middle:start], model) <= overlap:
            high = middle
        else:
            low = middle + 1
    word = re.compile(r"\s+").search(text, low, start)
    return word.end() if word and low > 0 else low
