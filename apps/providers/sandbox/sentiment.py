"""A small word-list scorer: how positive a text is, with negation, emphasis and contrast."""

import math
import re
from collections.abc import Iterator
from typing import Final

from apps.providers.sandbox.words import LEXICON

_WORD: Final = re.compile(r"[a-z0-9]+(?:[-'/][a-z0-9]+)*|[!?]+|[:;]-?[()d]|[.;,]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\n+|\.{2,}\s*")
# An ending and what may stand in its place in the word's base form.
_ENDINGS: Final = (
    ("'s", ("",)),
    ("ies", ("y",)),
    ("ied", ("y",)),
    ("ier", ("y",)),
    ("iest", ("y",)),
    ("ily", ("y",)),
    ("bly", ("ble",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("ly", ("",)),
    ("er", ("", "e")),
    ("est", ("", "e")),
)
_REACH: Final = 4  # how many words a negation reaches forward
_NEGATED_PRAISE: Final = -0.9
_NEGATED_BLAME: Final = -0.5  # "not bad" is fainter praise than "not good" is blame
_BEFORE_CONTRAST: Final = 0.6
_AFTER_CONTRAST: Final = 1.3
_BARE_NEGATION: Final = -0.8  # a negation that finds nothing to turn leans to a complaint
_FACES: Final = {"(": -2.0, ")": 2.0, "d": 2.0}


def score(text: str) -> float:
    """How positive a text is, from -1 (negative) over 0 (no sign either way) to 1 (positive)."""
    total = sum(_sentence_weight(part) for part in _SENTENCE_END.split(text) if part)
    return math.tanh(total / 4)


def sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, without empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def tokens(text: str) -> list[str]:
    """Lower-case words and the marks that carry feeling."""
    return _WORD.findall(text.replace("’", "'").lower())


def _sentence_weight(sentence: str) -> float:
    words = tokens(sentence)
    weights = _word_weights(words)
    split = next((index for index, word in enumerate(words) if word in LEXICON.contrast), None)
    if split is None or split == 0:
        total = sum(weights)
    else:
        total = _BEFORE_CONTRAST * sum(weights[:split]) + _AFTER_CONTRAST * sum(weights[split:])
    return total * (1.2 if "!" in sentence else 1.0)


def _word_weights(words: list[str]) -> list[float]:
    weights = [0.0] * len(words)
    negation, reach = -1, -1
    index = 0
    while index < len(words):
        length, own = _phrase_at(words, index)
        if words[index] in LEXICON.negators and not length:
            negation, reach = index, index + _REACH
            own = _BARE_NEGATION
        elif words[index] in ".;,":
            reach = -1
        elif own := own if length else _weight(words[index]) * _emphasis(words, index):
            own, kept = _negated(own) if index <= reach else (own, 1.0)
            weights[negation] *= kept
        weights[index] = own
        if length:
            reach = -1
        index += max(length, 1)
    return weights


def _negated(weight: float) -> tuple[float, float]:
    """A weight under a negation, and what is kept of the negation's own: nothing."""
    return weight * (_NEGATED_PRAISE if weight > 0 else _NEGATED_BLAME), 0.0


def _phrase_at(words: list[str], index: int) -> tuple[int, float]:
    for length in range(LEXICON.longest_phrase, 1, -1):
        weight = LEXICON.phrases.get(tuple(words[index : index + length]))
        if weight is not None and index + length <= len(words):
            return length, weight
    return 0, 0.0


def _weight(word: str) -> float:
    known = LEXICON.words.get(word)
    if known is not None:
        return known
    if word[0] in ":;":
        return _FACES.get(word[-1], 0.0)
    return next((LEXICON.words[form] for form in _base_forms(word) if form in LEXICON.words), 0.0)


def _base_forms(word: str) -> Iterator[str]:
    for ending, replacements in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            yield from (stem + replacement for replacement in replacements)
            if stem[-1] == stem[-2]:
                yield stem[:-1]


def _emphasis(words: list[str], index: int) -> float:
    return LEXICON.intensifiers.get(words[index - 1], 1.0) if index else 1.0
