"""The body of /v1/responses and the events that a run is told in, without a server."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from apps.core.errors import InvalidRequest, ProviderFailure
from apps.core.ids import uuid7
from apps.gateway.response_answers import ResponseEvents, response
from apps.gateway.response_requests import ResponseBody, parse_response_body
from apps.providers.types import Usage
from apps.runs.types import PromptReference, RunDelta, RunResult

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAA="


def parsed(**body: Any) -> ResponseBody:
    return parse_response_body({"model": "sandbox/standard", "input": "Hello", **body})


def result(run_id: UUID, **values: Any) -> RunResult:
    given: dict[str, Any] = {
        "text": "Hello you",
        "parsed": None,
        "usage": Usage(3, 2, 1),
        "price": None,
        "latency_ms": 5,
        "first_token_ms": None,
        "finish_reason": "stop",
        "error": None,
        "model": "sandbox/standard",
        "sandbox": True,
    }
    return RunResult(run_id=run_id, created_at=datetime.now(UTC), status="succeeded", **given | values)


def test_body__with_text_and_instructions__makes_a_conversation() -> None:
    body = parsed(instructions="Be short.", max_output_tokens=5, reasoning={"effort": "low"}, user="u")
    assert body.messages == (
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hello"},
    )
    assert body.parameters == {"max_completion_tokens": 5, "reasoning_effort": "low"}
    assert (body.model, body.prompt, body.user) == ("sandbox/standard", None, "u")


def test_body__with_items__makes_messages_calls_and_results() -> None:
    body = parsed(
        input=[
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
            },
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "c", "annotations": []}],
            },
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}", "id": "fc_1"},
            {"type": "function_call", "call_id": "2", "name": "g", "arguments": ""},
            {"type": "function_call_output", "call_id": "1", "output": "one"},
            {
                "type": "function_call_output",
                "call_id": "2",
                "output": [{"type": "input_text", "text": "two"}],
            },
            {"role": "user", "content": [{"type": "input_image", "image_url": PIXEL, "detail": "low"}]},
        ]
    )
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": ""}},
    ]
    image = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    assert body.messages == (
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "c", "tool_calls": calls},
        {"role": "tool", "content": "one", "tool_call_id": "1"},
        {"role": "tool", "content": "two", "tool_call_id": "2"},
        {"role": "user", "content": [image]},
    )


def test_body__with_a_prompt__names_version_and_variables() -> None:
    prompt = {"id": "a/b", "version": "3", "variables": {"x": {"type": "input_text", "text": "y"}, "z": "w"}}
    body = parse_response_body({"prompt": prompt, "model": "sandbox/fast"})
    assert (body.prompt, body.model) == (PromptReference("a/b", number=3), "sandbox/fast")
    assert body.variables == {"x": "y", "z": "w"}
    assert parse_response_body({"prompt": {"id": "a@beta"}}).prompt == PromptReference("a", label="beta")


def test_body__with_tools_and_a_schema__has_them_in_a_chats_form() -> None:
    schema = {"type": "object", "properties": {}}
    body = parsed(
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": True}],
        tool_choice={"type": "function", "name": "f"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
    )
    function = {"name": "f", "parameters": schema, "strict": True}
    assert body.tools == ({"type": "function", "function": function},)
    assert body.parameters == {
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": schema, "strict": True},
        },
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "run_1"}, "previous_response_id"),
        ({"include": ["x"]}, "include"),
        ({"conversation": "c"}, "conversation"),
        ({"truncation": "auto"}, "truncation"),
        ({"top_logprobs": True}, "top_logprobs"),
        ({"nothing": 1}, "nothing"),
        ({"background": True, "stream": True}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": 7}}}},
            "text.format.schema",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "name": "no spaces"}]}, "tools.0.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input.0"),
        ({"input": [{"type": "reasoning"}]}, "input.0.type"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": []}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"type": "text"}]}]}, "input.0.content.0"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input.0.content.0.text"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.file_id",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x.y"}]}]},
            "input.0.content.0.file_url",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
            "input.0.content",
        ),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "1"}]}, "input.0.output"),
        ({"input": None}, "input"),
        ({"model": None}, "model"),
        ({"model": "prompt:a", "prompt": {"id": "b"}}, "model"),
        ({"prompt": {"id": "b", "variables": {"x": {"type": "input_file"}}}}, "prompt.variables.x"),
    ],
)
def test_body__with_what_is_not_carried_out__is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parsed(**body)
    assert refused.value.param == param


def test_events__of_text_and_calls__open_fill_and_close_each_item() -> None:
    run_id = uuid7()
    events = ResponseEvents(parsed(), run_id)
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}
    told = [
        *events.first(),
        *events.piece(RunDelta("Hello ")),
        *events.piece(RunDelta("you")),
        *events.piece(RunDelta("", tool_calls=(call,))),
        *events.piece(RunDelta("", tool_calls=({"index": 0, "function": {"arguments": ":1}"}},))),
        *events.last(result(run_id, finish_reason="tool_calls")),
    ]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert [event["type"].removeprefix("response.") for event in told] == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_item.added"),
        *("function_call_arguments.delta", "function_call_arguments.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("function_call_arguments.done", "output_item.done", "completed"),
    ]
    text, called = told[-1]["response"]["output"]
    assert text["content"][0]["text"] == "Hello you"
    assert (called["call_id"], called["name"], called["arguments"]) == ("c1", "f", '{"a":1}')
    assert told[-1]["response"]["usage"]["total_tokens"] == 5


def test_events__of_an_empty_answer__have_one_empty_message() -> None:
    run_id = uuid7()
    told = list(ResponseEvents(parsed(), run_id).last(result(run_id, text="")))
    assert [item["type"] for item in told[-1]["response"]["output"]] == ["message"]


def test_events__of_a_failure__tell_openais_code_and_ours() -> None:
    events = ResponseEvents(parsed(), uuid7())
    assert list(events.piece(RunDelta("Half an")))
    failed = events.failed(ProviderFailure("Gone.", code="provider_failed"), "req_1")
    answer = failed["response"]
    assert (failed["type"], answer["status"]) == ("response.failed", "failed")
    assert answer["error"] == {"code": "server_error", "message": "Gone."}
    assert answer["promptsaas"]["error"]["code"] == "provider_failed"
    assert answer["output"][0]["status"] == "incomplete"
    assert answer["output"][0]["content"][0]["text"] == "Half an"


@pytest.mark.parametrize(
    ("finish_reason", "status", "reason"),
    [("stop", "completed", None), ("length", "incomplete", "max_output_tokens")],
)
def test_response__by_its_finish_reason__is_complete_or_not(
    finish_reason: str, status: str, reason: str | None
) -> None:
    answer = response(parsed(), result(uuid7(), finish_reason=finish_reason))
    assert answer["status"] == status
    assert (answer["incomplete_details"] or {}).get("reason") == reason
    assert answer["output"][0]["status"] == status
