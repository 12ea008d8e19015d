"""The words of guardrails: rules, and the policy that they form. Plain frozen data."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal

Action = Literal["allow", "flag", "redact", "block"]
"""`allow` keeps a rule without using it; `flag` records a hit; `redact` also replaces what was found by a
placeholder; `block` ends the run with `guardrail_blocked`."""
Side = Literal["input", "output"]
On = Literal["input", "output", "both"]
Kind = Literal["injection", "pii", "deny_list", "regex", "length"]
PiiType = Literal["email", "phone", "card", "iban", "ip", "us_ssn", "secrets"]
SpotlightMode = Literal["delimit", "datamark", "encode"]

PII_TYPES: Final[tuple[PiiType, ...]] = ("email", "phone", "card", "iban", "ip", "us_ssn", "secrets")
SPOTLIGHT_MODES: Final[tuple[SpotlightMode, ...]] = ("delimit", "datamark", "encode")
DEFAULT_THRESHOLD: Final = 0.6

_CUTTING: Final[tuple[Action, ...]] = ("allow", "flag", "redact", "block")
_JUDGING: Final[tuple[Action, ...]] = ("allow", "flag", "block")


@dataclass(frozen=True, slots=True)
class InjectionRule:
    """Finds texts that try to give the model orders; a hit has a score from `threshold` to 1."""

    kind: ClassVar[Kind] = "injection"
    actions: ClassVar[tuple[Action, ...]] = _JUDGING
    name: str
    on: On = "input"
    action: Action = "flag"
    threshold: float = DEFAULT_THRESHOLD


@dataclass(frozen=True, slots=True)
class PiiRule:
    """Finds personal data of these types; `secrets` are API keys, private keys and tokens."""

    kind: ClassVar[Kind] = "pii"
    actions: ClassVar[tuple[Action, ...]] = _CUTTING
    name: str
    types: tuple[PiiType, ...]
    on: On = "both"
    action: Action = "redact"


@dataclass(frozen=True, slots=True)
class DenyListRule:
    """Finds whole words and phrases, whatever their case, accents and invisible characters."""

    kind: ClassVar[Kind] = "deny_list"
    actions: ClassVar[tuple[Action, ...]] = _CUTTING
    name: str
    words: tuple[str, ...]
    on: On = "both"
    action: Action = "block"


@dataclass(frozen=True, slots=True)
class RegexRule:
    """Finds what an RE2 pattern matches; `^` and `$` stand for the ends of a line."""

    kind: ClassVar[Kind] = "regex"
    actions: ClassVar[tuple[Action, ...]] = _CUTTING
    name: str
    pattern: str
    on: On = "both"
    action: Action = "flag"


@dataclass(frozen=True, slots=True)
class LengthRule:
    """Most characters and tokens of a side's texts together; None does not cap. At least one does."""

    kind: ClassVar[Kind] = "length"
    actions: ClassVar[tuple[Action, ...]] = _JUDGING
    name: str
    most_characters: int | None = None
    most_tokens: int | None = None
    on: On = "input"
    action: Action = "block"


Rule = InjectionRule | PiiRule | DenyListRule | RegexRule | LengthRule


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret token stands in the system prompt; an answer that holds it leaks the prompt."""

    action: Action = "block"


@dataclass(frozen=True, slots=True)
class Spotlight:
    """Values of variables are marked as data in the rendered prompt; `variables` None means all."""

    mode: SpotlightMode = "datamark"
    variables: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """A model (`<connection>/<model>`) that is asked for a verdict after the rules.

    It is a hit from a score of `threshold` on. A judge that can't be had within `timeout_seconds` is the
    flag `judge_unavailable`, never a block.
    """

    model: str
    on: On = "input"
    action: Action = "flag"
    threshold: float = 0.7
    timeout_seconds: float = 10.0

    def judges(self, side: Side) -> bool:
        """Whether it is asked about this side."""
        return self.action != "allow" and self.on in (side, "both")


@dataclass(frozen=True)
class GuardPolicy:
    """The guardrails of a prompt or a project; without any rule it lets everything through unseen."""

    rules: tuple[Rule, ...] = ()
    canary: Canary | None = None
    spotlight: Spotlight | None = None
    judge: Judge | None = None

    def rules_on(self, side: Side) -> tuple[Rule, ...]:
        """The rules that look at this side."""
        return tuple(rule for rule in self.rules if rule.action != "allow" and rule.on in (side, "both"))

    @cached_property
    def checks_input(self) -> bool:
        """Whether anything looks at, or changes, what is sent to the model."""
        return bool(self.rules_on("input") or self.canary or self.spotlight)

    @cached_property
    def checks_output(self) -> bool:
        """Whether any rule looks at answers."""
        return bool(self.rules_on("output") or self.canary)

    @cached_property
    def _digest(self) -> int:
        return hash((self.rules, self.canary, self.spotlight, self.judge))

    def __hash__(self) -> int:
        # Kept: compiled rules are found by it on every run.
        return self._digest


OFF: Final = GuardPolicy()
RULES: Final[dict[str, type[Rule]]] = {
    rule.kind: rule for rule in (InjectionRule, PiiRule, DenyListRule, RegexRule, LengthRule)
}
