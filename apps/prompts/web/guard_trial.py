"""What guardrails find in a text that somebody tries, in words."""

from dataclasses import dataclass
from typing import Literal

from apps.core.highlighting import Piece, Span, marked_pieces
from apps.guardrails.evaluation import evaluate
from apps.guardrails.rules import GuardPolicy
from apps.guardrails.words import ACTIONS, hit_words
from apps.providers import tokens

_OUTCOMES = {
    "allow": "Nothing was found: the text goes on as it is.",
    "flag": "The text goes on as it is; its run is flagged.",
    "redact": "The text goes on with what was found replaced.",
    "block": "The run ends here with the error guardrail_blocked.",
}


@dataclass(frozen=True, slots=True)
class TriedHit:
    """One thing that was found, in words."""

    rule: str
    what: str
    place: str
    action: str
    score: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a text that was tried; `pieces` are the text as it would go on."""

    action: str
    outcome: str
    hits: list[TriedHit]
    pieces: list[Piece]
    redacted: bool
    score: str


def tried_text(policy: GuardPolicy, text: str, side: str) -> Tried:
    """What the rules find in a text of a side; a judge is not asked."""
    which: Literal["input", "output"] = "output" if side == "output" else "input"
    found = evaluate(policy, text, which, count_tokens=lambda part: tokens.count(part, ""))
    spans = [Span(hit.start, hit.end, hit.rule, hit.action) for hit in found.hits]
    return Tried(
        action=found.action,
        outcome=_OUTCOMES[found.action],
        hits=[
            TriedHit(
                hit.rule,
                hit_words(hit.as_json()),
                f"characters {hit.start + 1:,} to {hit.end:,}",
                ACTIONS[hit.action],
                "" if hit.score is None else f"{hit.score:.2f}",
            )
            for hit in sorted(found.hits, key=lambda hit: (hit.start, hit.end))
        ],
        pieces=marked_pieces(found.text, spans),
        redacted=found.text != text,
        score=f"{found.injection_score:.2f}",
    )
