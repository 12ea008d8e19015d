"""What the sandbox writes: short extracts from the input, and plain sentences round them."""

import re
from typing import Final

from apps.providers.sandbox.choices import BLAME
from apps.providers.sandbox.text import Subject, word_set

LONGEST: Final = 240
_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "iri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_ADVICE: Final = word_set(
    "recommendation recommendations recommend action actions advice suggestion suggestions next step steps "
    "improvement improvements fix reply response"
)
_PRAISE: Final = word_set("strength strengths pro pros praise positive positives liked")
_LABELS: Final = word_set(
    "category topic tag tags keyword keywords topics theme themes aspect aspects feature product subject "
    "title name entity entities"
)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


def hint_words(*texts: str) -> frozenset[str]:
    """The words of a field's name and description, with snake_case and camelCase taken apart."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))


def example_of_format(name: str) -> str | None:
    """A text of a JSON Schema format, None for a format that is not known here."""
    return _FORMATS.get(name)


def sentiment_word(subject: Subject) -> str:
    """Positive, Negative or Neutral."""
    if not subject.score:
        return "Neutral"
    return "Positive" if subject.score > 0 else "Negative"


def write_field(subject: Subject, hint: frozenset[str], turn: int, sentences: int) -> str:
    """The text of a string field; `turn` counts the items of an array, so that each says something else."""
    if "sentiment" in hint or "polarity" in hint:
        return sentiment_word(subject)
    if hint & _ADVICE:
        return _advice(subject)
    if hint & BLAME:
        return _clip(subject.worst) or "No issue mentioned."
    if hint & _PRAISE:
        return _clip(subject.best) or "Nothing praised."
    return _label(subject, turn) if hint & _LABELS else summary(subject, sentences, turn)


def _label(subject: Subject, turn: int) -> str:
    return subject.keywords[turn % len(subject.keywords)] if subject.keywords else "unknown"


def summary(subject: Subject, sentences: int, turn: int = 0) -> str:
    """The sentences that lean most, in the order of the input."""
    if not subject.sentences:
        return "Nothing to summarize."
    start = turn % len(subject.sentences)
    return _clip(" ".join(subject.sentences[start : start + sentences]))


def free_answer(subject: Subject, sentences: int) -> str:
    """What the sandbox says where no schema tells it what to fill."""
    points = ", ".join(subject.keywords[:5]) or "none"
    return (
        f"Sandbox answer, no model was called. In short: {summary(subject, sentences)} "
        f"Tone: {sentiment_word(subject).lower()}. Key words: {points}."
    )


def _advice(subject: Subject) -> str:
    if subject.score < 0:
        return f"Look into this: {_clip(subject.worst or summary(subject, 1), 160)}"
    if subject.score > 0:
        return f"Keep it up: {_clip(subject.best or summary(subject, 1), 160)}"
    return "Ask for more detail before acting."


def _clip(text: str, longest: int = LONGEST) -> str:
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0] + "…"
