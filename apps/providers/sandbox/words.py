"""Loads the word lists of the sandbox's scorer from the two text files beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
STRONGER, WEAKER = 1.4, 0.7


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Weights of words and expressions; below zero is negative."""

    words: dict[str, float]
    phrases: dict[tuple[str, ...], float]
    longest_phrase: int
    negators: frozenset[str]
    contrast: frozenset[str]
    intensifiers: dict[str, float]


def _lines(name: str) -> Iterator[tuple[str, str]]:
    """Every line of a list file with the section that it stands in."""
    section = ""
    for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            yield section, line


def _load() -> Lexicon:
    named: dict[str, set[str]] = {name: set() for name in ("negators", "contrast", "stronger", "weaker")}
    words: dict[str, float] = {}
    for section, line in _lines("words.txt"):
        if section in named:
            named[section].update(line.split())
        else:
            words.update(dict.fromkeys(line.split(), float(section)))
    phrases = {tuple(line.split()): float(section) for section, line in _lines("phrases.txt")}
    return Lexicon(
        words=words,
        phrases=phrases,
        longest_phrase=max(map(len, phrases)),
        negators=frozenset(named["negators"]),
        contrast=frozenset(named["contrast"]),
        intensifiers=dict.fromkeys(named["stronger"], STRONGER) | dict.fromkeys(named["weaker"], WEAKER),
    )


LEXICON: Final = _load()
