"""How much a text looks like an attempt to give the model other orders, by which signals. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.guardrails.expressions import PatternSet, folded_pattern
from apps.guardrails.folding import Folded
from apps.guardrails.signals import ENCODED, HIDDEN, SIGNALS, expand, expand_stems
from apps.guardrails.views import View, hidden_views

MOST_MATCHES: Final = 50


@dataclass(slots=True)
class Suspicion:
    """What was found in one piece of a text: weights by signal, and where the first and the last one lie."""

    start: int
    end: int
    weights: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """0 to 1: each signal takes its share of the doubt that the others leave."""
        doubt = 1.0
        for weight in self.weights.values():
            doubt *= 1 - weight
        return round(1 - doubt, 3)

    def add(self, signal: str, weight: float, start: int, end: int) -> None:
        """Note a signal; the strongest of a name counts."""
        self.weights[signal] = max(weight, self.weights.get(signal, 0.0))
        self.start, self.end = min(self.start, start), max(self.end, end)


@dataclass(frozen=True, slots=True)
class _Compiled:
    name: str
    weight: float
    pattern: Any


_SIGNALS: Final = tuple(_Compiled(s.name, s.weight, folded_pattern(expand(s.phrases))) for s in SIGNALS)
STEMS: Final = PatternSet([expand_stems(signal.stems) for signal in SIGNALS])
"""Tells by their numbers which signals are worth looking for."""

# What talks about attacks instead of being one.
_ABOUT: Final = folded_pattern(
    r"\bprompt.injections?\b|\binjection attacks?\b|\battackers?\b|\bthreat model\b|\bowasp\b|\bunit tests?\b"
    r"|\bjailbreak(?:s|ing)? (?:techniques?|prompts?|attempts?|examples?)\b|\bhow can i (?:detect|block)\b"
    r"|\bsecurity (?:class|course|research|researchers|training|team)\b|\bangreifer\b|\bbedrohungsmodell\b"
    r"|\bjailbreaks fur\b|\bmeinen vortrag\b|\batacantes?\b|\binyeccion\b|\bmodelo de amenazas\b"
    r"|\b(?:our|the|unser|nuestro) chatbot (?:got|received|bekam|erhielt|recibio)\b"
    r"|\b(?:example|examples|beispiele?|ejemplos?) (?:of|fur|von|de)\b"
)
_TOLD: Final = folded_pattern(
    r"\b(?:movie|film|novel|story|scene|play|filmszene|szene|roman|escena|novela|pelicula|teacher|speaker"
    r"|says|said|sagte?|dice|dijo|headline|titled|message)\b"
)
_HIDING: Final = folded_pattern(
    r"<!--|display ?: ?none|font-size ?: ?0|visibility ?: ?hidden"
    r"|\[//\]: ?#|\[comment\]: ?#|opacity ?: ?0[;\" ]"
)
# Somebody else than the model who ignores orders.
_SUBJECT: Final = folded_pattern(
    r"\b(?:who|quien|wer|dog|hund|perro|patient|paciente|employees?|people|children|drivers?|users)\W+(?:\w+\W+)?$"
    r"|\b(?:told|asked|advised|wants?) (?:me|us|him|her|them) (?:to\W+)?$"
    r"|\b(?:may|can|could|should|must) (?:i|we|he|she|they)\W+$"
)
# How many characters around a find tell what it is about.
_AROUND: Final = 400
_ABOUT_FACTOR: Final = 0.4
_QUOTED_FACTOR: Final = 0.4


def suspicions(
    text: str, folded: Folded, starts: Sequence[int], likely: Sequence[int], *, disguised: bool
) -> dict[int, Suspicion]:
    """What was found, by piece; `starts` are the characters at which pieces of the text begin, from 0.

    `likely` are the signals that STEMS tells of, `disguised` whether the text has a sign of other readings.
    """
    found: dict[int, Suspicion] = {}
    _look(View(folded), likely, starts, found, extra=None)
    for view in hidden_views(text, folded, disguised=disguised):
        _look(view, STEMS.find(view.folded.data), starts, found, extra=("encoded_text", ENCODED))
    if found and _HIDING.search(folded.data) is not None:
        for suspicion in found.values():
            suspicion.weights["hidden_text"] = HIDDEN
    return found


def _look(
    view: View,
    likely: Sequence[int],
    starts: Sequence[int],
    found: dict[int, Suspicion],
    extra: tuple[str, float] | None,
) -> None:
    data = view.folded.data
    for signal in map(_SIGNALS.__getitem__, likely):
        for _, match in zip(range(MOST_MATCHES), signal.pattern.finditer(data), strict=False):
            first, last = match.span()
            start, end = view.span(first, last)
            piece = bisect_right(starts, start) - 1
            suspicion = found.setdefault(piece, Suspicion(start, end))
            known = suspicion.weights.get(signal.name, 0.0) >= signal.weight
            if known and extra is not None and view.whole is None:
                # The same words once more, not hidden ones.
                continue
            weight = signal.weight if known else signal.weight * _factor(data, first, last)
            suspicion.add(signal.name, weight, start, end)
            if extra is not None:
                suspicion.weights[extra[0]] = extra[1]


def _factor(data: bytes, first: int, last: int) -> float:
    """How seriously a find is to be taken: less where the text speaks of attacks, or quotes somebody."""
    piece = max(data.rfind(b"\x00", 0, first) + 1, first - _AROUND)
    end = data.find(b"\x00", last, last + _AROUND)
    around = data[piece : end if end >= 0 else last + _AROUND]
    before = data[piece:first]
    factor = 1.0
    if _ABOUT.search(around) is not None:
        factor *= _ABOUT_FACTOR
    if before.count(b'"') % 2 and b'"' in data[last - 1 :][:200] and _TOLD.search(before[-200:]) is not None:
        factor *= _QUOTED_FACTOR
    if _SUBJECT.search(before[-40:]) is not None:
        factor *= _ABOUT_FACTOR
    return factor
