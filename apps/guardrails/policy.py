"""A policy's stored and sent form: read with every field checked, and written back. Pure.

    {"rules": [{"kind": "pii", "types": ["email", "card"], "on": "both", "action": "redact"}, …],
     "canary": {"action": "block"}, "spotlight": {"mode": "datamark", "variables": ["document"]},
     "judge": {"model": "openai/gpt-5-mini", "on": "input", "action": "block", "threshold": 0.7}}

What is left out takes the rule's default; a rule without a name is called by its kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final

from apps.guardrails.deny_list import pattern_of
from apps.guardrails.expressions import check_pattern
from apps.guardrails.fields import FieldReader, texts
from apps.guardrails.rules import (
    DEFAULT_THRESHOLD,
    OFF,
    PII_TYPES,
    RULES,
    SPOTLIGHT_MODES,
    Action,
    Canary,
    DenyListRule,
    GuardPolicy,
    InjectionRule,
    Judge,
    LengthRule,
    PiiRule,
    RegexRule,
    Rule,
    Spotlight,
)

__all__ = ["OFF", "GuardPolicy", "as_json", "parse_policy"]

MOST_RULES: Final = 50
MOST_WORDS: Final = 1_000
LONGEST_WORD: Final = 200
LONGEST_PATTERN: Final = 1_000
LARGEST_CAP: Final = 10_000_000
LONGEST_JUDGEMENT: Final = 60.0
ROOT: Final = "guardrails"
_ON: Final = ("input", "output", "both")
_JUDGING: Final[tuple[Action, ...]] = ("allow", "flag", "block")
_CANARY: Final[tuple[Action, ...]] = ("flag", "block")


def parse_policy(value: Mapping[str, Any]) -> GuardPolicy:
    """A policy from its stored or sent form. Raises InvalidRequest naming the field."""
    if not value:
        return OFF
    reader = FieldReader(value, ROOT)
    rules = reader.items("rules", MOST_RULES)
    policy = GuardPolicy(
        rules=_read_rules(rules),
        canary=reader.section("canary", _read_canary),
        spotlight=reader.section("spotlight", _read_spotlight),
        judge=reader.section("judge", _read_judge),
    )
    reader.finish()
    return policy if policy != OFF else OFF


def as_json(policy: GuardPolicy) -> dict[str, Any]:
    """The policy as it is stored and sent: every field of what is there, nothing of what is not."""
    value: dict[str, Any] = {}
    if policy.rules:
        value["rules"] = [{"kind": rule.kind, **_plain(rule)} for rule in policy.rules]
    if policy.canary:
        value["canary"] = _plain(policy.canary)
    if policy.spotlight:
        value["spotlight"] = _plain(policy.spotlight)
    if policy.judge:
        value["judge"] = _plain(policy.judge)
    return value


def _plain(part: Rule | Canary | Spotlight | Judge) -> dict[str, Any]:
    plain = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def _read_rules(values: Sequence[tuple[str, Any]]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    names: set[str] = set()
    for path, value in values:
        reader = FieldReader(value, path)
        kind = reader.choice("kind", tuple(RULES))
        name = reader.name("name", kind, names)
        rule = _READERS[kind](reader, name)
        reader.finish()
        _check_action(rule, reader)
        names.add(name)
        rules.append(rule)
    return tuple(rules)


def _check_action(rule: Rule, reader: FieldReader) -> None:
    if rule.action not in type(rule).actions:
        allowed = ", ".join(type(rule).actions)
        raise reader.refusal("action", f"A {rule.kind} rule can't {rule.action}. It takes {allowed}.")


def _sides(reader: FieldReader, kind: type[Rule] | type[Judge]) -> dict[str, Any]:
    """The two fields that every rule has."""
    default = {field.name: field.default for field in fields(kind)}
    assert default["on"] is not MISSING
    return {
        "on": reader.choice("on", _ON, default["on"]),
        "action": reader.choice("action", ("allow", "flag", "redact", "block"), default["action"]),
    }


def _read_injection(reader: FieldReader, name: str) -> Rule:
    threshold = reader.number("threshold", 0.05, 1, DEFAULT_THRESHOLD)
    return InjectionRule(name=name, threshold=threshold, **_sides(reader, InjectionRule))


def _read_pii(reader: FieldReader, name: str) -> Rule:
    types = reader.choices("types", PII_TYPES)
    return PiiRule(name=name, types=types, **_sides(reader, PiiRule))


def _read_deny_list(reader: FieldReader, name: str) -> Rule:
    words = reader.texts("words", MOST_WORDS, LONGEST_WORD)
    for number, word in enumerate(words):
        if pattern_of(word) is None:
            raise reader.refusal(f"words.{number}", "It holds neither letters nor digits.")
    return DenyListRule(name=name, words=words, **_sides(reader, DenyListRule))


def _read_regex(reader: FieldReader, name: str) -> Rule:
    pattern = reader.text("pattern", LONGEST_PATTERN)
    problem = check_pattern(pattern)
    if problem is not None:
        raise reader.refusal("pattern", problem)
    return RegexRule(name=name, pattern=pattern, **_sides(reader, RegexRule))


def _read_length(reader: FieldReader, name: str) -> Rule:
    characters = reader.cap("most_characters", LARGEST_CAP)
    most_tokens = reader.cap("most_tokens", LARGEST_CAP)
    if characters is None and most_tokens is None:
        raise reader.missing("most_characters", "Give most_characters, most_tokens or both.")
    return LengthRule(
        name=name, most_characters=characters, most_tokens=most_tokens, **_sides(reader, LengthRule)
    )


def _read_canary(reader: FieldReader) -> Canary:
    return Canary(action=reader.choice("action", _CANARY, "block"))


def _read_spotlight(reader: FieldReader) -> Spotlight:
    mode = reader.choice("mode", SPOTLIGHT_MODES, "datamark")
    given = reader.optional("variables")
    names = None if given is None else texts(given, reader.path("variables"), 100, 64)
    return Spotlight(mode=mode, variables=names)


def _read_judge(reader: FieldReader) -> Judge:
    model = reader.text("model", 255)
    if "/" not in model.strip("/"):
        raise reader.refusal("model", "A model is named <connection>/<model>.")
    sides = _sides(reader, Judge)
    if sides["action"] not in _JUDGING:
        raise reader.refusal("action", f"A judge can't redact. It takes {', '.join(_JUDGING)}.")
    return Judge(
        model=model,
        threshold=reader.number("threshold", 0.05, 1, 0.7),
        timeout_seconds=reader.number("timeout_seconds", 0.5, LONGEST_JUDGEMENT, 10),
        **sides,
    )


_READERS: Final[dict[str, Callable[[FieldReader, str], Rule]]] = {
    "injection": _read_injection,
    "pii": _read_pii,
    "deny_list": _read_deny_list,
    "regex": _read_regex,
    "length": _read_length,
}
