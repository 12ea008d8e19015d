"""Scale tests: one batch after the other, the same prompt over more and more rows."""

from decimal import Decimal

import pytest

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
from apps.core.errors import Conflict, InvalidRequest
from apps.core.scope import organization_scope
from apps.runs.types import PromptReference
from tests.batches.support import run_batch_pump
from tests.factories import (
    make_connection,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
    make_scale_test,
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
    assert told.estimate.high is not None
