"""Answers against the version's schema."""

from typing import Any

import pytest

from apps.providers.types import ChatRequest
from apps.runs.outputs import ANY_OBJECT, expected_of, parse_json, parse_output, problem_of

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


def test_parse_output__with_keys_that_only_the_answer_has__does_not_tell_them() -> None:
    schema = {"properties": {"people": {"additionalProperties": {"type": "integer"}}}}
    _, error = parse_output('{"people": {"ada@example.com": "36"}}', schema)
    assert error is not None
    assert error.message == "The answer does not fit the schema at /people/* (type)."


def test_problem_of__for_the_model__says_what_it_wrote_and_what_is_wanted() -> None:
    problem = problem_of('{"sentiment": "secret words"}', SCHEMA)
    assert problem is not None
    assert problem.startswith("The answer does not fit the schema at /sentiment: ")
    assert "secret words" in problem
    assert problem_of('{"sentiment": "positive"}', SCHEMA) is None
    assert problem_of("{", None) is None
    assert problem_of("{", {"type": "nothing"}) is not None
    assert problem_of("{}", {"type": "nothing"}) is None  # no other answer would fit it either


@pytest.mark.parametrize(
    ("wanted", "schema", "expected"),
    [
        (None, None, None),
        ({"type": "text"}, None, None),
        ({"type": "json_object"}, None, ANY_OBJECT),
        ({"type": "json_object"}, SCHEMA, SCHEMA),
    ],
)
def test_expected_of__a_call__is_its_schema_or_any_object(
    wanted: dict[str, Any] | None, schema: dict[str, Any] | None, expected: dict[str, Any] | None
) -> None:
    parameters = {"response_format": wanted} if wanted else {}
    assert expected_of(ChatRequest("m", (), parameters, schema)) == expected
