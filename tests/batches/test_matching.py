"""Comparing outputs with expected values."""

from typing import Any

import pytest

from apps.batches.matching import guess_field, matches


@pytest.mark.parametrize(
    ("expected", "text", "parsed", "field", "result"),
    [
        ("Positive", "", {"sentiment": "positive"}, "sentiment", True),
        ("Positive", "", {"sentiment": "Negative"}, "sentiment", False),
        (" yes ", "Yes\n", None, "", True),
        ("2", "", {"stars": 2}, "stars", True),
        ("2.0", "", {"stars": 2}, "stars", True),
        ("true", "", {"ok": True}, "ok", True),
        ("1", "", {"ok": True}, "ok", False),
        ('{"a": 1}', "", {"a": 1}, "", True),
        ("x", "", {"other": 1}, "sentiment", False),
        (None, "anything", None, "", None),
        ("  ", "anything", None, "", None),
    ],
)
def test_matches__cases__compare_by_meaning(
    expected: str | None, text: str, parsed: Any, field: str, result: bool | None
) -> None:
    assert matches(expected, text, parsed, field) is result


def test_guess_field__a_property_of_the_columns_name__is_taken() -> None:
    schema = {"properties": {"reason": {"type": "string"}, "Sentiment": {"type": "string"}}}

    assert guess_field(schema, "sentiment") == "Sentiment"


def test_guess_field__no_such_name__takes_the_first_with_allowed_values() -> None:
    schema = {"properties": {"reason": {"type": "string"}, "mood": {"enum": ["a", "b"]}}}

    assert guess_field(schema, "expected") == "mood"
    assert guess_field(None, "expected") == ""
