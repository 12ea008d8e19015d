"""Background runs at the gateway: 202 after the commit, once a key, refused as any other."""

from collections.abc import Iterator

import httpx2
import pytest
from django.test import Client

from apps.core import ids
from apps.core.scope import organization_scope
from apps.runs.models import BackgroundRun, Run
from apps.tenants.models import Project
from tests.factories import make_api_key, make_project, make_prompt, make_run
from tests.runs.test_background import run_background_pump

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PATH = "/api/v1/prompts/team/reply/run"
BODY = {"variables": {"review": "It broke at once. Terrible."}, "background": True, "user": "u-1"}


@pytest.fixture
def project() -> Project:
    project = make_project()
    make_prompt(project=project, name="team/reply", labels={"production": 1})
    return project


@pytest.fixture
def headers(project: Project) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}


@pytest.fixture
def gateway(gateway_url: str, headers: dict[str, str]) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=gateway_url, headers=headers, timeout=20) as client:
        yield client


def test_run__in_the_background__is_accepted_then_read_where_it_says(
    gateway: httpx2.Client, headers: dict[str, str], client: Client, project: Project
) -> None:
    answer = gateway.post(PATH, json=BODY)
    accepted = answer.json()
    assert (answer.status_code, accepted["status"], accepted["prompt"]) == (202, "queued", "team/reply")
    assert answer.headers["location"] == accepted["url"] == f"/api/v1/runs/{accepted['id']}"

    waiting = client.get(accepted["url"], headers=headers).json()
    assert (waiting["status"], waiting["content_state"], waiting["cost"]["status"]) == (
        "queued",
        "waiting",
        "none",
    )
    asked = {"status": "queued", "expand[]": "feedback"}
    listed = client.get("/api/v1/runs", asked, headers=headers).json()
    assert [each["id"] for each in listed["data"]] == [accepted["id"]]

    assert run_background_pump() == 1
    run = client.get(accepted["url"], headers=headers).json()
    assert (run["status"], run["background"], run["user"]) == ("succeeded", True, "u-1")
    assert run["content"]["output"]
    assert client.get("/api/v1/runs", {"status": "queued"}, headers=headers).json()["data"] == []


def test_run__one_idempotency_key__is_one_run_with_one_answer(
    gateway: httpx2.Client, project: Project
) -> None:
    keyed = {"Idempotency-Key": "once"}
    first = gateway.post(PATH, json=BODY, headers=keyed)
    run_background_pump()
    again = gateway.post(PATH, json=BODY, headers=keyed)
    other = gateway.post(PATH, json=BODY | {"user": "u-2"}, headers=keyed)

    assert (first.status_code, again.status_code, first.json()) == (202, 202, again.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    with organization_scope(project.organization_id):
        assert (Run.objects.count(), BackgroundRun.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        (PATH, {"stream": True}, 400, "background"),
        (PATH, {"background": 1}, 400, "background"),
        (PATH, {"variables": {}}, 400, "variables.review"),
        ("/api/v1/prompts/nothing/run", {}, 404, "name"),
        (PATH, {"model": "nowhere/gpt"}, 404, "model"),
    ],
)
def test_run__what_would_be_refused_anyway__is_not_accepted(
    gateway: httpx2.Client, project: Project, path: str, body: dict[str, object], status: int, param: str
) -> None:
    answer = gateway.post(path, json=BODY | body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    with organization_scope(project.organization_id):
        assert not BackgroundRun.objects.exists()


def test_cancel__by_api__ends_what_waits_and_nothing_else(
    gateway: httpx2.Client, headers: dict[str, str], client: Client, project: Project
) -> None:
    accepted = gateway.post(PATH, json=BODY).json()
    for _ in range(2):
        cancelled = client.post(f"{accepted['url']}/cancel", headers=headers)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    ended = client.post(f"/api/v1/runs/{make_run(project=project).public_id}/cancel", headers=headers)
    assert (ended.status_code, ended.json()["error"]["code"]) == (409, "run_ended")
    unknown = client.post(f"/api/v1/runs/{ids.encode('run', ids.uuid7())}/cancel", headers=headers)
    assert unknown.status_code == 404


def test_read__another_projects_background_run__is_not_found(gateway: httpx2.Client, client: Client) -> None:
    accepted = gateway.post(PATH, json=BODY).json()
    foreign = {"Authorization": f"Bearer {make_api_key(project=make_project())[1]}"}
    assert client.get(accepted["url"], headers=foreign).status_code == 404
    assert client.post(f"{accepted['url']}/cancel", headers=foreign).status_code == 404
