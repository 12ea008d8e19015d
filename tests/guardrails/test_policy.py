"""Policies: what is read, what is refused and by which name, and that they come back as they went."""

from typing import Any

import pytest

from apps.core.errors import InvalidRequest
from apps.guardrails.policy import OFF, as_json, parse_policy

WHOLE = {
    "rules": [
        {"kind": "injection", "name": "orders", "on": "both", "action": "block", "threshold": 0.8},
        {"kind": "pii", "name": "pii", "types": ["email", "secrets"], "on": "both", "action": "redact"},
        {
            "kind": "deny_list",
            "name": "words",
            "words": ["Falke", "кошка"],
            "on": "output",
            "action": "block",
        },
        {"kind": "regex", "name": "regex", "pattern": r"PROJ-\d+", "on": "input", "action": "flag"},
        {
            "kind": "length",
            "name": "length",
            "most_characters": 100,
            "most_tokens": None,
            "on": "input",
            "action": "block",
        },
    ],
    "canary": {"action": "flag"},
    "spotlight": {"mode": "delimit", "variables": ["document"]},
    "judge": {
        "model": "openai/gpt-5-mini",
        "on": "both",
        "action": "block",
        "threshold": 0.5,
        "timeout_seconds": 5.0,
    },
}


def test_parse_policy__whole__comes_back_as_it_went() -> None:
    policy = parse_policy(WHOLE)
    assert as_json(policy) == WHOLE
    assert parse_policy(as_json(policy)) == policy
    assert hash(parse_policy(WHOLE)) == hash(policy)


@pytest.mark.parametrize("value", [{}, {"rules": []}, {"canary": None, "judge": None}])
def test_parse_policy__nothing__is_off(value: dict[str, Any]) -> None:
    assert parse_policy(value) is OFF


def test_parse_policy__names_left_out__are_the_kinds_with_numbers() -> None:
    policy = parse_policy({"rules": [{"kind": "injection"}, {"kind": "injection"}]})
    assert [rule.name for rule in policy.rules] == ["injection", "injection-2"]


def _rule(**values: Any) -> dict[str, Any]:
    return {"rules": [{"kind": "injection"}, values]}


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ({"rule": []}, "guardrails.rule", "parameter_unknown"),
        ({"rules": {}}, "guardrails.rules", "parameter_invalid"),
        (_rule(), "guardrails.rules.1.kind", "parameter_missing"),
        (_rule(kind="regexp"), "guardrails.rules.1.kind", "parameter_invalid"),
        (_rule(kind="injection", threshold=2), "guardrails.rules.1.threshold", "parameter_invalid"),
        (_rule(kind="injection", action="redact"), "guardrails.rules.1.action", "parameter_invalid"),
        (_rule(kind="injection", name="injection"), "guardrails.rules.1.name", "parameter_invalid"),
        (_rule(kind="pii"), "guardrails.rules.1.types", "parameter_missing"),
        (_rule(kind="pii", types=["mail"]), "guardrails.rules.1.types.0", "parameter_invalid"),
        (_rule(kind="deny_list", words=["ok", " "]), "guardrails.rules.1.words.1", "parameter_invalid"),
        (_rule(kind="deny_list", words=["!?"]), "guardrails.rules.1.words.0", "parameter_invalid"),
        (_rule(kind="regex", pattern="("), "guardrails.rules.1.pattern", "parameter_invalid"),
        (_rule(kind="regex", pattern=r"(a)\1"), "guardrails.rules.1.pattern", "parameter_invalid"),
        (_rule(kind="regex", pattern="x*"), "guardrails.rules.1.pattern", "parameter_invalid"),
        (_rule(kind="regex", pattern=r"\Aa"), "guardrails.rules.1.pattern", "parameter_invalid"),
        (_rule(kind="regex", pattern="((a{100}){10}){9}"), "guardrails.rules.1.pattern", "parameter_invalid"),
        (_rule(kind="length"), "guardrails.rules.1.most_characters", "parameter_missing"),
        (_rule(kind="length", most_tokens=0), "guardrails.rules.1.most_tokens", "parameter_invalid"),
        (_rule(kind="injection", more=1), "guardrails.rules.1.more", "parameter_unknown"),
        ({"canary": {"action": "redact"}}, "guardrails.canary.action", "parameter_invalid"),
        ({"spotlight": {"variables": []}}, "guardrails.spotlight.variables", "parameter_invalid"),
        ({"judge": {"model": "gpt"}}, "guardrails.judge.model", "parameter_invalid"),
        ({"judge": {"model": "a/b", "action": "redact"}}, "guardrails.judge.action", "parameter_invalid"),
    ],
)
def test_parse_policy__what_cannot_be__is_refused_by_name(
    value: dict[str, Any], param: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_policy(value)
    assert (refused.value.param, refused.value.code) == (param, code)
