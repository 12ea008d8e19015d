"""Trying a policy on one text, as its page does: nothing is called, stored or counted. Pure."""

from dataclasses import dataclass

from apps.guardrails.findings import Hit, Piece
from apps.guardrails.rules import Action, GuardPolicy, Side
from apps.guardrails.scanning import CountTokens, scan


@dataclass(frozen=True, slots=True)
class Findings:
    """What a policy's rules say of a text. `text` is what would go on, `action` what would be done.

    `injection_score` is also told under the threshold; it is 0 without a rule of injection.
    """

    hits: tuple[Hit, ...]
    action: Action
    text: str
    injection_score: float


def evaluate(
    policy: GuardPolicy, text: str, side: Side = "input", *, count_tokens: CountTokens | None = None
) -> Findings:
    """What the rules of a side say of a text; canary and judge need a run and say nothing here."""
    found = scan(policy, side, [Piece("text", text)], count_tokens=count_tokens)
    return Findings(found.hits, found.action, found.texts[0], found.score or 0.0)
