"""/api/v1/prompts/<name> at the gateway: fetch, render and run, against the real server."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.prompts.models import Prompt
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.factories import SENTIMENT_SCHEMA, make_api_key, make_content, make_project, make_prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PATH = "/api/v1/prompts/team/reply"
REVIEW = {"variables": {"review": "It broke at once. Terrible."}}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    """Version 1 in production, version 2 the newest."""
    return make_prompt(project=project, name="team/reply", versions=2, labels={"production": 1, "beta": 2})


@pytest.fixture
def client(gateway_url: str, project: Project) -> Iterator[httpx2.Client]:
    """A client with a key of the project."""
    headers = {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}
    with httpx2.Client(base_url=gateway_url, headers=headers, timeout=20) as client:
        yield client


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_get__by_name_id_label_and_version__is_that_version(client: httpx2.Client, prompt: Prompt) -> None:
    answer = client.get(PATH)
    body = answer.json()
    assert (body["object"], body["prompt"], body["name"]) == (
        "prompt_version",
        prompt.public_id,
        "team/reply",
    )
    assert (body["version"], body["label"], body["labels"]) == (1, "production", ["production"])
    assert body["latest_version"] == 2
    assert {"messages", "variables", "model", "parameters", "output_schema", "tools"} <= set(body)
    for path in ("/api/v1/prompts/team%2Freply", f"/api/v1/prompts/{prompt.public_id}"):
        assert client.get(path).json() == body
    assert client.get(PATH, params={"label": "latest"}).json()["version"] == 2
    assert client.get(PATH, params={"version": 2}).json()["labels"] == ["beta"]
    head = client.head(PATH)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])


@pytest.mark.parametrize(
    ("path", "status", "code", "param"),
    [
        ("team/reply?label=beta&version=1", 400, "invalid_request", "label"),
        ("team/reply?version=x", 400, "invalid_request", "version"),
        ("team/reply?version=99999999999", 400, "invalid_request", "version"),
        ("team/reply?label=%00", 400, "invalid_character", "label"),
        ("team/reply?label=nothing", 404, "label_not_found", "label"),
        ("team/reply?version=9", 404, "version_not_found", "version"),
        ("nothing", 404, "prompt_not_found", "name"),
        ("%ff%00", 404, "prompt_not_found", "name"),
        ("a//b/", 404, "prompt_not_found", "name"),
    ],
)
def test_get__of_what_is_not_there__names_it(
    client: httpx2.Client, prompt: Prompt, path: str, status: int, code: str, param: str
) -> None:
    answer = client.get(f"/api/v1/prompts/{path}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


def test_get__of_another_project__is_not_found(client: httpx2.Client) -> None:
    foreign = make_prompt(name="team/reply", labels={"production": 1})
    for name in ("team/reply", foreign.public_id):
        assert client.get(f"/api/v1/prompts/{name}").json()["error"]["code"] == "prompt_not_found"


def test_etag__until_the_label_moves__answers_304(client: httpx2.Client, prompt: Prompt) -> None:
    first = client.get(PATH)
    etag = first.headers["etag"]
    assert first.headers["cache-control"].startswith("private, max-age=60, stale-while-revalidate=")
    for told in (etag, f'W/{etag}, "other"', "*"):
        again = client.get(PATH, headers={"If-None-Match": told})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert again.headers["request-id"] != first.headers["request-id"]
    with organization_scope(prompt.organization_id):
        prompt_services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)
    until = time.monotonic() + 1.0
    while (moved := client.get(PATH, headers={"If-None-Match": etag})).status_code == 304:
        assert time.monotonic() < until, "a moved label holds within a second"
    assert (moved.json()["version"], moved.json()["labels"]) == (2, ["production", "beta"])


def test_render__before_a_run__is_byte_for_byte_what_is_sent(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    body = {"variables": {"review": "{{ good }}", "row": 7}, "parameters": {"temperature": 1}}
    answer = client.post(f"{PATH}/render", json=body)
    rendered = answer.json()
    assert (rendered["version"], rendered["label"], rendered["ignored_variables"]) == (
        1,
        "production",
        ["row"],
    )
    assert rendered["messages"][-1]["content"].endswith("{{ good }}")
    assert rendered["request"]["messages"] == rendered["messages"]
    assert rendered["request"]["temperature"] == 1
    assert answer.headers["etag"] == f'"{rendered["hash"]}"'
    assert client.post(f"{PATH}/render", json=body).json()["hash"] == rendered["hash"]
    assert _runs(project) == []
    run = client.post(f"{PATH}/run", json=body).json()
    sent = client.post(f"{PATH}/render", json=body | {"version": run["version"], "label": None}).json()
    assert sent["hash"] == rendered["hash"]


def test_render__without_a_model__still_renders_and_says_why(client: httpx2.Client, project: Project) -> None:
    make_prompt(project=project, name="bare", content=make_content(model=""), labels={"production": 1})
    rendered = client.post("/api/v1/prompts/bare/render", json=REVIEW).json()
    assert rendered["request"] is None
    assert rendered["request_problem"] == "No model was named."
    assert client.post("/api/v1/prompts/bare/run", json=REVIEW).json()["error"]["code"] == "model_missing"
    named = client.post("/api/v1/prompts/bare/run", json=REVIEW | {"model": "sandbox/fast"})
    assert named.json()["model"] == "sandbox/fast"


@pytest.mark.parametrize(
    ("ending", "body", "code", "param"),
    [
        ("render", {}, "variable_missing", "variables.review"),
        ("run", {}, "variable_missing", "variables.review"),
        ("render", {"stream": True}, "unsupported_parameter", "stream"),
        ("run", REVIEW | {"label": "a", "version": 1}, "invalid_request", "label"),
        ("run", REVIEW | {"version": True}, "invalid_request", "version"),
        ("run", REVIEW | {"parameters": {"temperature": 9}}, "parameter_invalid", "parameters.temperature"),
        ("run", REVIEW | {"tools": [{}]}, "tool_invalid", "tools.0.function"),
        ("run", REVIEW | {"messages": [{"role": "x"}]}, "invalid_request", "messages.0.role"),
        ("run", REVIEW | {"repair": {"attempts": 9}}, "parameter_invalid", "repair.attempts"),
    ],
)
def test_call__of_a_wrong_body__names_the_field(
    client: httpx2.Client, project: Project, prompt: Prompt, ending: str, body: Any, code: str, param: str
) -> None:
    answer = client.post(f"{PATH}/{ending}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert _runs(project) == []


def test_run__of_a_label__answers_and_is_recorded(client: httpx2.Client, project: Project) -> None:
    content = make_content(output_schema=SENTIMENT_SCHEMA)
    make_prompt(project=project, name="team/reply", content=content, labels={"production": 1})
    body = {**REVIEW, "label": "production", "metadata": {"ticket": "7"}, "user": "u1"}
    answer = client.post(f"{PATH}/run", json=body)
    run = answer.json()
    [recorded] = _runs(project)
    assert (run["id"], run["status"], run["object"]) == (recorded.public_id, "succeeded", "run")
    assert run["output_json"] == json.loads(run["output"])
    assert (run["usage"]["origin"], run["usage"]["output_tokens"]) == ("provider", recorded.output_tokens)
    assert run["cost"]["status"] == "sandbox"
    assert (recorded.label, recorded.metadata, recorded.end_user) == ("production", {"ticket": "7"}, "u1")
    assert recorded.request_id == answer.headers["request-id"]
    assert "ratelimit-remaining" in answer.headers


def test_run__as_a_stream__tells_its_events_in_order(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    answer = client.post(f"{PATH}/run", json=REVIEW | {"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    names = [name for name, _ in events]
    assert (names[0], names[-1], set(names[1:-1])) == ("run.created", "run.completed", {"output.delta"})
    run = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "output.delta") == run["output"]
    assert events[0][1]["id"] == run["id"] == _runs(project)[0].public_id


def test_run__that_fails__tells_the_error_and_the_run(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    body = REVIEW | {"parameters": {"sandbox_error_rate": 1}}
    plain = client.post(f"{PATH}/run", json=body)
    assert (plain.status_code, plain.json()["error"]["run_id"]) == (502, _runs(project)[0].public_id)
    name, failed = _events(client.post(f"{PATH}/run", json=body | {"stream": True}).text)[-1]
    assert name == "run.failed"
    assert failed["error"]["code"] == "provider_failed"
    assert (failed["run"]["id"], failed["run"]["status"]) == (_runs(project)[1].public_id, "failed")


def test_run__same_key_again__replays_one_run(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = (client.post(f"{PATH}/run", json=REVIEW, headers=headers) for _ in range(2))
    assert second.headers["idempotent-replayed"] == "true"
    assert {**second.json(), "output_json": None} == {**first.json(), "output_json": None}
    other = client.post(f"/api/v1/prompts/{prompt.public_id}/run", json=REVIEW, headers=headers)
    assert (other.status_code, other.json()["error"]["type"]) == (409, "idempotency_error")
    assert len(_runs(project)) == 1


def test_run__asked_for_the_cache__says_hit_or_miss(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    body = REVIEW | {"cache": {"ttl_seconds": 60}}
    said = [client.post(f"{PATH}/run", json=body | more).headers["promptsaas-cache"] for more in _MODES]
    assert said == ["miss", "hit", "hit"]
    assert [bool(run.cached_from) for run in _runs(project)] == [False, True, True]


_MODES: tuple[dict[str, Any], ...] = ({}, {}, {"stream": True})


@pytest.mark.parametrize("stream", [False, True])
def test_run__of_a_version_with_tools__answers_with_their_calls(
    client: httpx2.Client, project: Project, stream: bool
) -> None:
    content = make_content(tools=(WEATHER,), parameters={"tool_choice": "required"})
    make_prompt(project=project, name="team/reply", content=content, labels={"production": 1})
    answer = client.post(f"{PATH}/run", json=REVIEW | {"stream": stream})
    run = _events(answer.text)[-1][1] if stream else answer.json()
    [call] = run["tool_calls"]
    assert (run["finish_reason"], call["function"]["name"]) == ("tool_calls", "weather")
    assert set(json.loads(call["function"]["arguments"])) == {"place"}
    if stream:
        [told] = [data for name, data in _events(answer.text) if name == "tool_calls.delta"]
        assert told["tool_calls"] == [{"index": 0, **call}]
    assert client.post(f"{PATH}/render", json=REVIEW).json()["request"]["tools"] == [WEATHER]


def _events(text: str) -> list[tuple[str, Any]]:
    events = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events
