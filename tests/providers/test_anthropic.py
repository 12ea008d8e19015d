"""The Anthropic adapter: against a real HTTP server, and what it asks for."""

import asyncio
import json
from typing import Any

import pytest
from pytest_django import Settings

from apps.core.errors import InvalidRequest
from apps.providers import anthropic_requests
from apps.providers.adapters import open_provider
from apps.providers.anthropic_provider import AnthropicProvider
from apps.providers.anthropic_schemas import native_schema
from apps.providers.sdk_listing import list_models
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, Connection, ProviderCallError, Usage
from tests.fake_anthropic import FakeAnthropic, fake_anthropic

__all__ = ["fake_anthropic"]

KEY = "sk-ant-secret-0123456789"
MOOD = {
    "type": "object",
    "properties": {"mood": {"type": "string", "maxLength": 20}},
    "required": ["mood"],
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALLS = tuple(
    {
        "id": f"toolu_{place}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": f'{{"place":"{place}"}}'},
    }
    for place in ("Oslo", "Bergen")
)


def ask(model: str = "claude-echo", text: str = "one two three", **values: Any) -> ChatRequest:
    defaults: dict[str, Any] = {
        "messages": ({"role": "system", "content": "Be brief."}, {"role": "user", "content": text}),
        "timeout_seconds": 5.0,
    }
    return ChatRequest(model, **(defaults | values))


def connection(fake: FakeAnthropic, **values: Any) -> Connection:
    return Connection("anthropic", fake.base_url, KEY, api="anthropic", **values)


def call(fake: FakeAnthropic, request: ChatRequest, **values: Any) -> ChatResult:
    async def run() -> ChatResult:
        opened = open_provider(connection(fake, **values))
        try:
            opened.check(request)
            return await opened.complete(request)
        finally:
            await opened.close()

    return asyncio.run(run())


def stream(fake: FakeAnthropic, request: ChatRequest) -> list[ChatDelta | ChatResult]:
    items: list[ChatDelta | ChatResult] = []

    async def run() -> None:
        opened = open_provider(connection(fake))
        try:
            items.extend([item async for item in opened.stream(request)])
        finally:
            await opened.close()

    asyncio.run(run())
    return items


def test_complete__answer__text_usage_with_cached_tokens_model_and_request_id(
    fake_anthropic: FakeAnthropic,
) -> None:
    result = call(fake_anthropic, ask())
    assert result == ChatResult("one two three", "stop", Usage(14, 5, 3, 2), "claude-echo-2026", "req_up")


def test_complete__request__has_the_system_text_apart_and_a_token_limit(
    fake_anthropic: FakeAnthropic,
) -> None:
    call(fake_anthropic, ask(parameters={"stop": "END", "max_completion_tokens": 50}))
    body = fake_anthropic.body()
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "one two three"}]}]
    assert (body["stop_sequences"], body["max_tokens"]) == (["END"], 50)
    call(fake_anthropic, ask())
    assert fake_anthropic.body()["max_tokens"] == anthropic_requests.DEFAULT_MOST_TOKENS


def test_complete__connection__sends_key_and_headers_and_nothing_of_the_environment(
    fake_anthropic: FakeAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Operator: secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-operator")
    call(fake_anthropic, ask(), headers={"X-Team": "blue"})
    headers = fake_anthropic.headers()
    assert (headers["authorization"], headers["x-team"]) == (f"Bearer {KEY}", "blue")
    assert not {"x-operator", "x-api-key", "traceparent"} & headers.keys()
    assert fake_anthropic.requests[-1]["path"] == "/v1/messages"


def test_complete__no_key__never_takes_the_operators(
    fake_anthropic: FakeAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-operator")

    async def run() -> None:
        provider = AnthropicProvider(Connection("local", f"{fake_anthropic.base_url}/v1", api="anthropic"))
        await provider.complete(ask())
        await provider.close()

    asyncio.run(run())
    assert "sk-of-the-operator" not in str(fake_anthropic.headers())


def test_complete__temperature__goes_under_the_api_version_that_knows_it(
    fake_anthropic: FakeAnthropic,
) -> None:
    call(fake_anthropic, ask(parameters={"temperature": 0.2}))
    assert fake_anthropic.body()["temperature"] == 0.2
    assert fake_anthropic.headers()["anthropic-version"] == "2023-06-01"
    call(fake_anthropic, ask())
    assert fake_anthropic.headers()["anthropic-version"] != "2023-06-01"


def test_request_body__is_what_is_sent(fake_anthropic: FakeAnthropic) -> None:
    request = ask(parameters={"temperature": 0.2, "stop": "END"}, tools=(WEATHER,))
    call(fake_anthropic, request)
    provider = AnthropicProvider(connection(fake_anthropic))
    assert provider.request_body(request) == fake_anthropic.body()


@pytest.mark.parametrize(
    ("parameters", "code", "param"),
    [
        ({"seed": 1}, "unsupported_parameter", "seed"),
        ({"frequency_penalty": 0.5}, "unsupported_parameter", "frequency_penalty"),
        ({"presence_penalty": 1}, "unsupported_parameter", "presence_penalty"),
        ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format"),
        ({"temperature": 1.5}, "parameter_invalid", "temperature"),
    ],
)
def test_check__parameter_that_anthropic_does_not_know__is_refused_by_name(
    parameters: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        anthropic_requests.check(ask(parameters=parameters))
    assert (caught.value.code, caught.value.param) == (code, param)


def test_check__defaults_that_ask_for_nothing__are_left_out() -> None:
    request = ask(parameters={"frequency_penalty": 0, "presence_penalty": 0, "sandbox_latency_ms": 5})
    anthropic_requests.check(request)
    wanted = anthropic_requests.body(request)
    assert not {"frequency_penalty", "sandbox_latency_ms"} & wanted.keys()


def test_check__only_a_system_message__is_refused() -> None:
    with pytest.raises(InvalidRequest, match="role user"):
        anthropic_requests.check(ask(messages=({"role": "system", "content": "Be brief."},)))


def test_arguments__conversation_with_tool_calls__becomes_turns_of_blocks() -> None:
    said = {"role": "assistant", "content": None, "tool_calls": list(CALLS)}
    results = [{"role": "tool", "tool_call_id": each["id"], "content": "sunny"} for each in CALLS]
    asked = {"role": "user", "content": "And tomorrow?"}
    request = ask(messages=({"role": "user", "content": "Weather?"}, said, *results, asked), tools=(WEATHER,))
    turns = anthropic_requests.body(request)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"][0] == {
        "type": "tool_use",
        "id": "toolu_Oslo",
        "name": "get_weather",
        "input": {"place": "Oslo"},
    }
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result", "tool_result", "text"]


@pytest.mark.parametrize(
    ("parameters", "choice"),
    [
        ({}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        (
            {
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "parallel_tool_calls": False,
            },
            {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_arguments__tool_choice__is_translated(parameters: dict[str, Any], choice: dict[str, Any]) -> None:
    wanted = anthropic_requests.body(ask(tools=(WEATHER,), parameters=parameters))
    assert wanted["tool_choice"] == choice
    assert wanted["tools"][0]["input_schema"] == WEATHER["function"]["parameters"]  # type: ignore[index]


def test_complete__tools__calls_come_in_openais_form(fake_anthropic: FakeAnthropic) -> None:
    result = call(fake_anthropic, ask("claude-tools", tools=(WEATHER,)))
    assert (result.text, result.finish_reason, result.tool_calls) == ("Looking.", "tool_calls", CALLS)


def test_stream__tool_calls__come_in_pieces_and_whole_at_the_end(fake_anthropic: FakeAnthropic) -> None:
    *deltas, last = stream(fake_anthropic, ask("claude-tools", tools=(WEATHER,)))
    assert isinstance(last, ChatResult)
    assert [json.loads(each["function"]["arguments"])["place"] for each in last.tool_calls] == [
        "Oslo",
        "Bergen",
    ]
    pieces = [piece for delta in deltas if isinstance(delta, ChatDelta) for piece in delta.tool_calls]
    assert (pieces[0]["id"], pieces[0]["function"]["name"]) == ("toolu_Oslo", "get_weather")
    assert {piece["index"] for piece in pieces} == {0, 1}
    assert last.usage == Usage(14, 5, 3, 2)


@pytest.mark.parametrize("model", ["claude-answer", "claude-3-answer"])
def test_output_schema__native_or_by_tool__the_text_is_the_json(
    fake_anthropic: FakeAnthropic, model: str
) -> None:
    request = ask(model, output_schema=MOOD)
    whole = call(fake_anthropic, request)
    asked = fake_anthropic.body()
    assert ("output_config" in asked) is (model == "claude-answer")
    *deltas, last = stream(fake_anthropic, request)
    assert isinstance(last, ChatResult)
    for result in (whole, last):
        assert (json.loads(result.text), result.finish_reason) == ({"mood": "calm"}, "stop")
        assert result.tool_calls == ()
    assert json.loads("".join(delta.text for delta in deltas if isinstance(delta, ChatDelta)))


def test_output_schema__of_a_list__is_wrapped_for_the_tool_and_taken_out(
    fake_anthropic: FakeAnthropic,
) -> None:
    request = ask("claude-3-answer", output_schema={"type": "array", "items": {"type": "string"}})
    assert json.loads(call(fake_anthropic, request).text) == ["calm"]
    assert fake_anthropic.body()["tool_choice"]["name"] == "answer"
    last = stream(fake_anthropic, request)[-1]
    assert isinstance(last, ChatResult)
    assert json.loads(last.text) == ["calm"]


def test_native_schema__bounds__are_told_and_objects_closed() -> None:
    native = native_schema("claude-opus-5", MOOD)
    assert native == {
        "type": "object",
        "required": ["mood"],
        "properties": {"mood": {"type": "string", "description": "{maxLength: 20}"}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": True}}},
        {
            "$ref": "#/$defs/tree",
            "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        },
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}},
    ],
)
def test_native_schema__what_it_can_not_say__is_left_to_the_tool(schema: dict[str, Any]) -> None:
    assert native_schema("claude-opus-5", schema) is None


def test_complete__thinking__does_not_break_the_answer(fake_anthropic: FakeAnthropic) -> None:
    assert call(fake_anthropic, ask("claude-thinks")).text == "one two three"
    last = stream(fake_anthropic, ask("claude-thinks"))[-1]
    assert isinstance(last, ChatResult)
    assert last.text == "one two three"


@pytest.mark.parametrize(
    ("model", "reason"), [("claude-refuses", "content_filter"), ("claude-cut", "length")]
)
def test_complete__other_ends__are_told_in_our_words(
    fake_anthropic: FakeAnthropic, model: str, reason: str
) -> None:
    assert call(fake_anthropic, ask(model)).finish_reason == reason


@pytest.mark.parametrize(
    ("model", "reason", "retryable", "status"),
    [
        ("claude-overloaded", "server", True, 529),
        ("claude-limited", "rate_limited", True, 429),
        ("claude-unauthorized", "authentication", False, 401),
        ("claude-poor", "rate_limited", False, 402),
        ("claude-missing", "bad_request", False, 404),
        ("claude-bad", "bad_request", False, 400),
        ("claude-html", "server", False, None),
    ],
)
def test_complete__failure__is_told_by_class_with_the_providers_words(
    fake_anthropic: FakeAnthropic, model: str, reason: str, retryable: bool, status: int | None
) -> None:
    with pytest.raises(ProviderCallError) as caught:
        call(fake_anthropic, ask(model))
    error = caught.value
    assert (error.reason, error.retryable, error.status) == (reason, retryable, status)
    assert KEY not in error.message
    if status:
        assert (error.provider_request_id, "HTTP" in error.message) == ("req_up", False)
    assert len(fake_anthropic.requests) == 1


@pytest.mark.parametrize(
    ("model", "reason"), [("claude-silent", "connection"), ("claude-error-in-stream", "server")]
)
def test_stream__breaks_off__is_a_failure(fake_anthropic: FakeAnthropic, model: str, reason: str) -> None:
    with pytest.raises(ProviderCallError) as caught:
        stream(fake_anthropic, ask(model))
    assert (caught.value.reason, caught.value.retryable) == (reason, True)


def test_complete__no_answer_in_time__is_a_timeout(fake_anthropic: FakeAnthropic) -> None:
    with pytest.raises(ProviderCallError) as caught:
        call(fake_anthropic, ask("claude-hang", timeout_seconds=0.2))
    assert (caught.value.reason, caught.value.retryable) == ("timeout", True)


def test_complete__address_that_is_not_allowed__is_never_called(
    fake_anthropic: FakeAnthropic, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(ProviderCallError):
        call(fake_anthropic, ask())
    assert fake_anthropic.requests == []


def test_list_models__server__gives_the_ids_that_can_be_called(fake_anthropic: FakeAnthropic) -> None:
    assert asyncio.run(list_models(connection(fake_anthropic), 5)) == ["claude-echo"]


def test_body__images_and_files__become_blocks_in_their_order() -> None:
    parts = [
        {"type": "text", "text": "Compare"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YSxi"}},
    ]
    turns = anthropic_requests.body(ask(messages=({"role": "user", "content": parts},)))["messages"]
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    table = {"type": "text", "media_type": "text/plain", "data": "a,b"}
    assert turns[0]["content"] == [
        {"type": "text", "text": "Compare"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": table, "title": "a.csv"},
    ]


def test_body__file_that_is_no_text__is_refused_by_its_place() -> None:
    file = {"filename": "a.csv", "file_data": "data:text/csv;base64,//79"}
    message = {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "file", "file": file}]}
    with pytest.raises(InvalidRequest) as caught:
        anthropic_requests.check(ask(messages=(message,)))
    assert caught.value.param == "messages.0.content.1"


def test_adapt__request_made_for_openai__loses_what_only_steers() -> None:
    given = {"seed": 1, "frequency_penalty": 0.5, "temperature": 1.7, "max_tokens": 5, "logprobs": True}
    adapted = anthropic_requests.adapted(ask(parameters=given))
    assert adapted.parameters == {"temperature": 1, "max_tokens": 5, "logprobs": True}
    with pytest.raises(InvalidRequest):
        anthropic_requests.check(adapted)
