"""Serving policies as the running gateway obeys them: API and playground, within a second of a change."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from apps.audit.actor import SYSTEM
from apps.core.ids import decode
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.prompts.models import Prompt
from apps.runs.models import Run
from apps.runs.playground_tokens import PlaygroundUser, issue_token
from apps.tenants.models import Project
from tests.factories import make_api_key, make_content, make_project, make_prompt, owner_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

DENY = {"rules": [{"kind": "deny_list", "words": ["Globex"], "on": "input"}]}
SECONDS_ALLOWED = 1.0


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project=project, labels={"production": 1}, content=make_content("Say {{ word }}"))


@pytest.fixture
def client(gateway_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=gateway_url, timeout=20) as client:
        yield client


def _serve(project: Project, prompt: Prompt | None, **sections: Any) -> None:
    with organization_scope(project.organization_id):
        services.change_serving(
            actor=SYSTEM,
            project=project,
            prompt=prompt,
            sections=sections,  # type: ignore[arg-type]
        )


def test_policy__changed_and_reset__is_obeyed_within_a_second(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    headers = {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}

    def code_in_the_end(address: str, body: dict[str, Any]) -> str:
        """The error of the last answer of a second, empty for a run that succeeded."""
        until = time.monotonic() + SECONDS_ALLOWED
        answer = client.post(address, json=body, headers=headers)
        while time.monotonic() < until:
            time.sleep(0.05)
            answer = client.post(address, json=body, headers=headers)
        return str(answer.json().get("error", {}).get("code", ""))

    run = f"/api/v1/prompts/{prompt.name}/run", {"variables": {"word": "Globex"}}
    plain = (
        "/v1/chat/completions",
        {
            "model": "sandbox/fast",
            "messages": [{"role": "user", "content": "globex"}],
        },
    )
    assert client.post(run[0], json=run[1], headers=headers).status_code == 200
    _serve(project, prompt, guardrails=DENY)
    assert code_in_the_end(*run) == "guardrail_blocked"
    assert client.post(plain[0], json=plain[1], headers=headers).status_code == 200
    _serve(project, None, guardrails=DENY)
    _serve(project, prompt, guardrails={})
    assert code_in_the_end(*plain) == "guardrail_blocked"
    assert client.post(run[0], json=run[1], headers=headers).status_code == 200
    _serve(project, prompt, guardrails=None)
    assert code_in_the_end(*run) == "guardrail_blocked"


def test_playground__of_a_prompt__is_served_as_it_is(
    client: httpx2.Client, project: Project, prompt: Prompt
) -> None:
    _serve(project, prompt, guardrails=DENY)
    token = issue_token(
        PlaygroundUser(project.organization_id, project.pk, owner_of(project.organization).pk)
    )
    body = {
        "messages": [{"role": "user", "content": "Say {{ word }}"}],
        "values": {"word": "Globex"},
        "model": "sandbox/standard",
        "prompt": prompt.public_id,
    }
    headers = {"Authorization": f"Bearer {token}"}

    def ask(**more: Any) -> httpx2.Response:
        return client.post("/v1/playground/run", json={**body, **more}, headers=headers)

    blocked = ask()
    error = blocked.json()["error"]
    assert (blocked.status_code, error["code"]) == (400, "guardrail_blocked")
    with organization_scope(project.organization_id):
        run = Run.objects.get(pk=decode("run", error["run_id"]))
    assert [(hit["action"], hit["place"]) for hit in run.guardrail_hits] == [("block", "variables.word")]
    assert (run.attempts, run.price_amount) == ([], None)

    values = {"word": "hello"}
    first = _completed(ask(values=values, cache={"seconds": 60}))
    again = _completed(ask(values=values, cache={"seconds": 60}))
    fresh = _completed(ask(values=values))
    assert (again["cached_from"], fresh["cached_from"]) == (first["id"], None)
    assert ask(cache={"seconds": 0}).json()["error"]["param"] == "cache.seconds"


def _completed(answer: httpx2.Response) -> dict[str, Any]:
    last = answer.text.strip().split("\n\n")[-1]
    name, data = last.split("\n")[:2]
    assert name == "event: run.completed", answer.text
    body: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return body
