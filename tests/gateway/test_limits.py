"""Limits at the gateway, against the real server: refusals, headers, what is charged and what is not."""

from typing import Any

import httpx2
import pytest

from apps.core.scope import organization_scope
from apps.prompts.models import ServingPolicy
from apps.runs.models import Run
from apps.tenants.models import APIKey, Organization, Project
from tests.factories import make_api_key, make_project, make_prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def project() -> Project:
    return make_project()


def client_of(gateway_url: str, project: Project, **limits: int) -> httpx2.Client:
    """A client with a key of its own, of these limits."""
    key, token = make_api_key(project=project)
    with organization_scope(project.organization_id):
        APIKey.objects.filter(id=key.id).update(**limits)
    return httpx2.Client(base_url=gateway_url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def test_key__requests_used_up__is_told_which_limit_and_when(gateway_url: str, project: Project) -> None:
    with client_of(gateway_url, project, requests_per_minute=2) as client:
        answers = [client.post(CHAT, json=HELLO) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    refused = answers[2]
    assert refused.headers["ratelimit-limit"] == "2"
    assert 25 <= int(refused.headers["retry-after"]) <= 30
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert error["limit"] == "key.requests_per_minute"
    with organization_scope(project.organization_id):
        assert Run.objects.count() == 2


def test_key__requests_that_never_became_a_run__count_too(gateway_url: str, project: Project) -> None:
    with client_of(gateway_url, project, requests_per_minute=3) as client:
        answers = [client.post(CHAT, json={"model": "sandbox/fast"}) for _ in range(3)]
        answers.append(client.get("/v1/models"))
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]


def test_key__tokens_used_up__refuses_and_tells_openai_headers(gateway_url: str, project: Project) -> None:
    long = HELLO | {"messages": [{"role": "user", "content": "word " * 400}]}
    with client_of(gateway_url, project, tokens_per_minute=600) as client:
        answers = [client.post(CHAT, json=long) for _ in range(3)]
    first, last = answers[0], answers[-1]
    assert first.status_code == 200
    assert first.headers["x-ratelimit-limit-tokens"] == "600"
    assert int(first.headers["x-ratelimit-remaining-tokens"]) < 600
    assert first.headers["x-ratelimit-limit-requests"] == "300"
    assert (last.status_code, last.json()["error"]["limit"]) == (429, "key.tokens_per_minute")


def test_organization__requests_used_up__refuses_all_its_keys(gateway_url: str, project: Project) -> None:
    with organization_scope(project.organization_id):
        Organization.objects.filter(id=project.organization_id).update(requests_per_minute=2)
    with client_of(gateway_url, project) as one, client_of(gateway_url, project) as other:
        answers = [one.get("/v1/models"), other.get("/v1/models"), one.get("/v1/models")]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"]["limit"] == "organization.requests_per_minute"


def test_prompt__used_up__refuses_streams_before_they_begin(gateway_url: str, project: Project) -> None:
    prompt = make_prompt(project=project, name="sentiment", labels={"production": 1})
    with organization_scope(project.organization_id):
        ServingPolicy.objects.create(
            organization_id=project.organization_id,
            project=project,
            prompt=prompt,
            limits={"user_requests_per_minute": 1},
        )
    body = {"variables": {"review": "Fine."}, "user": "ada", "stream": True}
    with client_of(gateway_url, project) as client:
        address = "/api/v1/prompts/sentiment/run"
        answers = [client.post(address, json=body) for _ in range(2)]
        answers.append(client.post(address, json=body | {"user": "bob"}))
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1].json()["error"]["limit"] == "user.requests_per_minute"
