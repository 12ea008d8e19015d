"""Reading what a chat request asks about: the subject inside the messages, its key words and sentences."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.providers.sandbox import sentiment

_TAGGED: Final = re.compile(r"<(?P<tag>[a-zA-Z][\w-]{0,40})>\s*(?P<body>.+?)\s*</(?P=tag)>", re.DOTALL)
_FENCED: Final = re.compile(r"(?P<fence>```|\"\"\"|''')[^\n]*?\n?(?P<body>.+?)(?P=fence)", re.DOTALL)
_LABELLED: Final = re.compile(r"^[A-Z][\w '()-]{0,40}:[ \t]*\n?(?P<body>\S.*)\Z", re.DOTALL | re.MULTILINE)
_WORD: Final = re.compile(r"[a-z]{3,}")


def word_set(words: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(words.split())


_STOP_WORDS: Final = word_set("""
    about above after again all also and any are because been before being between both but can could did
    does doing down during each even ever few for from further get got had has have having her here hers
    him his how into its just like made make many more most much must nor not now off once one only other
    our out over own same she should some such than that the their them then there these they this those
    through too under until very was were what when where which while who why will with would you your
""")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the request is about: the text, how positive it is (-1 to 1), its sentences and key words."""

    text: str
    score: float
    sentences: tuple[str, ...]
    keywords: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        """Stems of all its words, for comparing with choices."""
        return stems(self.text)

    def extreme(self, *, negative: bool) -> str:
        """The most negative (or positive) sentence; empty when none leans that way."""
        sign = -1.0 if negative else 1.0
        best = max(self.sentences, key=lambda part: sign * sentiment.score(part), default="")
        return best if best and sign * sentiment.score(best) > 0 else ""


def read_subject(messages: Sequence[dict[str, Any]]) -> Subject:
    """Find the part of the last user message that holds the input rather than the instruction.

    A tagged or fenced block wins, then what follows a label such as `Review:` at a line's start, then the
    last paragraph; a message without any of these is taken whole.
    """
    users = [content_text(message) for message in messages if message.get("role") == "user"]
    text = _input_part(users[-1] if users else "\n".join(map(content_text, messages)))
    return Subject(text, sentiment.score(text), tuple(sentiment.sentences(text)), tuple(_keywords(text)))


def content_text(message: dict[str, Any]) -> str:
    """The text of a message, whose content may be a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def stems(text: str) -> frozenset[str]:
    """Words of a text cut to six letters, so that `delivery` and `delivered` meet."""
    return frozenset(word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


def _input_part(message: str) -> str:
    for pattern in (_TAGGED, _FENCED, _LABELLED):
        found = pattern.search(message)
        if found:
            return found["body"].strip()
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", message) if part.strip()]
    return paragraphs[-1] if paragraphs else message.strip()


def _keywords(text: str) -> list[str]:
    counts = Counter(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    return sorted(counts, key=lambda word: (-counts[word], -len(word), word))[:20]
