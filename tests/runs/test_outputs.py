"""Answers against the version's schema."""

import pytest

from apps.runs.outputs import parse_json, parse_output

SCHEMA = {
    "type": "object",
    "properties": {"sentiment": {"enum": ["positive", "negative"]}},
    "required": ["sentiment"],
}


def test_parse_output__without_schema__is_left_alone() -> None:
    assert parse_output("{", None) == (None, None)


def test_parse_output__that_fits__is_parsed() -> None:
    assert parse_output('{"sentiment": "positive"}', SCHEMA) == ({"sentiment": "positive"}, None)


@pytest.mark.parametrize("depth", [65, 300, 1000])
def test_parse_output__too_deep_to_be_answered__fails_the_run_only(depth: int) -> None:
    parsed, error = parse_output("[" * depth + "]" * depth, {})
    assert (parsed, error and error.code) == (None, "output_invalid")
    assert parse_json("[" * depth + "]" * depth) is None


@pytest.mark.parametrize("text", ["", "no json", '{"sentiment": "secret words"}', "{}"])
def test_parse_output__that_does_not_fit__fails_without_quoting_the_answer(text: str) -> None:
    _, error = parse_output(text, SCHEMA)
    assert error is not None
    assert error.code == "output_invalid"
    assert error.status == 422
    assert "secret words" not in error.message


def test_parse_output__with_an_unusable_schema__fails_the_run_only() -> None:
    _, error = parse_output("{}", {"type": "nothing"})
    assert error is not None
    assert error.code == "output_invalid"
