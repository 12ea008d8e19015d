"""Reading what a chat request asks about: the subject inside the messages, its key words and sentences."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.core.chat_content import text_of
from apps.providers.sandbox import sentiment

LONGEST: Final = 20_000  # characters that are read; what comes after does not change the answer

_OPENING_TAG: Final = re.compile(r"<([a-zA-Z][\w-]{0,40})>")
_FENCES: Final = ("```", '"""', "'''")
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


_IMPERATIVES: Final = word_set("""
    analyse analyze answer assign categorize check choose classify decide describe determine does evaluate
    explain extract find following give grade here identify judge label list mark name pick please rate read
    return rewrite say score sort state summarize tag tell translate what which write you your
""")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the request is about: the text, how positive it is (-1 to 1), its sentences and key words.

    `words` are the stems of all its words, for comparing with choices; `worst` and `best` the sentences
    that lean most to either side, empty when none does.
    """

    text: str
    score: float
    sentences: tuple[str, ...]
    keywords: tuple[str, ...]
    words: frozenset[str]
    worst: str
    best: str


def read_subject(messages: Sequence[dict[str, Any]]) -> Subject:
    """Find the part of the last user message that holds the input rather than the instruction.

    A tagged or fenced block wins, then what follows a label such as `Review:` at a line's start, then what
    follows a first paragraph that reads like an instruction; else the message is taken whole.
    """
    users = [content_text(message) for message in messages if message.get("role") == "user"]
    text = _input_part((users[-1] if users else "\n".join(map(content_text, messages)))[:LONGEST])
    sentences = tuple(sentiment.sentences(text))
    scored = [(sentiment.score(sentence), sentence) for sentence in sentences]
    low, high = min(scored, default=(0.0, "")), max(scored, default=(0.0, ""))
    return Subject(
        text=text,
        score=sentiment.score(text),
        sentences=sentences,
        keywords=tuple(_keywords(text)),
        words=stems(text),
        worst=low[1] if low[0] < 0 else "",
        best=high[1] if high[0] > 0 else "",
    )


def content_text(message: dict[str, Any]) -> str:
    """The text of a message, whose content may be a string or a list of parts."""
    return text_of(message)


def stems(text: str) -> frozenset[str]:
    """Words of a text cut to six letters, so that `delivery` and `delivered` meet."""
    return frozenset(word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


def _input_part(message: str) -> str:
    found = _tagged(message) or _fenced(message)
    if found:
        return found
    labelled = _LABELLED.search(message)
    if labelled:
        return labelled["body"].strip()
    head, *rest = re.split(r"\n\s*\n", message.strip(), maxsplit=1)
    return rest[0].strip() if rest and _is_instruction(head) else message.strip()


def _is_instruction(paragraph: str) -> bool:
    words = _WORD.findall(paragraph.lower())
    return paragraph[-1:] in ("?", ":") or bool(words and words[0] in _IMPERATIVES)


def _tagged(message: str) -> str:
    """What stands in the first tag that is closed. By hand: a pattern would take quadratic time."""
    unclosed = set()
    for opening in _OPENING_TAG.finditer(message):
        name = opening[1]
        end = -1 if name in unclosed else message.find(f"</{name}>", opening.end())
        if end >= 0:
            return message[opening.end() : end].strip()
        unclosed.add(name)
    return ""


def _fenced(message: str) -> str:
    for fence in _FENCES:
        _, opened, rest = message.partition(fence)
        body, closed, _ = rest.partition(fence)
        if opened and closed and body.strip():
            # The rest of the opening line names a language.
            return body.partition("\n")[2].strip() or body.strip()
    return ""


def _keywords(text: str) -> list[str]:
    counts = Counter(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    return sorted(counts, key=lambda word: (-counts[word], -len(word), word))[:20]
