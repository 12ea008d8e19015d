"""The official openai client, unchanged, against the real server."""

import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from apps.core.scope import organization_scope
from apps.runs import queries
from apps.runs.models import Run
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_content, make_project, make_prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REVIEW = {"variables": {"review": "It broke at once. Terrible."}}


@pytest.fixture
def project() -> Project:
    """A project with the prompt `sentiment` in production."""
    project = make_project()
    make_prompt(project=project, name="team/sentiment", versions=2, labels={"production": 2, "beta": 1})
    return project


@pytest.fixture
def client(gateway_url: str, project: Project) -> Iterator[openai.OpenAI]:
    """A client with a key of the project."""
    token = make_api_key(project=project, livemode=True)[1]
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0, timeout=20) as client:
        yield client


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_completion__of_a_labelled_prompt__answers_and_is_recorded(
    client: openai.OpenAI, project: Project
) -> None:
    answer = client.chat.completions.create(
        model="prompt:team/sentiment@beta",
        messages=[],
        extra_body=REVIEW,
        metadata={"ticket": "7"},
        user="u1",
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    [run] = _runs(project)
    assert answer.id == run.public_id
    assert (run.prompt_name, run.version_number, run.label) == ("team/sentiment", 1, "beta")
    assert (run.metadata, run.end_user) == ({"ticket": "7"}, "u1")


@pytest.mark.parametrize(("model", "number"), [("prompt:team/sentiment", 2), ("prompt:team/sentiment#1", 1)])
def test_completion__without_label_or_by_number__runs_that_version(
    client: openai.OpenAI, project: Project, model: str, number: int
) -> None:
    client.chat.completions.create(model=model, messages=[], extra_body=REVIEW)
    assert [run.version_number for run in _runs(project)] == [number]


def test_completion__of_a_plain_model__is_passed_through(client: openai.OpenAI, project: Project) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model="sandbox/fast", messages=messages, max_tokens=3)  # type: ignore[arg-type]
    assert answer.model == "sandbox/fast"
    assert answer.choices[0].finish_reason == "length"
    assert _runs(project)[0].prompt_name == ""


def test_stream__with_usage__gives_pieces_and_a_recorded_end(client: openai.OpenAI, project: Project) -> None:
    stream = client.chat.completions.create(
        model="prompt:team/sentiment",
        messages=[],
        stream=True,
        stream_options={"include_usage": True},
        extra_body=REVIEW,
    )
    text, finish_reasons, usage = "", [], None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish_reasons.append(choice.finish_reason)
        usage = chunk.usage or usage
    # The last event went out after the commit, so the run is there at once.
    [run] = _runs(project)
    assert run.status == "succeeded"
    assert text
    assert [reason for reason in finish_reasons if reason] == ["stop"]
    assert usage is not None
    assert usage.completion_tokens == run.output_tokens


def test_stream__left_by_the_client__is_recorded_as_cancelled(
    client: openai.OpenAI, project: Project
) -> None:
    stream = client.chat.completions.create(
        model="sandbox/standard",
        messages=[{"role": "user", "content": "Tell me about mixers and their lids."}],
        stream=True,
        extra_body={"sandbox_latency_ms": 20_000},
    )
    next(iter(stream))
    next(iter(stream))
    stream.close()
    assert [run.status for run in _eventually(project)] == ["cancelled"]


def test_completion__left_by_the_client__is_cancelled(client: openai.OpenAI, project: Project) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(
            model="sandbox/standard",
            messages=[{"role": "user", "content": "Hello"}],
            extra_body={"sandbox_latency_ms": 20_000},
        )
    assert [run.status for run in _eventually(project)] == ["cancelled"]


WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def test_tools__of_the_caller__are_called_answered_and_kept(client: openai.OpenAI, project: Project) -> None:
    asked: Any = [{"role": "user", "content": "How is the weather in Oslo?"}]
    answer = client.chat.completions.create(
        model="sandbox/standard", messages=asked, tools=[WEATHER], tool_choice="required"
    )
    message = answer.choices[0].message
    assert (answer.choices[0].finish_reason, message.content) == ("tool_calls", None)
    assert message.tool_calls is not None
    [call] = message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    told = {"role": "tool", "tool_call_id": call.id, "content": "12 degrees, rain"}
    talk: Any = [*asked, message.model_dump(), told]
    after = client.chat.completions.create(model="sandbox/standard", messages=talk, tools=[WEATHER])
    assert (after.choices[0].finish_reason, after.choices[0].message.tool_calls) == ("stop", None)
    first, second = _runs(project)
    with organization_scope(project.organization_id):
        kept, sent = queries.load_content(first), queries.load_content(second)
    assert kept is not None
    assert sent is not None
    assert (kept.tools, kept.tool_calls) == ([WEATHER], [call.model_dump()])
    assert [each["role"] for each in sent.messages] == ["user", "assistant", "tool"]


def test_tools__as_a_stream__come_in_deltas(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="sandbox/standard",
        messages=[{"role": "user", "content": "How is the weather in Oslo?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        stream=True,
    )
    written, reasons = "", []
    for chunk in stream:
        reasons.append(chunk.choices[0].finish_reason)
        for piece in chunk.choices[0].delta.tool_calls or ():
            assert piece.function is not None
            written += piece.function.arguments or ""
    assert set(json.loads(written)) == {"place"}
    assert reasons[-1] == "tool_calls"


def test_models__of_a_project__are_its_labelled_prompts_and_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:2] == ["prompt:team/sentiment@production", "prompt:team/sentiment@beta"]
    assert "sandbox/standard" in names
    for name in names:
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("prompt:nothing@production")


def test_completion__with_a_wrong_key__raises_authentication_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        client.with_options(api_key="psk_live_nonsense").models.list()
    assert refused.value.code == "api_key_malformed"
    assert refused.value.request_id is None or refused.value.request_id.startswith("req_")


def test_completion__without_the_scope__raises_permission_error(gateway_url: str, project: Project) -> None:
    token = make_api_key(project=project, scopes=(Scope.READ,))[1]
    with (
        openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0) as client,
        pytest.raises(openai.PermissionDeniedError),
    ):
        client.chat.completions.create(model="sandbox/fast", messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    ("model", "extra", "code"),
    [
        ("prompt:team/sentiment", {}, "variable_missing"),
        ("prompt:@", REVIEW, "prompt_malformed"),
        ("sandbox/fast", {"logit_bias": {}}, "unsupported_parameter"),
        ("sandbox/fast", {"temperature": 9}, "parameter_invalid"),
        ("sandbox/fast", {"tool_choice": "required"}, "parameter_invalid"),
        ("sandbox/fast", {"tools": [{"type": "function"}]}, "tool_invalid"),
    ],
)
def test_completion__of_a_wrong_request__raises_bad_request(
    client: openai.OpenAI, project: Project, model: str, extra: dict[str, object], code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "x"}], extra_body=extra
        )
    assert refused.value.code == code
    assert refused.value.param
    assert _runs(project) == []


@pytest.mark.parametrize(
    "model", ["prompt:missing", "prompt:team/sentiment@missing", "prompt:team/sentiment#9"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_completion__of_what_does_not_exist__raises_not_found(
    client: openai.OpenAI, model: str, stream: bool
) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=model, messages=[], stream=stream, extra_body=REVIEW)


@pytest.mark.parametrize("stream", [False, True])
def test_completion__of_a_failing_provider__raises_and_names_the_run(
    client: openai.OpenAI, project: Project, stream: bool
) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(
            model="sandbox/fast",
            messages=[{"role": "user", "content": "x"}],
            stream=stream,
            extra_body={"sandbox_error_rate": 1},
        )
    assert isinstance(failed.value.body, dict)
    assert failed.value.body["run_id"] == _runs(project)[0].public_id


def test_completion__faster_than_the_limit__raises_rate_limit_error(
    gateway_url: str, project: Project
) -> None:
    token = make_api_key(project=project)[1]
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0) as client:

        def hurry() -> None:
            for _ in range(400):
                client.models.retrieve("sandbox/fast")

        with pytest.raises(openai.RateLimitError) as refused:
            hurry()
    assert int(refused.value.response.headers["retry-after"]) >= 1
    assert refused.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_completion__in_a_test_mode__runs_the_sandbox(gateway_url: str) -> None:
    project = make_project()
    make_prompt(project=project, name="p", content=make_content(model="acme/gpt"), labels={"production": 1})
    token = make_api_key(project=project, livemode=False)[1]
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0) as client:
        answer = client.chat.completions.create(model="prompt:p", messages=[], extra_body=REVIEW)
    assert answer.model == "sandbox/standard"


def _eventually(project: Project) -> list[Run]:
    """The project's runs, as soon as there is one: a client that left has no answer to wait for."""
    for _ in range(200):
        runs = _runs(project)
        if runs:
            return runs
        time.sleep(0.05)
    return []
