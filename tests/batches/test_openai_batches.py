"""`/v1/batches` from the file to the answers."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch
from apps.batches.services.openai_advancing import advance
from apps.batches.services.openai_files import purge_expired_files
from apps.batches.services.openai_ringing import ring_waiting
from apps.batches.sweeping import finish_open_jobs, stop_expired_jobs
from apps.core.models import OutboxMessage, StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.retention.models import DataClass
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.batches.openai_support import Api, create, row_id_of, work
from tests.batches.support import run_batch_pump
from tests.factories import make_content, make_policy, make_project, make_prompt, owner_of
from tests.factories.openai_batches import request_line
from tests.retention.support import NOW, purge

pytestmark = pytest.mark.django_db(transaction=True)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def test_batch__of_chats__goes_from_validating_to_completed(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")], metadata={"name": "Nightly"})
    assert made["status"] == "validating"
    assert made["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert made["metadata"] == {"name": "Nightly"}
    assert made["expires_at"] - made["created_at"] == 86400
    row_id = row_id_of(made["id"])
    assert advance(row_id)
    running = api.get(f"batches/{made['id']}")
    assert (running["status"], running["model"]) == ("in_progress", "sandbox/standard")
    assert running["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    assert running["in_progress_at"] is not None
    assert running["usage"] is None
    run_batch_pump()
    assert api.get(f"batches/{made['id']}")["status"] == "finalizing"
    assert _told() == ["batch.started"]
    assert advance(row_id)
    assert _told() == ["batch.started", "batch.completed"]
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
    bodies: list[dict[str, Any]] = [
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


def test_batches__of_every_endpoint__keep_the_whole_bodies(api: Api, project: Project) -> None:
    tools = {
        "model": "sandbox/standard",
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [WEATHER],
        "tool_choice": "required",
        "store": False,
    }
    texts = {"model": "sandbox/embedding", "input": ["one", "two"], "dimensions": 8}
    asked = {"model": "sandbox/standard", "input": "Hello"}
    made = [
        create(api, project, [request_line("a", tools)]),
        create(api, project, [request_line("a", asked, "/v1/responses")], "/v1/responses"),
        create(
            api,
            project,
            [
                request_line("a", texts, "/v1/embeddings"),
                request_line("b", texts | {"encoding_format": "base64"}, "/v1/embeddings"),
            ],
            "/v1/embeddings",
        ),
    ]
    work(*[batch["id"] for batch in made])
    outputs = [api.lines(api.get(f"batches/{batch['id']}")["output_file_id"]) for batch in made]
    [called], [answered], [plain, packed] = [
        [line["response"]["body"] for line in lines] for lines in outputs
    ]
    [call] = called["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert (answered["object"], answered["status"]) == ("response", "completed")
    assert answered["output"][0]["content"][0]["text"]
    assert [len(each["embedding"]) for each in plain["data"]] == [8, 8]
    assert isinstance(packed["data"][0]["embedding"], str)


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


def test_batch__cancelled_half_way__delivers_what_was_answered(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a"), request_line("b")])
    row_id = row_id_of(made["id"])
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
    row_id = row_id_of(made["id"])
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


def test_ring__that_was_lost__is_made_up_for(api: Api, project: Project) -> None:
    made = create(api, project, [request_line("a")])
    assert ring_waiting() == 0
    _forget_rings(project)
    assert ring_waiting() == 1
    advance(row_id_of(made["id"]))
    _forget_rings(project)
    assert ring_waiting() == 0
    run_batch_pump()
    assert ring_waiting() == 1


def _told() -> list[str]:
    with system_scope():
        told = OutboxMessage.objects.filter(topic__startswith="batch.").order_by("pk")
        return list(told.values_list("topic", flat=True))


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
    for name in ("csv", "jsonl", "parquet"):
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
