"""POST /v1/playground/run: the playground's stream, against the real server."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope
from apps.runs import playground_tokens, queries
from apps.runs.models import Run
from apps.runs.playground_tokens import PlaygroundUser, issue_token
from apps.tenants import services as tenant_services
from apps.tenants.models import Membership, Project, User
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_member, make_project, make_prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PATH = "/v1/playground/run"
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "{% if name %}Greet {{ name }} {{ times }} times{% endif %}"}],
    "variables": [{"name": "times", "type": "number"}, {"name": "name", "type": "text"}],
    "values": {"name": "Dana {{ x }}", "times": "2"},
    "model": "sandbox/standard",
    "parameters": {"temperature": 0.5},
}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def user(project: Project) -> User:
    return make_member(organization=project.organization, role=Role.EDITOR)


def _token(project: Project, user: User) -> str:
    return issue_token(PlaygroundUser(project.organization_id, project.pk, user.pk))


@pytest.fixture
def client(gateway_url: str, project: Project, user: User) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {_token(project, user)}"}
    with httpx2.Client(base_url=gateway_url, headers=headers, timeout=20) as client:
        yield client


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_run__of_unsaved_content__is_rendered_streamed_and_recorded(
    client: httpx2.Client, project: Project, user: User
) -> None:
    answer = client.post(PATH, json=BODY)
    events = _events(answer.text)
    assert [events[0][0], events[-1][0]] == ["run.created", "run.completed"]
    [run] = _runs(project)
    assert (run.source, run.source_id, run.api_key_id) == ("playground", user.pk, None)
    assert (run.prompt_id, run.version_number) == (None, None)
    with organization_scope(project.organization_id):
        content = queries.load_content(run)
    assert content is not None
    assert content.messages[0]["content"] == "Greet Dana {{ x }} 2 times"
    assert content.inline["messages"] == BODY["messages"]
    assert content.output == events[-1][1]["output"]
    assert int(answer.headers["ratelimit-remaining"]) < 240


def test_run__of_a_version__counts_for_it_until_its_text_is_changed(
    client: httpx2.Client, project: Project
) -> None:
    prompt = make_prompt(project=project, name="reply", versions=2)
    with organization_scope(project.organization_id):
        version = prompt.versions.get(number=2)
    body = {
        **BODY,
        "messages": version.messages,
        "variables": version.variables,
        "values": {"review": "Fine."},
        "prompt": prompt.public_id,
        "version": 2,
    }
    client.post(PATH, json=body)
    client.post(PATH, json=body | {name: BODY[name] for name in ("messages", "variables", "values")})
    same, changed = _runs(project)
    assert (same.prompt_name, same.version_number, same.version_id) == ("reply", 2, version.pk)
    assert (changed.prompt_name, changed.version_number, changed.version_id) == ("reply", None, None)


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"values": {}}, 400, "variable_missing", "variables.times"),
        ({"values": {"times": "x"}}, 400, "variable_invalid", "variables.times"),
        ({"messages": [{"role": "user", "content": "{{"}]}, 400, "template_invalid", "messages.0.content"),
        ({"messages": ["x"]}, 400, "invalid_request", "messages.0"),
        ({"model": ""}, 400, "model_missing", "model"),
        ({"model": "nobody/x"}, 404, "connection_not_found", "model"),
        ({"parameters": {"temperature": 9}}, 400, "parameter_invalid", "parameters.temperature"),
        ({"prompt": "prm_nothing"}, 404, "prompt_not_found", "prompt"),
        ({"stream": True}, 400, "unsupported_parameter", "stream"),
    ],
)
def test_run__of_wrong_content__names_the_field(
    client: httpx2.Client, project: Project, change: dict[str, Any], status: int, code: str, param: str
) -> None:
    answer = client.post(PATH, json=BODY | change)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert _runs(project) == []


def test_run__of_another_projects_prompt__is_not_found(client: httpx2.Client) -> None:
    answer = client.post(PATH, json=BODY | {"prompt": make_prompt().public_id})
    assert answer.json()["error"]["code"] == "prompt_not_found"


def test_token__anywhere_else_or_an_api_key_here__is_refused(
    gateway_url: str, project: Project, user: User, client: httpx2.Client
) -> None:
    assert client.get("/v1/models").json()["error"]["code"] == "api_key_malformed"
    assert client.post("/api/v1/prompts/x/run", json={}).status_code == 401
    for token in (make_api_key(project=project)[1], "none", "pst_nonsense", _token(project, user) + "x"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx2.post(f"{gateway_url}{PATH}", json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "playground_token_invalid")


def test_token__after_its_minute__has_expired(
    client: httpx2.Client, project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now - playground_tokens.SECONDS - 1)
    headers = {"Authorization": f"Bearer {_token(project, user)}"}
    monkeypatch.undo()
    answer = client.post(PATH, json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "playground_token_expired")


def test_token__of_whoever_lost_the_right__is_refused_within_a_second(
    client: httpx2.Client, project: Project, user: User
) -> None:
    assert client.post(PATH, json=BODY).status_code == 200
    with organization_scope(project.organization_id):
        membership = Membership.objects.get(user=user)
        tenant_services.change_role(actor=SYSTEM, membership=membership, role=Role.VIEWER)
    until = time.monotonic() + 1.5
    while (answer := client.post(PATH, json=BODY)).status_code == 200:
        assert time.monotonic() < until
    assert (answer.status_code, answer.json()["error"]["permission"]) == (403, "runs.create")
    with organization_scope(project.organization_id):
        assert AuditEvent.objects.filter(action="access.refused").exists()


def _events(text: str) -> list[tuple[str, Any]]:
    events = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events
