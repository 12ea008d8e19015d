"""The sandbox: deterministic, valid against any schema it takes, marked, and no fool about feelings."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.providers.sandbox import SandboxProvider
from apps.providers.sandbox.schema import Unfillable, fill
from apps.providers.sandbox.sentiment import score
from apps.providers.sandbox.text import read_subject
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, ProviderCallError

ANGRY = "The zip broke after two days and nobody answers my mails. Do not buy this bag!"
HAPPY = "Lovely little lamp, easy to put together and the light is warm. I would buy it again."
REVIEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["sentiment", "product_issue", "recommendation"],
    "properties": {
        "sentiment": {"enum": ["Positive", "Negative", "Neutral"]},
        "product_issue": {"type": ["string", "null"], "description": "The main problem, null if none"},
        "recommendation": {"type": "string"},
    },
}


def request(text: str, schema: dict[str, Any] | None = None, **parameters: Any) -> ChatRequest:
    messages = (
        {"role": "system", "content": "Classify the review as Positive, Negative or Neutral."},
        {"role": "user", "content": f"Read this customer review.\n\nReview:\n{text}"},
    )
    return ChatRequest("standard", messages, parameters, schema, timeout_seconds=5)


def complete(wanted: ChatRequest) -> ChatResult:
    return asyncio.run(SandboxProvider().complete(wanted))


def filled(schema: dict[str, Any], text: str = ANGRY) -> Any:
    return fill(schema, read_subject([{"role": "user", "content": text}]))


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Works well and looks great.", 1),
        ("It is not good.", -1),
        ("Not bad at all.", 1),
        ("I was promised a lot, but the sound is awful.", -1),
        ("The start was slow but the ending is wonderful!", 1),
        ("I will never come back.", -1),
        ("Nobody here was ever disappointed.", 1),
        ("A waste of money.", -1),
        ("The box holds twelve pencils.", 0),
    ],
)
def test_score__everyday_sentence__leans_the_right_way(text: str, sign: int) -> None:
    found = score(text)
    assert (found > 0) - (found < 0) == sign


@pytest.mark.parametrize(
    "message",
    [
        "Is it Positive or Negative?\n\nReview:\n{}",
        "Is it Positive or Negative? <review>{}</review>",
        'Is it Positive or Negative?\n"""\n{}\n"""',
        "Is it Positive or Negative?\n\n{}",
        "{}",
    ],
)
def test_read_subject__input_inside_an_instruction__is_found(message: str) -> None:
    assert read_subject([{"role": "user", "content": message.format(HAPPY)}]).text == HAPPY


def test_read_subject__review_of_several_paragraphs__is_taken_whole() -> None:
    message = "The room was clean.\n\nThe staff was rude."
    assert read_subject([{"role": "user", "content": message}]).text == message


def test_complete__review_schema__fills_it_from_the_input() -> None:
    angry, happy = (json.loads(complete(request(text, REVIEW)).text) for text in (ANGRY, HAPPY))
    assert (angry["sentiment"], happy["sentiment"]) == ("Negative", "Positive")
    assert "Do not buy" in angry["product_issue"] or "broke" in angry["product_issue"]
    assert happy["product_issue"] is None


def test_complete__same_input__gives_the_same_answer_with_tokens() -> None:
    first, second = complete(request(ANGRY, REVIEW)), complete(request(ANGRY, REVIEW))
    assert first == second
    assert first.usage.input_tokens
    assert first.usage.output_tokens
    assert first.provider_request_id is not None
    assert first.provider_request_id.startswith("sandbox-")


def test_complete__text_that_asks_for_one_word__gives_it() -> None:
    assert complete(request(HAPPY)).text == "Positive"


def test_complete__plain_text__says_that_it_is_the_sandbox() -> None:
    wanted = ChatRequest("fast", ({"role": "user", "content": "Tell me about the sea."},))
    assert "no model was called" in complete(wanted).text


def test_complete__token_limit__cuts_plain_text() -> None:
    wanted = ChatRequest("fast", ({"role": "user", "content": "Tell me about the sea."},), {"max_tokens": 4})
    result = complete(wanted)
    assert result.finish_reason == "length"
    assert result.usage.output_tokens is not None
    assert result.usage.output_tokens <= 4


def test_complete__latency__passes() -> None:
    began = time.perf_counter()
    complete(request(HAPPY, sandbox_latency_ms=50))
    assert time.perf_counter() - began >= 0.05


def test_complete__latency_beyond_the_time_limit__is_a_timeout() -> None:
    wanted = ChatRequest("fast", request(HAPPY).messages, {"sandbox_latency_ms": 9_000}, None, 0.01)
    with pytest.raises(ProviderCallError) as caught:
        complete(wanted)
    assert caught.value.reason == "timeout"


def test_complete__error_rate__fails_that_share_and_always_the_same_inputs() -> None:
    def fails(text: str) -> bool:
        try:
            complete(request(text, sandbox_error_rate=0.3))
        except ProviderCallError as error:
            return error.retryable
        return False

    failed = [fails(f"review {number}") for number in range(200)]
    assert 40 <= sum(failed) <= 80
    assert failed == [fails(f"review {number}") for number in range(200)]


@pytest.mark.parametrize("parameters", [{"sandbox_latency_ms": -1}, {"sandbox_error_rate": "often"}])
def test_complete__parameter_that_makes_no_sense__is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ProviderCallError) as caught:
        complete(request(HAPPY, **parameters))
    assert (caught.value.reason, caught.value.retryable) == ("bad_request", False)


def test_complete__unknown_model__is_refused() -> None:
    with pytest.raises(ProviderCallError):
        complete(ChatRequest("gpt-9", request(HAPPY).messages))


def test_stream__pieces__join_to_the_result() -> None:
    async def run() -> list[ChatDelta | ChatResult]:
        return [item async for item in SandboxProvider().stream(request(ANGRY, REVIEW))]

    items = asyncio.run(run())
    result = items[-1]
    assert isinstance(result, ChatResult)
    assert "".join(item.text for item in items[:-1] if isinstance(item, ChatDelta)) == result.text
    assert result == complete(request(ANGRY, REVIEW))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]}, "1 star"),
        ({"enum": ["very negative", "negative", "neutral", "positive", "very positive"]}, "very negative"),
        ({"enum": ["billing", "delivery", "quality", "other"]}, "quality"),
        ({"enum": ["yes", "no"], "description": "Is there a problem?"}, "yes"),
        ({"enum": ["low", "medium", "high"], "description": "Severity"}, "high"),
        ({"const": 7}, 7),
        ({"type": "boolean", "description": "Does the customer complain of a problem?"}, True),
    ],
)
def test_fill__choice__fits_the_input(schema: dict[str, Any], expected: Any) -> None:
    assert filled(schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 1, "maximum": 5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "integer", "multipleOf": 7, "minimum": 20},
        {"type": "string", "minLength": 400, "maxLength": 410},
        {"type": "string", "maxLength": 0},
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        {"type": "array", "items": {"type": "string"}, "minItems": 5, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
        {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/part"}], "$defs": {"part": REVIEW}},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"required": ["a"]}, {"type": "object", "properties": {"a": {"type": "number"}}}]},
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "required": ["name", "children"],
                    "properties": {
                        "name": {"type": "string"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                }
            },
        },
    ],
)
def test_fill__schema__is_valid_against_it(schema: dict[str, Any]) -> None:
    assert jsonschema_rs.validator_for(schema).is_valid(filled(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^xyzzy-[0-9]{9}$"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"type": "integer", "minimum": 5, "maximum": 1},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"$ref": "#"},
    ],
)
def test_fill__schema_beyond_it__is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Unfillable):
        filled(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"$ref": "#"}] * 10},
        {"allOf": [{"$ref": "#"}] * 10},
        {"type": "array", "minItems": 1_000, "items": {"type": "string", "minLength": 100_000}},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
    ],
)
def test_fill__hostile_schema__is_refused_at_once(schema: dict[str, Any]) -> None:
    began = time.perf_counter()
    with pytest.raises(Unfillable):
        filled(schema)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("text", ["<a>" * 300_000, "```" * 300_000, "A" * 900_000, "not good, " * 90_000])
def test_read_subject__hostile_text__is_read_at_once(text: str) -> None:
    began = time.perf_counter()
    read_subject([{"role": "user", "content": text}])
    assert time.perf_counter() - began < 1


LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
        st.integers(-50, 50),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size},
        st.integers(0, 90),
        st.integers(0, 90),
    ),
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True).map(
        lambda each: {"enum": each}
    ),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), inner, max_size=4).map(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": list(parts),
                "additionalProperties": False,
            }
        ),
        st.builds(
            lambda item, least: {"type": "array", "items": item, "minItems": least, "maxItems": least + 3},
            inner,
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS, text=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_fill__any_ordinary_schema_and_any_text__is_valid(schema: dict[str, Any], text: str) -> None:
    assert jsonschema_rs.validator_for(schema).is_valid(filled(schema, text))


ISSUE = {
    "type": "function",
    "function": {
        "name": "open_ticket",
        "parameters": {
            "type": "object",
            "required": ["urgent"],
            "properties": {"urgent": {"type": "boolean"}},
        },
    },
}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "open_ticket"}}])
def test_complete__tool_choice_demands_a_tool__calls_it_with_fitting_arguments(choice: Any) -> None:
    result = complete(replace(request(ANGRY, tool_choice=choice), tools=(ISSUE,)))
    assert (result.text, result.finish_reason) == ("", "tool_calls")
    called = result.tool_calls[0]["function"]
    assert called["name"] == "open_ticket"
    assert isinstance(json.loads(called["arguments"])["urgent"], bool)


def test_complete__tools_without_demand__answers_with_text() -> None:
    result = complete(replace(request(ANGRY), tools=(ISSUE,)))
    assert (bool(result.text), result.tool_calls) == (True, ())


def test_complete__tool_choice_names_another_tool__is_refused() -> None:
    choice = {"type": "function", "function": {"name": "close_ticket"}}
    with pytest.raises(ProviderCallError, match="close_ticket"):
        complete(replace(request(ANGRY, tool_choice=choice), tools=(ISSUE,)))
