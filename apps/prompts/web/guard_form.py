"""The card of guardrails: rules as rows that are added and taken away, without a script.

What was typed is kept as text until it is read, so that a page with a mistake shows it again as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from django.http import QueryDict

from apps.core.errors import PromptsaasError
from apps.core.numbers import whole_number
from apps.guardrails import words
from apps.guardrails.rules import PII_TYPES, RULES
from apps.prompts.web.serving_forms import OWN

MOST_RULES: Final = 50
KINDS: Final = {kind: words.KINDS[kind] for kind in RULES}
SPOTLIGHTS: Final = (
    ("", "Off"),
    ("datamark", "Mark each word"),
    ("delimit", "Put between markers"),
    ("encode", "Encode in Base64"),
)
CANARIES: Final = (("", "Off"), ("flag", "Flag"), ("block", "Block"))
_LINES: Final = ("words",)
_NUMBERS: Final = ("threshold", "timeout_seconds")
_WHOLE: Final = ("most_characters", "most_tokens")


@dataclass(slots=True)
class TypedRule:
    """One rule as it stands in its row; `errors` are by field, the empty name is the whole row."""

    number: int
    kind: str
    texts: dict[str, str]
    types: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return KINDS[self.kind][0]

    @property
    def about(self) -> str:
        return KINDS[self.kind][1]

    @property
    def actions(self) -> list[tuple[str, str]]:
        """What a rule of this kind may do."""
        return [(name, words.ACTIONS[name]) for name in RULES[self.kind].actions]

    @property
    def type_boxes(self) -> list[tuple[str, str, bool]]:
        """The types of personal data, each with whether it is looked for."""
        return [(name, words.PII_WORDS[name], name in self.types) for name in PII_TYPES]

    def value(self) -> dict[str, Any]:
        """The rule as the policy takes it; numbers that are none stay texts, which the policy refuses."""
        given: dict[str, Any] = {"kind": self.kind}
        for name, text in self.texts.items():
            if name in _LINES:
                given[name] = [line.strip() for line in text.splitlines() if line.strip()]
            elif text or name == "pattern":
                given[name] = _number(name, text)
        if self.kind == "pii":
            given["types"] = self.types
        return given


@dataclass(slots=True)
class GuardForm:
    """The whole card as it was typed, or as it is stored."""

    own: bool
    rules: list[TypedRule]
    canary: str = ""
    spotlight: str = ""
    spotlight_variables: str = ""
    judge: dict[str, str] = field(default_factory=dict)
    try_text: str = ""
    try_side: str = "input"
    errors: dict[str, str] = field(default_factory=dict)

    open: bool = False

    @property
    def general_errors(self) -> list[str]:
        """What was refused of the policy as a whole."""
        return [text for name, text in self.errors.items() if not name]

    @property
    def addable(self) -> list[tuple[str, str]]:
        """The kinds of rules that can be added."""
        return [(kind, title) for kind, (title, _) in KINDS.items()] if len(self.rules) < MOST_RULES else []

    def section_value(self) -> dict[str, Any] | None:
        """The section that was typed; None for the inherited one."""
        return self.value() if self.own else None

    def value(self) -> dict[str, Any]:
        """The policy that was typed, whether it is to be one's own or not."""
        value: dict[str, Any] = {}
        if self.rules:
            value["rules"] = [rule.value() for rule in self.rules]
        if self.canary:
            value["canary"] = {"action": self.canary}
        if self.spotlight:
            names = [name.strip() for name in self.spotlight_variables.split(",") if name.strip()]
            value["spotlight"] = {"mode": self.spotlight, "variables": names or None}
        if self.judge.get("model"):
            value["judge"] = {name: _number(name, text) for name, text in self.judge.items() if text}
        return value

    def add_rule(self, kind: str) -> None:
        """One more row, filled with what is usual for its kind."""
        if kind in KINDS and len(self.rules) < MOST_RULES:
            self.own = True
            self.rules.append(_usual_rule(len(self.rules), kind))

    def remove_rule(self, number: int) -> None:
        """Take a row away."""
        self.own = True
        kept = [rule for rule in self.rules if rule.number != number]
        for place, rule in enumerate(kept):
            rule.number = place
        self.rules = kept

    def add_problem(self, problem: PromptsaasError) -> None:
        """Show what was refused at the row and field that it names."""
        section, *path = (problem.param or "").split(".")
        if section != "guardrails" or not path:
            self.errors[""] = problem.message
        elif path[0] == "rules" and len(path) > 1 and (whole_number(path[1]) or 0) < len(self.rules):
            rule = self.rules[whole_number(path[1]) or 0]
            name = path[2] if len(path) > 2 else ""
            rule.errors[name if name in {*rule.texts, "types"} else ""] = problem.message
        else:
            self.errors[path[0] if path[0] in {"canary", "spotlight", "judge"} else ""] = problem.message


def stored_form(value: Mapping[str, Any], *, own: bool) -> GuardForm:
    """The card of a stored policy."""
    spotlight, judge = value.get("spotlight") or {}, value.get("judge") or {}
    return GuardForm(
        own=own,
        rules=[_stored_rule(number, rule) for number, rule in enumerate(value.get("rules", ()))],
        canary=(value.get("canary") or {}).get("action", ""),
        spotlight=spotlight.get("mode", ""),
        spotlight_variables=", ".join(spotlight.get("variables") or ()),
        judge=_usual_judge() | {name: _text(each) for name, each in judge.items()},
    )


def typed_form(data: QueryDict) -> GuardForm:
    """The card as it was sent."""
    count = min(whole_number(data.get("rules", "")) or 0, MOST_RULES)
    kinds = [(number, data.get(f"rule-{number}-kind", "")) for number in range(count)]
    return GuardForm(
        own=data.get("guardrails-mode") == OWN,
        rules=[_typed_rule(number, kind, data) for number, kind in kinds if kind in KINDS],
        canary=data.get("canary", ""),
        spotlight=data.get("spotlight", ""),
        spotlight_variables=data.get("spotlight_variables", ""),
        judge={name: data.get(f"judge-{name}", "").strip() for name in _usual_judge()},
        try_text=data.get("try_text", ""),
        try_side="output" if data.get("try_side") == "output" else "input",
        open=True,
    )


def _typed_rule(number: int, kind: str, data: QueryDict) -> TypedRule:
    texts = {name: data.get(f"rule-{number}-{name}", "") for name in _fields_of(kind)}
    return TypedRule(number, kind, texts, data.getlist(f"rule-{number}-types"))


def _stored_rule(number: int, rule: Mapping[str, Any]) -> TypedRule:
    usual = _usual_rule(number, rule["kind"])
    texts = usual.texts | {name: _text(rule[name]) for name in usual.texts if name in rule}
    return TypedRule(number, rule["kind"], texts, list(rule.get("types", ())))


def _usual_rule(number: int, kind: str) -> TypedRule:
    usual = {
        each.name: _text(each.default) if isinstance(each.default, str | int | float) else ""
        for each in fields(RULES[kind])
    }
    return TypedRule(number, kind, {name: usual[name] for name in _fields_of(kind)}, list(PII_TYPES))


def _fields_of(kind: str) -> Sequence[str]:
    """The fields of a kind that hold one text each."""
    return [each.name for each in fields(RULES[kind]) if each.name != "types"]


def _usual_judge() -> dict[str, str]:
    return {"model": "", "on": "input", "action": "flag", "threshold": "0.7", "timeout_seconds": "10"}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _number(name: str, text: str) -> Any:
    if name not in (*_NUMBERS, *_WHOLE):
        return text
    try:
        return int(text) if name in _WHOLE else float(text)
    except ValueError:
        return text
