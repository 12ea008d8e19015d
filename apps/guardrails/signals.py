"""Everything that attempts to give a model other orders are told by, and its patterns. Pure data."""

import re
from typing import Final

from apps.guardrails.signals_of_misuse import MISUSE
from apps.guardrails.signals_of_override import OVERRIDE
from apps.guardrails.vocabulary import WORDS, Signal

SIGNALS: Final[tuple[Signal, ...]] = (*OVERRIDE, *MISUSE)
HIDDEN: Final = 0.35
ENCODED: Final = 0.3
SIGNAL_WORDS: Final[dict[str, str]] = {
    **{signal.name: signal.meaning for signal in SIGNALS},
    "hidden_text": (
        "It stands where a person doesn't see it: a comment, invisible signs, an element that isn't shown."
    ),
    "not_looked_at": "There were more finds before it than are looked for, so the rest is cut.",
    "encoded_text": "It was hidden by an encoding such as Base64, or by replaced letters.",
}
"""What each signal means, for people."""

_GAP: Final = r"[^a-z0-9.!?\x00]+"


def expand(phrases: str) -> str:
    """The pattern of a signal's phrases."""
    for _ in range(2):
        phrases = re.sub(r"\{([a-z_]+)\}", lambda found: WORDS[found[1]], phrases)
    return re.sub(r"(?<!\[) (?![\]?{])", lambda _: _GAP, phrases)


def expand_stems(stems: str) -> str:
    """The pattern of a signal's stems, which are plain words."""
    return "|".join(re.escape(stem).replace("\\ ", _GAP) for stem in stems.split("|") if stem.strip())
