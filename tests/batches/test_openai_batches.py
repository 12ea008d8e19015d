"""`/v1/batches` from the file to the answers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.batches.services.openai_advancing import MOST_FAILURES, advance
from apps.batches.services.openai_files import purge_expired_files
from apps.batches.services.openai_ringing import ring_waiting
from apps.batches.sweeping import finish_open_jobs, stop_expired_jobs
from apps.core import files
from apps.core.models import StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.retention.models import DataClass
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.factories import make_api_key, make_content, make_policy, make_project, make_prompt, owner_of
from tests.factories.openai_batches import CHAT, make_openai_batch, make_openai_file, request_line
from tests.retention.support import NOW, purge

pytestmark = pytest.mark.django_db(transaction=True)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


class Api:
    """A client with an API key, as OpenAI's clients call."""

    def __init__(self, project: Project, *, livemode: bool = True) -> None:
        self.client = Client(
            headers={"Authorization": f"Bearer {make_api_key(project=project, livemode=livemode)[1]}"}
        )

    def get(self, path: str, status: int = 200) -> Any:
        response = self.client.get(f"/v1/{path}")
        assert response.status_code == status, response.content
        return response.json()

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        response = self.client.post(
            f"/v1/{path}", json.dumps(body or {}), content_type="application/json", headers=headers
        )
        assert response.status_code == status, response.content
        return response.json()

    def lines(self, file_id: str | None) -> list[dict[str, Any]]:
        if file_id is None:
            return []
        content = self.client.get(f"/v1/files/{file_id}/content").getvalue()
        return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def create(api: Api, project: Project, lines: Any, endpoint: str = CHAT, **more: Any) -> dict[str, Any]:
    file = make_openai_file(project=project, lines=lines)
    asked = {"input_file_id": file.public_id, "endpoint": endpoint, "completion_window": "24h"}
    made: dict[str, Any] = api.post("batches", asked | more)
    return made


def work(batch_id: str) -> None:
    """What the workers do from the file to the answers."""
    row_id = _row_id(batch_id)
    assert advance(row_id)
    run_batch_pump()
    advance(row_id)


def _row_id(batch_id: str) -> Any:
    batch = next(batch for batch in _batches() if batch.public_id == batch_id)
    return batch.pk


def _batches() -> list[OpenAIBatch]:
    with system_scope():
        return list(OpenAIBatch.all_organizations.all())


def test_batch__of_chats__goes_from_validating_to_completed(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")], metadata={"name": "Nightly"})
    assert made["status"] == "validating"
    assert made["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert made["metadata"] == {"name": "Nightly"}
    assert made["expires_at"] - made["created_at"] == 86400
    row_id = _row_id(made["id"])
    assert advance(row_id)
    running = api.get(f"batches/{made['id']}")
    assert (running["status"], running["model"]) == ("in_progress", "sandbox/standard")
    assert running["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    assert running["in_progress_at"] is not None
    assert running["usage"] is None
    run_batch_pump()
    assert api.get(f"batches/{made['id']}")["status"] == "finalizing"
    assert advance(row_id)
    assert not advance(row_id)
    done = api.get(f"batches/{made['id']}")
    assert done["status"] == "completed"
    assert done["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert done["completed_at"] >= done["finalizing_at"] >= done["in_progress_at"] >= done["created_at"]
    assert (done["failed_at"], done["expired_at"], done["cancelled_at"]) == (None, None, None)
    assert done["error_file_id"] is None
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_output__of_chats__has_the_true_bodies_in_the_order_of_the_input(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")], metadata={"name": "Nightly"})
    work(made["id"])
    lines = api.lines(api.get(f"batches/{made['id']}")["output_file_id"])
    assert [line["custom_id"] for line in lines] == ["a", "b"]
    first = lines[0]
    assert first["error"] is None
    assert first["id"].startswith("batch_req_")
    assert first["response"]["status_code"] == 200
    assert first["response"]["request_id"].startswith("req_")
    body = first["response"]["body"]
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] > 0
    with organization_scope(project.organization_id):
        assert {run.public_id for run in Run.objects.all()} == {
            line["response"]["body"]["id"] for line in lines
        }
        assert not OpenAIAnswer.objects.exists()
        job = BatchJob.objects.get()
        assert (job.name, job.source, job.status) == ("Nightly", "file", "completed")
        assert Run.objects.first().metadata["custom_id"] in {"a", "b"}  # type: ignore[union-attr]


def test_batch__of_a_managed_prompt__runs_it_as_the_gateway_would(api: Api, project: Project) -> None:
    make_prompt(
        project=project,
        name="team/greeting",
        content=make_content("Say hello to {{ name }}.", model="sandbox/standard"),
        versions=2,
        labels={"production": 1},
    )
    bodies = [
        {"model": "prompt:team/greeting", "messages": [], "variables": {"name": "Ada"}},
        {"model": "prompt:team/greeting#2", "messages": [], "variables": {"review": "Good"}},
        {"prompt": {"id": "team/greeting", "variables": {"name": "Cid"}}, "messages": []},
        {"model": "prompt:team/greeting", "messages": []},
    ]
    made = create(api, project, [request_line(str(n), body) for n, body in enumerate(bodies)])
    work(made["id"])
    done = api.get(f"batches/{made['id']}")
    assert (done["status"], done["model"]) == ("completed", None)
    assert done["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
    told = [line["response"]["body"]["promptsaas"] for line in api.lines(done["output_file_id"])]
    assert [each["version"] for each in told] == [1, 2, 1]
    [wrong] = api.lines(done["error_file_id"])
    assert (wrong["custom_id"], wrong["response"]["status_code"]) == ("3", 400)
    assert wrong["response"]["body"]["error"]["param"] == "variables.name"
    assert wrong["error"]["code"] == "variable_missing"


def test_batch__of_tool_calls__keeps_the_whole_body(api: Api, project: Project) -> None:
    body = {
        "model": "sandbox/standard",
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [WEATHER],
        "tool_choice": "required",
        "store": False,
    }
    made = create(api, project, [request_line("a", body)])
    work(made["id"])
    [line] = api.lines(api.get(f"batches/{made['id']}")["output_file_id"])
    [call] = line["response"]["body"]["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"


def test_batch__of_responses__answers_responses(api: Api, project: Project) -> None:
    lines = [request_line("a", {"model": "sandbox/standard", "input": "Hello"}, "/v1/responses")]
    made = create(api, project, lines, "/v1/responses")
    work(made["id"])
    [line] = api.lines(api.get(f"batches/{made['id']}")["output_file_id"])
    body = line["response"]["body"]
    assert (body["object"], body["status"]) == ("response", "completed")
    assert body["output"][0]["content"][0]["text"]


def test_batch__of_embeddings__answers_vectors(api: Api, project: Project) -> None:
    body = {"model": "sandbox/embedding", "input": ["one", "two"], "dimensions": 8}
    made = create(
        api,
        project,
        [
            request_line("a", body, "/v1/embeddings"),
            request_line("b", body | {"encoding_format": "base64"}, "/v1/embeddings"),
        ],
        "/v1/embeddings",
    )
    work(made["id"])
    plain, packed = api.lines(api.get(f"batches/{made['id']}")["output_file_id"])
    vectors = [each["embedding"] for each in plain["response"]["body"]["data"]]
    assert [len(vector) for vector in vectors] == [8, 8]
    assert isinstance(packed["response"]["body"]["data"][0]["embedding"], str)


def test_batch__with_a_test_key__runs_the_sandbox_only(project: Project) -> None:
    api = Api(project, livemode=False)
    made = create(
        api,
        project,
        [
            request_line(
                "a", {"model": "sandbox/standard", "messages": [{"role": "user", "content": "Hello"}]}
            )
        ],
    )
    work(made["id"])
    with organization_scope(project.organization_id):
        [run] = Run.objects.all()
        assert (run.sandbox, run.livemode) == (True, False)


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
    assert advance(_row_id(made["id"]))
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
    advance(_row_id(made["id"]))
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
    assert not advance(_row_id(made["id"]))
    assert api.post(f"batches/{made['id']}/cancel", status=409)["error"]["code"] == "batch_ended"


def test_batch__cancelled_half_way__delivers_what_was_answered(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")])
    row_id = _row_id(made["id"])
    advance(row_id)
    run_batch_pump()
    _pretend_unfinished(project, answered=1)
    assert api.post(f"batches/{made['id']}/cancel")["status"] == "cancelling"
    assert api.post(f"batches/{made['id']}/cancel")["status"] == "cancelling"
    finish_open_jobs()
    assert advance(row_id)
    done = api.get(f"batches/{made['id']}")
    assert done["status"] == "cancelled"
    assert [line["custom_id"] for line in api.lines(done["output_file_id"])] == ["a"]
    [left] = api.lines(done["error_file_id"])
    assert (left["custom_id"], left["response"]) == ("b", None)
    assert left["error"]["code"] == "batch_cancelled"


def test_batch__past_its_window__expires_and_delivers(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")])
    row_id = _row_id(made["id"])
    advance(row_id)
    run_batch_pump()
    _pretend_unfinished(project, answered=1)
    with organization_scope(project.organization_id):
        BatchJob.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    stop_expired_jobs()
    finish_open_jobs()
    assert advance(row_id)
    done = api.get(f"batches/{made['id']}")
    assert (done["status"], done["expired_at"] is None) == ("expired", False)
    assert len(api.lines(done["output_file_id"])) == 1
    assert api.lines(done["error_file_id"])[0]["error"]["code"] == "batch_expired"


def _pretend_unfinished(project: Project, *, answered: int) -> None:
    """Take the rows behind the first ones back, as if no pump had come to them."""
    with organization_scope(project.organization_id):
        BatchItem.objects.filter(number__gt=answered).delete()
        OpenAIAnswer.objects.filter(number__gt=answered).delete()
        job = BatchJob.objects.get()
        BatchJob.objects.update(
            status="in_progress",
            completed_at=None,
            succeeded=answered,
            pending=job.total - answered,
            next_number=answered + 1,
        )
        assert BatchItem.objects.filter(status=ItemStatus.SUCCEEDED).count() == answered


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
    first = api.post("batches", asked, **{"Idempotency-Key": "one"})
    assert api.post("batches", asked, **{"Idempotency-Key": "one"}) == first
    assert len(api.get("batches")["data"]) == 1


def test_output__asked_to_go_soon__expires_soon(api: Api, project: Project) -> None:
    made = create(
        api,
        project,
        [request_line("a")],
        output_expires_after={"anchor": "created_at", "seconds": 3600},
    )
    work(made["id"])
    file = api.get(f"files/{api.get('batches/' + made['id'])['output_file_id']}")
    assert file["purpose"] == "batch_output"
    assert file["expires_at"] - file["created_at"] == 3600


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
        assert not advance(_row_id(made["id"]))
    failed = api.get(f"batches/{made['id']}")
    assert failed["errors"]["data"][0]["code"] == "internal_error"


def test_file__deleted_before_it_was_read__fails_the_batch(api: Api, project: Project) -> None:
    made = create(api, project, None)
    with organization_scope(project.organization_id):
        files.delete(StoredFile.objects.get())
    assert advance(_row_id(made["id"]))
    assert api.get(f"batches/{made['id']}")["errors"]["data"][0]["code"] == "file_not_found"


def test_ring__that_was_lost__is_made_up_for(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a")])
    assert ring_waiting() == 0
    _forget_rings(project)
    assert ring_waiting() == 1
    advance(_row_id(made["id"]))
    _forget_rings(project)
    assert ring_waiting() == 0
    run_batch_pump()
    assert ring_waiting() == 1


def _forget_rings(project: Project) -> None:
    with organization_scope(project.organization_id):
        OpenAIBatch.objects.update(rung_at=timezone.now() - timedelta(minutes=5))


def test_batch__on_our_own_pages_and_api__is_a_batch_like_others(api: Api, project: Project) -> None:
    wrong = {"model": "sandbox/standard", "messages": [], "temperature": 9}
    made = create(api, project, [request_line("a"), request_line("b", wrong)])
    work(made["id"])
    job_id = made["id"].replace("batch_", "bat_")
    owner = Client()
    owner.force_login(owner_of(project.organization))
    pages = f"/{project.organization.slug}/{project.slug}/batches/"
    assert b">requests<" in owner.get(pages).content
    for path in ("", "results/", "failures/"):
        assert owner.get(f"{pages}{job_id}/{path}").status_code == 200, path
    assert b"Retry" not in owner.get(f"{pages}{job_id}/").content
    told = api.client.get(f"/api/v1/batches/{job_id}").json()
    assert (told["prompt"], told["version"], told["model"]) == (None, None, "sandbox/standard")
    assert told["counts"]["failed"] == 1
    for name in ("csv", "jsonl", "openai", "parquet"):
        file = api.client.get(f"/api/v1/batches/{job_id}/results?format={name}")
        assert file.status_code == 200
        assert file.getvalue()
    again = api.client.post(f"/api/v1/batches/{job_id}/retry", "{}", content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "batch_of_file")


def test_retention__of_batches__takes_their_files_of_answers(api: Api, project: Project) -> None:
    make_policy(organization=project.organization, data_class=DataClass.BATCHES, days=30)
    made = create(api, project, [request_line("a")])
    work(made["id"])
    output = api.get(f"batches/{made['id']}")["output_file_id"]
    with organization_scope(project.organization_id):
        BatchJob.objects.update(completed_at=NOW - timedelta(days=30))
    purge(project.organization)
    api.get(f"files/{output}", status=404)
    assert purge_expired_files() == 1
    with organization_scope(project.organization_id):
        assert StoredFile.objects.count() == 1
    api.get(f"files/{made['input_file_id']}")


def test_file__whose_content_retention_took__is_forgotten(api: Api, project: Project) -> None:
    file = make_openai_file(project=project)
    with organization_scope(project.organization_id):
        files.delete(StoredFile.objects.get())
    assert api.client.get(f"/v1/files/{file.public_id}/content").status_code == 404
    assert purge_expired_files() == 1
