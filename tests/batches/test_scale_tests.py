"""Scale tests: one batch after the other, the same prompt over more and more rows."""

import threading
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.batches import services
from apps.batches.models import BatchJob, StopReason
from apps.batches.scale_models import ScaleTest, ScaleTestStatus, ScaleTestStep, StepStatus
from apps.batches.services.scale_tests import (
    ScaleTestOptions,
    advance_scale_test,
    cancel_scale_test,
    plan_scale_test,
    start_scale_test,
    sweep_scale_tests,
)
from apps.batches.sweeping import sweep
from apps.core.errors import Conflict, InvalidRequest, QuotaExceeded
from apps.core.scope import organization_scope
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump, wait_until
from tests.factories import (
    make_api_key,
    make_connection,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
    make_quota,
    make_scale_test,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def reload(test: ScaleTest) -> ScaleTest:
    with organization_scope(test.organization_id):
        return ScaleTest.objects.get(pk=test.pk)


def steps_of(test: ScaleTest) -> list[ScaleTestStep]:
    with organization_scope(test.organization_id):
        return list(ScaleTestStep.objects.filter(scale_test=test).order_by("position"))


def jobs_of(test: ScaleTest) -> list[BatchJob]:
    with organization_scope(test.organization_id):
        return list(BatchJob.objects.filter(project_id=test.project_id).order_by("id"))


def test_scale_test__all_steps__run_one_after_the_other_and_are_measured() -> None:
    test = make_scale_test(steps=(2, 5))
    # The dataset has three rows: the second step goes round them.
    assert test.dataset_rows == 3
    first, second = steps_of(test)
    assert (first.status, second.status) == (StepStatus.RUNNING, StepStatus.PENDING)
    assert sweep_scale_tests() == 0
    run_batch_pump()
    assert advance_scale_test(test.organization_id, test.pk)
    assert steps_of(test)[1].status == StepStatus.RUNNING
    run_batch_pump()
    assert sweep_scale_tests() == 1
    ended = reload(test)
    assert ended.status == ScaleTestStatus.COMPLETED
    assert ended.completed_at is not None
    assert [job.total for job in jobs_of(test)] == [2, 5]
    for step in steps_of(test):
        assert (step.status, step.succeeded, step.failed) == (StepStatus.COMPLETED, step.rows, 0)
        assert step.rows_per_second is not None
        assert step.latency_p50 is not None
        assert step.latency_p99 is not None
        assert step.latency_p50 <= step.latency_p99
        assert step.error_rate == 0.0
        assert step.cost_per_row is not None
    assert not advance_scale_test(test.organization_id, test.pk)
    with organization_scope(test.organization_id):
        actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"scale_test.started", "scale_test.completed"} <= actions


def test_scale_test__cancel__stops_its_batch_and_starts_no_other() -> None:
    test = make_scale_test(steps=(2, 5))
    with organization_scope(test.organization_id):
        found = cancel_scale_test(actor=SYSTEM, scale_test=test)
        assert found.status == ScaleTestStatus.CANCELLED
        with pytest.raises(Conflict) as caught:
            cancel_scale_test(actor=SYSTEM, scale_test=test)
    assert caught.value.code == "scale_test_ended"
    assert reload(test).stop_reason == StopReason.REQUESTED
    assert {step.status for step in steps_of(test)} == {StepStatus.CANCELLED}
    assert [job.cancelled for job in jobs_of(test)] == [2]


def test_scale_test__cancel_with_calls_in_flight__ends_when_they_have() -> None:
    test = make_scale_test(steps=(2, 5))
    with organization_scope(test.organization_id):
        BatchJob.objects.update(pending=1, running=1)
        assert cancel_scale_test(actor=SYSTEM, scale_test=test).status == ScaleTestStatus.CANCELLING
        BatchJob.objects.update(pending=2, running=0)
    sweep()
    assert sweep_scale_tests() == 1
    assert reload(test).status == ScaleTestStatus.CANCELLED


def test_scale_test__its_batch_stopped_by_somebody__ends_there() -> None:
    test = make_scale_test(steps=(2, 5))
    with organization_scope(test.organization_id):
        services.cancel_batch(actor=SYSTEM, job=BatchJob.objects.get())
    assert advance_scale_test(test.organization_id, test.pk)
    assert reload(test).status == ScaleTestStatus.CANCELLED
    assert len(jobs_of(test)) == 1


def test_scale_test__dataset_gone__fails_with_the_reason() -> None:
    test = make_scale_test(steps=(2, 5))
    run_batch_pump()
    with organization_scope(test.organization_id):
        ScaleTest.objects.update(dataset_version_id=test.pk)
    assert sweep_scale_tests() == 1
    found = reload(test)
    assert (found.status, found.problem) == (ScaleTestStatus.FAILED, "The dataset is gone.")


def test_scale_test__cap_used_up__starts_no_further_step() -> None:
    test = make_scale_test(steps=(2, 5), cost_cap=Decimal(1))
    run_batch_pump()
    with organization_scope(test.organization_id):
        BatchJob.objects.update(cost_used=Decimal(1))
    assert sweep_scale_tests() == 1
    found = reload(test)
    assert (found.status, found.stop_reason) == (ScaleTestStatus.CANCELLED, StopReason.COST_CAP)
    assert len(jobs_of(test)) == 1


def test_scale_test__what_makes_no_sense__is_refused_before_anything_runs() -> None:
    project = make_project()
    make_connection(project=project, name="openai", models=("*",))
    prompt = PromptReference(make_prompt(project=project, content=make_content()).name, number=1)
    version = make_dataset_version(project=project)
    wrong: list[tuple[ScaleTestOptions, str]] = [
        (ScaleTestOptions(steps=steps), "steps_invalid")
        for steps in ((), (0,), (5, 5), (10, 2), (10_001,), (1, 2, 3, 4, 5, 6, 7))
    ]
    wrong += [
        (ScaleTestOptions(model="openai/gpt-4o-mini"), "cost_cap_required"),
        (ScaleTestOptions(model="openai/unheard-of", cost_cap=Decimal(1)), "price_unknown"),
        (ScaleTestOptions(cost_cap=Decimal(0)), "cost_cap_invalid"),
        (ScaleTestOptions(concurrency=0), "concurrency_invalid"),
    ]
    for options, code in wrong:
        with pytest.raises(InvalidRequest) as caught, organization_scope(project.organization_id):
            start_scale_test(
                actor=SYSTEM, project=project, prompt=prompt, dataset_version=version, options=options
            )
        assert caught.value.code == code
    with organization_scope(project.organization_id):
        assert not ScaleTest.objects.exists()
        told = plan_scale_test(
            project=project,
            prompt=prompt,
            dataset_version=version,
            options=ScaleTestOptions(model="openai/gpt-4o-mini", steps=(10, 100)),
        )
    assert (told.rows, told.source_rows, told.estimate.rows) == (110, 3, 110)
    assert told.estimate.status == "priced"
    make_quota(organization=project.organization, cap=200, used=100)
    options = ScaleTestOptions(model="openai/gpt-4o-mini", steps=(10, 100), cost_cap=Decimal(1))
    with pytest.raises(QuotaExceeded, match="100 left"), organization_scope(project.organization_id):
        start_scale_test(
            actor=SYSTEM, project=project, prompt=prompt, dataset_version=version, options=options
        )
    assert told.estimate.high is not None


def _start_body(project: Project) -> dict[str, object]:
    prompt = make_prompt(project=project, content=make_content())
    version = make_dataset_version(project=project)
    return {"prompt": prompt.name, "version": 1, "dataset_version": version.public_id, "steps": [2, 5]}


def test_api__scale_test__is_estimated_started_read_and_stopped() -> None:
    project = make_project()
    _, token = make_api_key(project=project)
    client = APIClient(headers={"Authorization": f"Bearer {token}"})
    body = _start_body(project)
    estimate = client.post("/api/v1/scale_tests/estimate", body)
    assert (estimate.status_code, estimate.json()["rows"]) == (200, 7)
    started = client.post("/api/v1/scale_tests", body)
    assert started.status_code == 202, started.content
    told = started.json()
    assert [step["rows"] for step in told["steps"]] == [2, 5]
    assert told["steps"][0]["rows_per_second"] is None
    run_batch_pump()
    sweep_scale_tests()
    found = client.get(f"/api/v1/scale_tests/{told['id']}").json()
    assert found["steps"][0]["rows_per_second"] > 0
    assert client.get("/api/v1/scale_tests").json()["data"][0]["id"] == told["id"]
    stopped = client.post(f"/api/v1/scale_tests/{told['id']}/cancel")
    assert stopped.json()["status"] == "cancelled"
    assert client.post(f"/api/v1/scale_tests/{told['id']}/cancel").status_code == 409
    assert client.post("/api/v1/scale_tests", {**body, "steps": [5, 2]}).json()["error"]["param"] == "steps"


def test_pages__scale_test__shows_charts_and_their_files(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    base = f"/{project.organization.slug}/{project.slug}/batches/scale-tests/"
    assert "No scale tests yet" in client.get(base).content.decode()
    test = make_scale_test(project=project, steps=(2, 5))
    page = f"{base}{test.public_id}/"
    assert "being measured" in client.get(page).content.decode()
    run_batch_pump()
    sweep_scale_tests()
    text = client.get(page).content.decode()
    for title in ("Rows a second", "Latency of a call", "Errors", "Cost of a row, sandbox"):
        assert title in text
    file = client.get(page, {"export": "latency"})
    assert file["Content-Type"].startswith("text/csv")
    assert file.content.decode().splitlines()[1].startswith("2,")
    assert client.get(page, {"live": "1"}).status_code == 200
    assert client.post(f"{page}stop/").status_code == 302
    assert client.get(page, {"live": "1"}).status_code == 286


def test_pages__new_scale_test__estimates_refuses_and_starts(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    base = f"/{project.organization.slug}/{project.slug}/batches/scale-tests/new/"
    assert "No prompt to run yet" in client.get(base).content.decode()
    prompt = make_prompt(project=project, content=make_content())
    version = make_dataset_version(project=project)
    assert "Start scale test" in client.get(base).content.decode()
    data = {
        "prompt": f"{prompt.public_id}:number:1",
        "dataset": version.public_id,
        "steps": ["100", "10"],
        "concurrency": "8",
    }
    assert "110" in client.post(f"{base}estimate/", data).content.decode()
    refused = client.post(base, {**data, "steps": [], "action": "start"})
    assert refused.status_code == 422
    assert "Choose at least one step" in refused.content.decode()
    started = client.post(base, {**data, "action": "start"})
    assert started.status_code == 302
    with organization_scope(project.organization_id):
        assert [step.rows for step in ScaleTestStep.objects.order_by("position")] == [10, 100]


def test_command__steps__are_printed_as_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project()
    prompt = make_prompt(project=project, content=make_content())
    version = make_dataset_version(project=project)
    place = f"{project.organization.slug}/{project.slug}"

    def command() -> None:
        call_command("scale_test", place, f"{prompt.name}#1", version.public_id, "--steps=2,5", "--yes")
        connections.close_all()

    # A pump takes the signals of its process, which the main thread alone may.
    thread = threading.Thread(target=command, daemon=True)
    thread.start()
    wait_until(lambda: run_batch_pump() >= 0 and not thread.is_alive(), seconds=60)
    told = capsys.readouterr().out
    assert "7 calls of sandbox/" in told
    assert [line.split()[0] for line in told.splitlines() if line.endswith("sandbox")] == ["2", "5"]
    assert told.splitlines()[-1] == "Finished."
    for arguments in (("nobody/x", "a", "b"), (f"{place}x", "a", "b"), (place, "unheard-of", "dsv_x")):
        with pytest.raises(CommandError):
            call_command("scale_test", *arguments)
