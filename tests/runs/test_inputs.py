"""What is refused before anything is spent."""

from typing import Any
from uuid import uuid4

import pytest

from apps.core.errors import InvalidRequest
from apps.runs.inputs import check_request, clean_text
from apps.runs.types import RunRequest


def _request(**values: Any) -> RunRequest:
    return RunRequest(
        run_id=uuid4(), organization_id=uuid4(), project_id=uuid4(), source="gateway", usage_key="k", **values
    )


def test_check_request__plain_values__are_accepted() -> None:
    check_request(
        _request(
            messages=({"role": "user", "content": "Grüße 🎉"},),
            variables={"a": [1, {"b": None}]},
            overrides={"temperature": 0.2, "response_format": {"type": "json_object"}},
        )
    )


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"variables": {"a": "x\x00y"}}, "variables"),
        ({"variables": {"a": [{"b\x00": 1}]}}, "variables"),
        ({"variables": {"a": "\ud800"}}, "variables"),
        ({"metadata": {"a": "\x00"}}, "metadata"),
        ({"user": "\x00"}, "user"),
        ({"messages": ({"role": "user", "content": "\udfff"},)}, "messages"),
    ],
)
def test_check_request__text_that_postgres_cannot_store__is_refused(
    values: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(_request(**values))
    assert (refused.value.code, refused.value.param) == ("invalid_character", param)


def test_check_request__the_six_characters_of_an_escape__are_plain_text() -> None:
    check_request(_request(variables={"a": "\\u0000"}))


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"tools": []}, "unsupported_parameter"),
        ({"temperature": 3}, "parameter_invalid"),
        ({"temperature": True}, "parameter_invalid"),
        ({"reasoning_effort": ["low"]}, "parameter_invalid"),
        ({"sandbox_latency_ms": -1}, "parameter_invalid"),
    ],
)
def test_check_request__a_wrong_parameter__is_named(overrides: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(_request(overrides=overrides))
    assert (refused.value.code, refused.value.param) == (code, next(iter(overrides)))


@pytest.mark.parametrize("message", [{"role": "tool", "content": "x"}, {"role": "user", "content": None}])
def test_check_request__a_message_that_is_not_text__is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_request(_request(messages=(message,)))


@pytest.mark.parametrize(
    ("text", "clean"), [("plain", "plain"), ("a\x00b", "a\ufffdb"), ("é\ud800", "é?"), ("é🎉", "é🎉")]
)
def test_clean_text__what_a_provider_sends__can_be_stored(text: str, clean: str) -> None:
    assert clean_text(text) == clean
