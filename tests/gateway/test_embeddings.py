"""The body of /v1/embeddings: OpenAI's forms of input, and what is refused by name."""

import base64
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.core.errors import InvalidRequest
from apps.core.ids import uuid7
from apps.gateway.embedding_requests import MOST_INPUTS, parse_embedding_body
from apps.gateway.embeddings import embedding_list
from apps.providers.types import Usage
from apps.runs.embedding import Embedded
from apps.runs.types import RunResult


@pytest.mark.parametrize(
    ("given", "inputs", "messages"),
    [
        ("one", ("one",), ("one",)),
        (["one", "two"], ("one", "two"), ("one", "two")),
        ([1, 2, 3], ((1, 2, 3),), ("(3 tokens)",)),
        ([[1], [2, 3]], ((1,), (2, 3)), ("(1 tokens)", "(2 tokens)")),
    ],
)
def test_body__in_each_of_openais_forms__has_inputs_and_messages(
    given: Any, inputs: tuple[Any, ...], messages: tuple[str, ...]
) -> None:
    body = parse_embedding_body({"model": "local/embed", "input": given})
    assert body.inputs == inputs
    assert tuple(message["content"] for message in body.messages) == messages


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "", "input": "a"}, "model"),
        ({"model": "prompt:a", "input": "a"}, "model"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input.1"),
        ({"input": [[1, -1]]}, "input.0"),
        ({"input": [1, True]}, "input"),
        ({"input": ["a"] * (MOST_INPUTS + 1)}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"stream": True}, "stream"),
    ],
)
def test_body__with_what_cannot_be__is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_embedding_body({"model": "local/embed", "input": "a", **body})
    assert refused.value.param == param


def test_answer__in_base64__holds_floats_of_four_bytes() -> None:
    result = RunResult(
        run_id=uuid7(),
        created_at=datetime.now(UTC),
        status="succeeded",
        text="",
        parsed=None,
        usage=Usage(2, 0),
        price=None,
        latency_ms=1,
        first_token_ms=None,
        finish_reason="stop",
        error=None,
        model="local/embed",
        sandbox=False,
    )
    body = embedding_list(Embedded(result, [[0.5, -1.0]]), as_base64=True)
    packed = base64.b64decode(body["data"][0]["embedding"])
    assert struct.unpack("<2f", packed) == (0.5, -1.0)
    assert body["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
