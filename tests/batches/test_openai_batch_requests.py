"""`/v1/batches` without a run: what is asked for, refused, listed, cancelled at once."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from apps.batches.models import BatchJob
from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.batches.services.openai_advancing import MOST_FAILURES, advance
from apps.batches.services.openai_files import purge_expired_files, purge_left_answers
from apps.core import files
from apps.core.change_readers import connection_parameters
from apps.core.models import StoredFile
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.batches.openai_support import Api, create, row_id_of
from tests.factories import make_project
from tests.factories.openai_batches import CHAT, make_openai_batch, make_openai_file, request_line

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def test_batch__whose_file_is_wrong__fails_and_names_the_lines(api: Api, project: Project) -> None:
    lines = [
        request_line("a"),
        "{broken",
        request_line("a"),
        request_line("c", url="/v1/embeddings"),
        request_line("d") | {"method": "GET"},
        {"custom_id": "e", "method": "POST", "url": CHAT},
        request_line("f") | {"body": "text"},
        "7",
        request_line("h", {"model": "sandbox/standard", "messages": [], "stream": True}),
    ]
    made = create(api, project, lines)
    assert advance(row_id_of(made["id"]))
    failed = api.get(f"batches/{made['id']}")
    assert failed["status"] == "failed"
    assert failed["failed_at"] is not None
    assert failed["errors"]["object"] == "list"
    assert [(each["line"], each["code"], each["param"]) for each in failed["errors"]["data"]] == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "mismatched_endpoint", "url"),
        (5, "invalid_method", "method"),
        (6, "missing_required_parameter", "body"),
        (7, "invalid_type", "body"),
        (8, "invalid_json_line", None),
        (9, "unsupported_parameter", "body.stream"),
    ]
    with organization_scope(project.organization_id):
        assert not BatchJob.objects.exists()


def test_batch__of_an_unknown_prompt_or_model__fails_before_anything_runs(api: Api, project: Project) -> None:
    lines = [
        request_line("a", {"model": "prompt:nowhere", "messages": []}),
        request_line("b", {"model": "nobody/at-all", "messages": []}),
    ]
    made = create(api, project, lines)
    advance(row_id_of(made["id"]))
    failed = api.get(f"batches/{made['id']}")
    assert [(each["line"], each["param"]) for each in failed["errors"]["data"]] == [
        (1, "body.model"),
        (2, "body.model"),
    ]


def test_batch__cancelled_before_its_file_was_read__ends_at_once(api: Api, project: Project) -> None:
    made = create(api, project, None)
    cancelled = api.post(f"batches/{made['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelled_at"] is not None
    assert not advance(row_id_of(made["id"]))
    assert api.post(f"batches/{made['id']}/cancel", status=409)["error"]["code"] == "batch_ended"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/moderations"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k": 5}}, "metadata.k"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after.seconds"),
        ({"input_file_id": 5}, "input_file_id"),
    ],
)
def test_create__with_a_wrong_field__names_it(
    api: Api, project: Project, change: dict[str, Any], param: str
) -> None:
    file = make_openai_file(project=project)
    asked = {"input_file_id": file.public_id, "endpoint": CHAT, "completion_window": "24h"}
    assert api.post("batches", asked | change, status=400)["error"]["param"] == param


def test_create__over_a_file_of_another_project__is_not_found(api: Api) -> None:
    other = make_openai_file()
    asked = {"input_file_id": other.public_id, "endpoint": CHAT, "completion_window": "24h"}
    error = api.post("batches", asked, status=404)["error"]
    assert (error["code"], error["param"]) == ("file_not_found", "input_file_id")


def test_create__repeated_under_one_idempotency_key__starts_one_batch(api: Api, project: Project) -> None:
    file = make_openai_file(project=project)
    asked = {"input_file_id": file.public_id, "endpoint": CHAT, "completion_window": "24h"}
    first = api.post("batches", asked, headers={"Idempotency-Key": "one"})
    assert api.post("batches", asked, headers={"Idempotency-Key": "one"}) == first
    assert len(api.get("batches")["data"]) == 1


def test_list__by_pages__tells_batches_newest_first(api: Api, project: Project) -> None:
    made = [create(api, project, None)["id"] for _ in range(3)]
    first = api.get("batches?limit=2")
    assert [row["id"] for row in first["data"]] == [made[2], made[1]]
    assert first["has_more"]
    rest = api.get(f"batches?limit=2&after={first['last_id']}")
    assert [row["id"] for row in rest["data"]] == [made[0]]
    assert api.get("batches?limit=101", status=400)["error"]["param"] == "limit"


def test_batch__by_the_id_of_its_job__is_the_same(api: Api, project: Project) -> None:
    made = create(api, project, None)
    assert api.get(f"batches/{made['id'].replace('batch_', 'bat_')}")["id"] == made["id"]


def test_batch__of_another_project__is_not_there(api: Api) -> None:
    other = make_openai_batch()
    assert api.get(f"batches/{other.public_id}", status=404)["error"]["code"] == "batch_not_found"
    api.post(f"batches/{other.public_id}/cancel", status=404)


def test_worker__that_breaks_every_turn__is_not_waited_for_for_ever(api: Api, project: Project) -> None:
    made = create(api, project, None)
    with organization_scope(project.organization_id):
        content_id = OpenAIFile.objects.get().content_id
        StoredFile.objects.filter(pk=content_id).update(sha256="wrong")
    for _ in range(MOST_FAILURES):
        assert not advance(row_id_of(made["id"]))
    failed = api.get(f"batches/{made['id']}")
    assert failed["errors"]["data"][0]["code"] == "internal_error"
    with organization_scope(project.organization_id):
        batch = OpenAIBatch.objects.get()
        OpenAIAnswer.objects.create(
            organization_id=batch.organization_id, batch=batch, number=1, status_code=200, body=b"{}"
        )
    assert purge_left_answers() == 0
    with organization_scope(project.organization_id):
        OpenAIBatch.objects.update(ended_at=timezone.now() - timedelta(days=2))
    assert purge_left_answers() == 1


def test_file__deleted_before_it_was_read__fails_the_batch(api: Api, project: Project) -> None:
    made = create(api, project, None)
    with organization_scope(project.organization_id):
        files.delete(StoredFile.objects.get())
    assert advance(row_id_of(made["id"]))
    assert api.get(f"batches/{made['id']}")["errors"]["data"][0]["code"] == "file_not_found"


def test_file__whose_content_retention_took__is_forgotten(api: Api, project: Project) -> None:
    file = make_openai_file(project=project)
    with organization_scope(project.organization_id):
        files.delete(StoredFile.objects.get())
    assert api.client.get(f"/v1/files/{file.public_id}/content").status_code == 404
    assert purge_expired_files() == 1


def test_worker__while_another_is_at_it__leaves_the_batch_alone(api: Api, project: Project) -> None:
    row_id = row_id_of(create(api, project, None)["id"])
    with psycopg.connect(**connection_parameters()) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"openai_batch:{row_id}"])
        assert not advance(row_id)
        other.rollback()
    assert advance(row_id)
