"""`/api/v1/runs`."""

from typing import Any

import pytest
from django.test import Client

from apps.runs.types import RunError
from apps.tenants.models import Project
from tests.factories import make_api_key, make_project, make_prompt, make_run

pytestmark = pytest.mark.django_db

FAILED = RunError(code="provider_timeout", type="provider_error", message="Too slow.", status=504)


@pytest.fixture
def project() -> Project:
    return make_project()


def _get(project: Project, path: str) -> tuple[int, Any]:
    token = make_api_key(project=project)[1]
    answer = Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


def test_list__of_runs__is_newest_first_without_content(project: Project) -> None:
    first, second = make_run(project=project), make_run(project=project, error=FAILED)
    status, body = _get(project, "runs")
    assert status == 200
    assert [run["id"] for run in body["data"]] == [second.public_id, first.public_id]
    assert body["data"][0]["error"]["code"] == "provider_timeout"
    assert "content" not in body["data"][0]
    assert body["data"][1]["cost"] == {"status": "sandbox", "amount": "0.0000135", "currency": "USD"}


def test_list__by_pages__loses_nothing(project: Project) -> None:
    made = [make_run(project=project).public_id for _ in range(5)]
    found: list[str] = []
    after = ""
    for _ in range(3):
        _, body = _get(project, f"runs?limit=2&{after}")
        found += [run["id"] for run in body["data"]]
        after = f"starting_after={body['next_cursor']}"
    assert found == made[::-1]
    assert body["has_more"] is False


def test_list__by_filters__is_narrowed(project: Project) -> None:
    make_run(project=project)
    failed = make_run(project=project, error=FAILED)
    assert [run["id"] for run in _get(project, "runs?status=failed")[1]["data"]] == [failed.public_id]
    assert _get(project, "runs?created_before=2020-01-01T00:00:00Z")[1]["data"] == []
    assert (
        len(_get(project, "runs?created_after=2020-01-01T00:00:00Z&model=sandbox/standard")[1]["data"]) == 2
    )
    make_prompt(project=project, name="team/a")
    assert _get(project, "runs?prompt=team/a")[1]["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("status=x", "status"),
        ("source=x", "source"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("created_before=2026-13-01T00:00:00Z", "created_before"),
        ("limit=0", "limit"),
        ("starting_after=x", "starting_after"),
    ],
)
def test_list__by_a_wrong_filter__is_a_bad_request(project: Project, query: str, param: str) -> None:
    status, body = _get(project, f"runs?{query}")
    assert (status, body["error"]["param"]) == (400, param)


def test_detail__of_a_run__has_its_content(project: Project) -> None:
    run = make_run(project=project, text="Fine.")
    status, body = _get(project, f"runs/{run.public_id}")
    assert status == 200
    assert body["content"]["output"] == "Fine."
    assert body["content"]["variables"] == {"review": "It broke."}
    unsaid = dict.fromkeys(("model", "usage", "cost", "status"))
    assert body["attempts"] == [{"start_ms": 2, "duration_ms": 40, "error": "", "kind": "call", **unsaid}]
    assert (body["asked_model"], body["cache"], body["guardrail_hits"]) == (body["model"], None, [])


def test_list__by_unit_cache_and_guardrail__is_narrowed(project: Project) -> None:
    hit = {"rule": "pii", "kind": "pii", "type": "email", "side": "output", "place": "output", "start": 0}
    hit |= {"end": 5, "action": "redact", "score": None, "signals": []}
    first = make_run(project=project, unit="cohort-7", facts={"guardrail_hits": (hit,)})
    facts = {"cache_kind": "semantic", "cache_distance": 0.03}
    second = make_run(project=project, cached_from=first.pk, facts=facts)
    for query, expected in {
        "unit=cohort-7": [first],
        "guardrail=redact": [first],
        "guardrail=block": [],
        "cached=semantic": [second],
        "cached=no": [first],
    }.items():
        found = _get(project, f"runs?{query}")[1]["data"]
        assert [each["id"] for each in found] == [each.public_id for each in expected], query
    told = _get(project, f"runs/{second.public_id}")[1]
    assert told["cache"] == {"kind": "semantic", "distance": 0.03, "source": first.public_id}
    assert _get(project, "runs?cached=maybe")[1]["error"]["param"] == "cached"


def test_detail__without_content__says_null(project: Project) -> None:
    run = make_run(project=project, record_payload=False)
    assert _get(project, f"runs/{run.public_id}")[1]["content"] is None


def test_detail__of_a_stranger__is_not_found(project: Project) -> None:
    run = make_run(project=make_project())
    for text in (run.public_id, "run_x", "x"):
        assert _get(project, f"runs/{text}")[0] == 404


def test_detail__of_a_cached_answer__names_its_source(project: Project) -> None:
    source = make_run(project=project)
    cached = make_run(project=project, cached_from=source.pk)
    assert _get(project, f"runs/{source.public_id}")[1]["cached_from"] is None
    assert _get(project, f"runs/{cached.public_id}")[1]["cached_from"] == source.public_id
