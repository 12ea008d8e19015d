"""The OpenAI-compatible adapter against a real HTTP server."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from apps.providers.adapters import open_provider
from apps.providers.openai_compatible import OpenAICompatibleProvider, is_strict
from apps.providers.sandbox import SandboxProvider
from apps.providers.sdk_listing import list_models
from apps.providers.types import ChatDelta, ChatRequest, ChatResult, Connection, ProviderCallError, Usage
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

KEY = "sk-secret-0123456789"
CLOSED = {"type": "object", "additionalProperties": False}


def ask(model: str, **values: Any) -> ChatRequest:
    defaults: dict[str, Any] = {
        "messages": ({"role": "user", "content": "one two three"},),
        "timeout_seconds": 5.0,
    }
    return ChatRequest(model, **(defaults | values))


def call(provider: FakeProvider, request: ChatRequest, **connection: Any) -> ChatResult:
    async def run() -> ChatResult:
        opened = open_provider(Connection("local", provider.base_url, KEY, **connection))
        try:
            return await opened.complete(request)
        finally:
            await opened.close()

    return asyncio.run(run())


def stream(provider: FakeProvider, request: ChatRequest) -> list[ChatDelta | ChatResult]:
    items: list[ChatDelta | ChatResult] = []

    async def run() -> None:
        opened = open_provider(Connection("local", provider.base_url, KEY))
        try:
            items.extend([item async for item in opened.stream(request)])
        finally:
            await opened.close()

    asyncio.run(run())
    return items


def failure(provider: FakeProvider, model: str, **values: Any) -> ProviderCallError:
    with pytest.raises(ProviderCallError) as caught:
        call(provider, ask(model, **values))
    return caught.value


def test_open_provider__connection_without_address__is_the_sandbox() -> None:
    assert isinstance(open_provider(Connection("sandbox")), SandboxProvider)


def test_complete__answer__text_usage_model_and_request_id(fake_provider: FakeProvider) -> None:
    result = call(fake_provider, ask("echo"))
    assert result == ChatResult("one two three", "stop", Usage(11, 5, 3), "echo-2026", "upstream-1")


def test_complete__connection__sends_key_and_headers_and_nothing_of_the_environment(
    fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-operator")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Operator: secret")
    call(fake_provider, ask("echo"), headers={"X-Team": "blue"})
    headers = fake_provider.headers()
    assert (headers["authorization"], headers["x-team"]) == (f"Bearer {KEY}", "blue")
    assert not {"openai-organization", "x-operator"} & headers.keys()


def test_complete__parameters__pass_through_but_not_the_sandboxs_nor_our_own(
    fake_provider: FakeProvider,
) -> None:
    given = {"temperature": 0.2, "top_k": 40, "sandbox_latency_ms": 5, "stream": True, "n": 4}
    call(fake_provider, ask("echo", parameters=given))
    body = fake_provider.body()
    assert (body["temperature"], body["top_k"]) == (0.2, 40)
    assert not {"sandbox_latency_ms", "stream", "n"} & body.keys()


def test_complete__output_schema__is_asked_for_as_json_schema(fake_provider: FakeProvider) -> None:
    call(fake_provider, ask("schema", output_schema={**CLOSED, "title": "Review note", "properties": {}}))
    asked = fake_provider.body()["response_format"]
    assert (asked["type"], asked["json_schema"]["name"], asked["json_schema"]["strict"]) == (
        "json_schema",
        "Review_note",
        True,
    )


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({**CLOSED, "properties": {"a": {"type": "string"}}, "required": ["a"]}, True),
        ({**CLOSED, "properties": {"a": {"type": "string"}}}, False),
        ({"type": "object", "properties": {}}, False),
        ({**CLOSED, "properties": {"a": {"items": {"type": "object"}}}, "required": ["a"]}, False),
    ],
)
def test_is_strict__schema__is_what_openais_strict_mode_takes(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("model", "reason", "retryable", "status"),
    [
        ("rate-limited", "rate_limited", True, 429),
        ("no-quota", "rate_limited", False, 429),
        ("unauthorized", "authentication", False, 401),
        ("bad-request", "bad_request", False, 400),
        ("filtered", "content_filter", False, 400),
        ("broken", "server", True, 500),
        ("html", "server", False, None),
        ("moved", "connection", False, None),
        ("truncated", "connection", True, None),
    ],
)
def test_complete__failure__is_told_by_class(
    fake_provider: FakeProvider, model: str, reason: str, retryable: bool, status: int | None
) -> None:
    error = failure(fake_provider, model)
    assert (error.reason, error.retryable, error.status) == (reason, retryable, status)
    assert fake_provider.calls[model] == 1
    assert KEY not in error.message


def test_complete__provider_answers_with_a_message__is_passed_on(fake_provider: FakeProvider) -> None:
    assert failure(fake_provider, "bad-request").message == "temperature must be below 2."
    assert failure(fake_provider, "rate-limited").retry_after == 7


def test_complete__no_answer_in_time__is_a_timeout(fake_provider: FakeProvider) -> None:
    error = failure(fake_provider, "hang", timeout_seconds=0.2)
    assert (error.reason, error.retryable) == ("timeout", True)


def test_complete__no_usage__is_unknown_not_zero(fake_provider: FakeProvider) -> None:
    assert call(fake_provider, ask("no-usage")).usage == Usage(None, None, None)


def test_complete__address_that_is_not_allowed__is_never_called(
    fake_provider: FakeProvider, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = []
    error = failure(fake_provider, "echo")
    assert (error.reason, error.retryable) == ("connection", False)
    assert fake_provider.requests == []


def test_complete__nobody_listens__is_a_retryable_connection_failure(settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9"]

    async def run() -> None:
        provider = OpenAICompatibleProvider(Connection("dead", "http://127.0.0.1:9/v1"))
        with pytest.raises(ProviderCallError) as caught:
            await provider.complete(ask("echo"))
        assert (caught.value.reason, caught.value.retryable) == ("connection", True)
        await provider.close()

    asyncio.run(run())


def test_stream__answer__comes_in_pieces_with_the_whole_result_last(fake_provider: FakeProvider) -> None:
    items = stream(fake_provider, ask("echo"))
    assert items[:-1] == [ChatDelta("one "), ChatDelta("two "), ChatDelta("three")]
    assert items[-1] == ChatResult("one two three", "stop", Usage(11, 5, 3), "echo-2026", "upstream-1")
    assert fake_provider.body()["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("truncated", "connection"),
        ("silent", "connection"),
        ("error-in-stream", "server"),
        ("rate-limited", "rate_limited"),
    ],
)
def test_stream__breaks_off__is_a_failure(fake_provider: FakeProvider, model: str, reason: str) -> None:
    with pytest.raises(ProviderCallError) as caught:
        stream(fake_provider, ask(model))
    assert caught.value.reason == reason


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
CALLS = tuple(
    {
        "id": f"call_{place}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": f'{{"place": "{place}"}}'},
    }
    for place in ("Oslo", "Bergen")
)


def test_complete__tools__are_sent_and_their_calls_read(fake_provider: FakeProvider) -> None:
    result = call(fake_provider, ask("tools", tools=(WEATHER,), parameters={"tool_choice": "required"}))
    assert (fake_provider.body()["tools"], fake_provider.body()["tool_choice"]) == ([WEATHER], "required")
    assert (result.text, result.finish_reason, result.tool_calls) == ("", "tool_calls", CALLS)


def test_complete__no_tools__sends_no_tool_choice(fake_provider: FakeProvider) -> None:
    call(fake_provider, ask("echo", parameters={"tool_choice": "auto", "parallel_tool_calls": False}))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & fake_provider.body().keys()


def test_stream__tool_calls__come_in_pieces_and_whole_at_the_end(fake_provider: FakeProvider) -> None:
    *deltas, last = stream(fake_provider, ask("tools", tools=(WEATHER,)))
    assert isinstance(last, ChatResult)
    assert (last.finish_reason, last.tool_calls) == ("tool_calls", CALLS)
    pieces = [piece for delta in deltas if isinstance(delta, ChatDelta) for piece in delta.tool_calls]
    assert pieces[0] == {
        "index": 0,
        "id": "call_Oslo",
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    assert pieces[1] == {"index": 0, "function": {"arguments": '{"pla'}}


def test_list_models__server__gives_its_ids(fake_provider: FakeProvider) -> None:
    found = asyncio.run(list_models(Connection("local", fake_provider.base_url), 5))
    assert found == ["echo", "schema"]
