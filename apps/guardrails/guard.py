"""What guardrails did to a run's input and have to know of its output. Plain frozen data."""

from dataclasses import dataclass

from apps.guardrails.findings import Hit, Piece
from apps.guardrails.rules import GuardPolicy


@dataclass(frozen=True, slots=True)
class Guard:
    """`blocked_by` is the rule that ends the run before its call, empty where none does.

    `canary` is the token that no answer may hold; `pieces` are the untrusted texts, for a judge.
    """

    policy: GuardPolicy
    hits: tuple[Hit, ...] = ()
    blocked_by: str = ""
    canary: str = ""
    pieces: tuple[Piece, ...] = ()
