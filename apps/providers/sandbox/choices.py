"""Choosing one of several named answers for a text: by feeling, by degree, by topic."""

import re
from collections.abc import Sequence
from typing import Any, Final

from apps.providers.sandbox.text import Subject, stems, word_set

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_WORD: Final = re.compile(r"[a-z]+")


POSITIVE: Final = word_set(
    "positive pos good happy satisfied like liked favorable favourable great excellent promoter praise "
    "recommend recommended pass approve up"
)
NEGATIVE: Final = word_set(
    "negative neg bad unhappy dissatisfied dislike disliked unfavorable unfavourable poor terrible "
    "detractor complaint fail reject angry down"
)
NEUTRAL: Final = word_set("neutral mixed passive average okay ok")
FALLBACK: Final = word_set("other others none general unknown unclear unsure misc neutral na not")
EMPHASIS: Final = word_set("very strongly extremely highly strong")
DEGREES: Final = {"none": 0.0, "low": 0.15, "minor": 0.15, "medium": 0.5, "moderate": 0.5, "normal": 0.3}
DEGREES_HIGH: Final = {"high": 0.8, "major": 0.8, "severe": 0.9, "urgent": 0.95, "critical": 1.0}
ALL_DEGREES: Final = DEGREES | DEGREES_HIGH
BLAME: Final = word_set(
    "issue issues problem problems complaint complaints concern concerns defect defects bug bugs con cons "
    "weakness weaknesses negative negatives severity urgency urgent priority risk churn refund escalate "
    "escalation angry drawback drawbacks flaw flaws"
)
TOPICS: Final[dict[str, str]] = {
    "billing": "bill charge invoice payment paid refund money card fee subscription",
    "delivery": "arrive late package ship shipping deliver courier delay order box",
    "price": "price cost cheap expensive overpriced money value bargain worth pay",
    "quality": "broke broken defect cheap material durable sturdy flimsy fell apart quality",
    "service": "staff service waiter waitress server manager rude friendly support helpful employee",
    "food": "food taste dish meal menu chicken pizza burger salad sauce flavor delicious bland",
    "battery": "battery charge charger charging power drain",
    "sound": "sound audio volume noise hear speaker headset ear",
    "technical": "error crash bug login password screen app install update software freeze",
    "account": "account login password profile email access",
    "ambience": "atmosphere music decor place seat table loud cozy",
}


def choose(choices: Sequence[Any], subject: Subject, hint: frozenset[str]) -> Any:
    """The choice that fits the subject best; `hint` holds the words of the field's name and description."""
    texts = [str(choice).lower() for choice in choices]
    for rank in (_by_feeling, _by_degree, _by_number):
        wanted = rank(texts, subject, hint)
        if wanted is not None:
            return choices[wanted]
    return choices[_by_topic(texts, subject)]


def _by_feeling(texts: list[str], subject: Subject, hint: frozenset[str]) -> int | None:
    values = [_feeling(text) for text in texts]
    known = {index: value for index, value in enumerate(values) if value is not None}
    if not any(value > 0 for value in known.values()) or not any(value < 0 for value in known.values()):
        return _yes_or_no(texts, subject, hint)
    mixed = next((index for index, text in enumerate(texts) if "mixed" in text), None)
    if mixed is not None and _torn(subject):
        return mixed
    same_side = {index: value for index, value in known.items() if value * subject.score > 0}
    pool = same_side if subject.score else known
    return min(pool, key=lambda index: (abs(pool[index] - subject.score), index))


def _feeling(text: str) -> float | None:
    words = set(_WORD.findall(text))
    size = 1.0 if words & EMPHASIS else 0.5
    if words & NEUTRAL:
        return 0.0
    if words & NEGATIVE or ("not" in words and words & POSITIVE):
        return -size
    return size if words & POSITIVE else None


def _torn(subject: Subject) -> bool:
    return bool(abs(subject.score) < 0.5 and subject.worst and subject.best)


def _yes_or_no(texts: list[str], subject: Subject, hint: frozenset[str]) -> int | None:
    if not {"yes", "no"} <= set(texts):
        return None
    return texts.index("yes" if agrees(subject, hint) else "no")


def agrees(subject: Subject, hint: frozenset[str]) -> bool:
    """Whether a yes-no question holds: blame words ask for a complaint, other words for praise or mention."""
    if hint & BLAME:
        return subject.score < 0
    if hint & {"mention", "mentions", "mentioned", "contains", "about", "discusses"}:
        return bool(stems(" ".join(hint)) & subject.words)
    return subject.score > 0


def _by_degree(texts: list[str], subject: Subject, hint: frozenset[str]) -> int | None:
    degrees = {index: ALL_DEGREES[text] for index, text in enumerate(texts) if text in ALL_DEGREES}
    if len(degrees) < 2 or len(degrees) < len(texts) - 1:
        return None
    wanted = degree(subject, hint)
    return min(degrees, key=lambda index: (abs(degrees[index] - wanted), index))


def degree(subject: Subject, hint: frozenset[str]) -> float:
    """From 0 to 1: how much blame (for blame words) or praise the subject carries."""
    return max(0.0, -subject.score if hint & BLAME else subject.score)


def _by_number(texts: list[str], subject: Subject, hint: frozenset[str]) -> int | None:
    found = [_NUMBER.search(text) for text in texts]
    numbers = [float(match.group()) for match in found if match]
    if len(numbers) != len(texts) or not numbers:
        return None
    share = degree(subject, hint) if hint & BLAME else (subject.score + 1) / 2
    order = sorted(range(len(texts)), key=lambda index: numbers[index])
    return order[round(share * (len(order) - 1))]


def _by_topic(texts: list[str], subject: Subject) -> int:
    matches = [len(_topic_words(text) & subject.words) for text in texts]
    best = max(range(len(texts)), key=lambda index: (matches[index], -index))
    if matches[best]:
        return best
    return next((index for index, text in enumerate(texts) if set(_WORD.findall(text)) & FALLBACK), 0)


def _topic_words(text: str) -> frozenset[str]:
    own = stems(text.replace("_", " "))
    related = [words for topic, words in TOPICS.items() if stems(topic) & own]
    return own.union(*(stems(words) for words in related))
