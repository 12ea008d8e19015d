"""Batches by API."""

import json
from typing import Any

import pytest
from django.test import Client

from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.factories import (
    make_api_key,
    make_batch,
    make_dataset_version,
    make_project,
    make_prompt,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Api:
    """A client with an API key."""

    def __init__(self, project: Project, *, livemode: bool = True) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {make_api_key(project=project, livemode=livemode)[1]}"}

    def get(self, path: str, status: int = 200) -> Any:
        response = self.client.get(f"/api/v1/{path}", headers=self.headers)
        assert response.status_code == status, response.content
        return response.json()

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        response = self.client.patch(
            f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=self.headers
        )
        assert response.status_code == status, response.content
        return response.json()

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        response = self.client.post(
            f"/api/v1/{path}",
            data=json.dumps(body or {}),
            content_type="application/json",
            headers=self.headers | headers,
        )
        assert response.status_code == status, response.content
        return response.json()

    def download(self, path: str) -> str:
        response = self.client.get(f"/api/v1/{path}", headers=self.headers)
        assert response.streaming
        return response.getvalue().decode()


def body_for(project: Project) -> dict[str, Any]:
    prompt = make_prompt(project=project, labels={"production": 1})
    version = make_dataset_version(project=project)
    return {"prompt": prompt.name, "dataset_version": version.public_id}


def test_batches__estimated_started_run_and_read__tell_one_story() -> None:
    project = make_project()
    api = Api(project)
    body = body_for(project)

    plan = api.post("batches/estimate", body)
    assert (plan["estimate"]["rows"], plan["estimate"]["cost_status"]) == (3, "sandbox")
    batch = api.post("batches", body | {"concurrency": 2, "metadata": {"for": "test"}}, status=202)
    assert (batch["status"], batch["counts"]["pending"]) == ("in_progress", 3)
    run_batch_pump()

    batch = api.get(f"batches/{batch['id']}")
    assert (batch["status"], batch["counts"]["succeeded"]) == ("completed", 3)
    assert batch["cost"]["sandbox"] is True
    assert batch["metadata"] == {"for": "test"}
    first = api.get(f"batches/{batch['id']}/items?limit=2")
    rest = api.get(f"batches/{batch['id']}/items?limit=2&starting_after={first['next_cursor']}")
    assert [item["row"] for item in first["data"] + rest["data"]] == [1, 2, 3]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert api.get("batches")["data"][0]["id"] == batch["id"]


def test_batches__by_a_dataset__takes_its_latest_version() -> None:
    project = make_project()
    api = Api(project)
    body = body_for(project)
    with organization_scope(project.organization_id):
        newer = make_dataset_version(project=project, name="Reviews")
    make_dataset_version(project=project, name="Reviews")
    dataset = api.get(f"dataset_versions/{newer.public_id}")["dataset"]

    batch = api.post("batches", body | {"dataset_version": dataset}, status=202)

    assert api.get(f"dataset_versions/{batch['dataset_version']}")["number"] == 2


def test_batches__the_same_idempotency_key_twice__start_one() -> None:
    project = make_project()
    api = Api(project)
    body = body_for(project)

    first = api.post("batches", body, status=202, **{"Idempotency-Key": "once"})
    second = api.post("batches", body, status=202, **{"Idempotency-Key": "once"})

    assert first["id"] == second["id"]
    assert len(api.get("batches")["data"]) == 1


def test_batches__a_test_key__runs_the_sandbox() -> None:
    project = make_project()
    api = Api(project, livemode=False)

    batch = api.post("batches", body_for(project) | {"model": "elsewhere/gpt"}, status=202)

    assert (batch["livemode"], batch["model"]) == (False, "sandbox/standard")


def test_batches__cancel_then_retry__by_api() -> None:
    project = make_project()
    api = Api(project)
    batch = make_batch(project=project)

    conflict = api.post(f"batches/{batch.public_id}/retry", status=409)
    assert conflict["error"]["code"] == "batch_running"
    assert api.post(f"batches/{batch.public_id}/cancel")["status"] == "cancelled"
    retried = api.post(f"batches/{batch.public_id}/retry", status=202)
    assert retried["counts"]["pending"] == batch.total


def test_batches__retry_of_a_live_batch_by_a_test_key__is_refused() -> None:
    project = make_project()
    batch = make_batch(project=project)

    answer = Api(project, livemode=False).post(f"batches/{batch.public_id}/retry", status=403)

    assert answer["error"]["code"] == "live_key_needed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 1, "label": "production"}, None),
        ({"concurrency": 0}, None),
        ({"parameters": {"nonsense": 1}}, "unsupported_parameter"),
        ({"cost_cap_usd": "0"}, "cost_cap_invalid"),
        ({"model": "sandbox/unheard-of", "cost_cap_usd": "1"}, "price_unknown"),
    ],
)
def test_batches__a_body_that_makes_no_sense__is_refused(change: dict[str, Any], code: str | None) -> None:
    project = make_project()

    answer = Api(project).post("batches", body_for(project) | change, status=400)

    assert code is None or answer["error"]["code"] == code


def test_results__in_three_formats__are_in_input_order() -> None:
    project = make_project()
    api = Api(project)
    batch = make_batch(project=project, rows=3)
    run_batch_pump()
    path = f"batches/{batch.public_id}/results?format="

    lines = [json.loads(line) for line in api.download(f"{path}jsonl").splitlines()]
    openai = [json.loads(line) for line in api.download(f"{path}openai").splitlines()]

    assert [line["row"] for line in lines] == [1, 2, 3]
    assert lines[0]["input"]["review"] == "Great product 1."
    assert lines[0]["cost"]["status"] == "sandbox"
    assert [line["custom_id"] for line in openai] == ["row-1", "row-2", "row-3"]
    assert openai[0]["response"]["body"]["choices"][0]["message"]["content"] == lines[0]["output"]
    assert api.download(f"{path}csv").count("\n") == 4
    assert api.get(f"{path}xml", status=400)["error"]["param"] == "format"


def test_batches__changed_paused_and_resumed__by_api() -> None:
    project = make_project()
    api = Api(project)
    body = body_for(project) | {
        "priority": "low",
        "sample_rows": 1,
        "rerun_rule": {"where": {"field": "confidence", "below": 0.5}, "model": "sandbox/standard"},
    }
    path = f"batches/{api.post('batches', body, status=202)['id']}"

    changed = api.patch(path, {"priority": "high", "concurrency": 2})
    assert (changed["priority"], changed["concurrency"], changed["sample_rows"]) == ("high", 2, 1)
    assert changed["rerun_rule"]["where"] == {"field": "confidence", "below": 0.5}
    assert api.patch(path, {"cost_cap_usd": "1"}, status=400)["error"]["code"] == "cost_cap_absent"
    assert api.post(f"{path}/pause")["status"] == "paused"
    assert api.post(f"{path}/resume")["status"] == "in_progress"
    assert api.post(f"{path}/resume", status=409)["error"]["code"] == "batch_not_paused"
    assert api.post("batches", body | {"start_at": "never"}, status=400)["error"]["param"] == "start_at"
    assert Api(project, livemode=False).post(f"{path}/resume", status=403)["error"]["code"]
