"""What rules found: hits that say which rule and where, never the text itself. Pure."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from apps.guardrails.rules import Action, Side

HitKind = Literal["injection", "pii", "deny_list", "regex", "length", "canary", "judge"]
STRENGTH: Final[tuple[Action, ...]] = ("allow", "flag", "redact", "block")
MOST_HITS: Final = 100
"""Most hits that are kept of a run; what they do is done for all."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One find of one rule. `start` and `end` are characters of the text at `place` as it went on, so after
    redaction; hits are stored in the clear, so they hold nothing of the text.

    `place` is `variables.<name>…`, `messages.<number>…`, `output` or `tool_calls.<number>.arguments…`.
    """

    rule: str
    kind: HitKind
    type: str
    side: Side
    place: str
    start: int
    end: int
    action: Action
    score: float | None = None
    signals: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As stored in `Run.guardrail_hits`."""
        return {
            "rule": self.rule,
            "kind": self.kind,
            "type": self.type,
            "side": self.side,
            "place": self.place,
            "start": self.start,
            "end": self.end,
            "action": self.action,
            "score": self.score,
            "signals": list(self.signals),
        }


def strongest(hits: tuple[Hit, ...]) -> Action:
    """The strongest action of some hits; `allow` without any."""
    return max((hit.action for hit in hits), key=STRENGTH.index, default="allow")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that is looked at. `trusted` is the author's own: it is no attempt to give orders."""

    place: str
    text: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """What the rules say of some pieces, and the pieces' texts with what is redacted replaced.

    `score` is the highest of injection, also under its rule's threshold; None where no such rule looked.
    """

    hits: tuple[Hit, ...]
    texts: tuple[str, ...]
    score: float | None = None

    @property
    def action(self) -> Action:
        """The strongest action of all hits."""
        return strongest(self.hits)


CLEAN: Final = Scan((), ())
