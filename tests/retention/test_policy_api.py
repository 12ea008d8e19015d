"""``/api/v1/``: retention policies, what would go, legal holds."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.retention import queries
from apps.retention.models import DataClass
from apps.tenants.models import Project
from tests.factories import make_api_key, make_policy, make_project, make_prompt, make_run, owner_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def _call(client: Client, project: Project, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = client.generic(
        method,
        f"/api/v1/{path}",
        "" if body is None else json.dumps(body),
        "application/json",
        headers={"Promptsaas-Project": project.public_id},
    )
    return answer.status_code, answer.json()


def test_policies__set_for_both_scopes_and_taken_back__tell_what_holds(
    owner: Client, project: Project
) -> None:
    path = "retention_policies/run_payloads"
    _, before = _call(owner, project, "GET", path)
    assert (before["days"], before["plan_days"], before["project"]["set"]) == (90, 90, False)
    _call(owner, project, "PUT", path, {"scope": "organization", "days": 30})
    status, own = _call(
        owner, project, "PUT", path, {"scope": "project", "days": None, "store_content": False}
    )
    assert (status, own["days"], own["store_content"]) == (200, 90, False)
    assert own["project"] == {"set": True, "id": own["project"]["id"], "days": None}
    _, cleared = _call(owner, project, "DELETE", f"{path}?scope=project")
    assert (cleared["days"], cleared["project"]["set"]) == (30, False)
    _, listed = _call(owner, project, "GET", "retention_policies")
    assert [each["data_class"] for each in listed["data"]] == [
        "run_payloads",
        "batches",
        "run_facts",
        "datasets",
        "files",
        "audit",
    ]


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("run_payloads", {"scope": "project", "days": 91}, "retention_days_over_plan", "days"),
        ("run_facts", {"scope": "project", "days": 0}, "retention_days_invalid", "days"),
        ("audit", {"scope": "organization", "days": 29}, "retention_days_invalid", "days"),
        ("files", {"scope": "project", "days": 30}, "retention_not_per_project", "project"),
        ("files", {"scope": "organization", "store_content": False}, "parameter_invalid", "store_content"),
        ("run_facts", {"scope": "organization"}, "parameter_missing", "days"),
        (
            "run_payloads",
            {"scope": "organization", "store_content": None},
            "parameter_invalid",
            "store_content",
        ),
    ],
)
def test_policy__that_cannot_be__is_refused_and_named(
    owner: Client, project: Project, path: str, body: dict[str, Any], code: str, param: str
) -> None:
    status, answer = _call(owner, project, "PUT", f"retention_policies/{path}", body)
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, code, param)


def test_dry_run__counts_by_class_and_project(owner: Client, project: Project) -> None:
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=1)
    run = make_run(project=project, at=timezone.now() - timedelta(days=2))
    _, found = _call(owner, project, "GET", "retention_policies/dry_run")
    assert found["due"] == [
        {"data_class": "run_payloads", "project": project.public_id, "count": 1, "is_more": False}
    ]
    _, kept = _call(owner, project, "GET", f"runs/{run.public_id}/retention")
    assert (kept["held"], kept["content_until"] < kept["facts_until"]) == (False, True)
    _, shown = _call(owner, project, "GET", f"runs/{run.public_id}")
    assert shown["content_state"] == "kept"


def test_dry_run__asked_again_and_again__waits_on_page_and_api_alike(
    owner: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "COUNTS_PER_MINUTE", 1)
    assert owner.get(f"/{project.organization.slug}/settings/privacy/due/").status_code == 200
    status, refused = _call(owner, project, "GET", "retention_policies/dry_run")
    assert (status, refused["error"]["type"]) == (429, "rate_limit_error")


def test_hold__placed_once_and_released_once(owner: Client, project: Project) -> None:
    prompt = make_prompt(project=project)
    wanted = {"prompt": prompt.public_id, "reason": "Case 7"}
    status, hold = _call(owner, project, "POST", "legal_holds", wanted)
    assert (status, hold["prompt"], hold["released_at"]) == (201, prompt.public_id, None)
    status, again = _call(owner, project, "POST", "legal_holds", wanted)
    assert (status, again["error"]["code"]) == (409, "legal_hold_exists")
    status, answer = _call(owner, project, "POST", "legal_holds", {"reason": " "})
    assert (status, answer["error"]["param"]) == (400, "reason")
    path = f"legal_holds/{hold['id']}"
    _, released = _call(owner, project, "POST", f"{path}/release", {"reason": "Settled"})
    assert (released["release_reason"], released["released_at"] is not None) == ("Settled", True)
    status, answer = _call(owner, project, "POST", f"{path}/release", {"reason": "Settled"})
    assert (status, answer["error"]["code"]) == (409, "legal_hold_released")
    assert _call(owner, project, "GET", "legal_holds?in_force=true")[1]["data"] == []
    assert len(_call(owner, project, "GET", "legal_holds")[1]["data"]) == 1


def test_policies__by_key__are_read_and_never_changed(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/retention_policies/audit", headers=headers).json()["days"] is None
    for refused in (
        client.put("/api/v1/retention_policies/audit", {}, "application/json", headers=headers),
        client.get("/api/v1/legal_holds", headers=headers),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_missing")
