"""Rows of a batch that are run again: on request and by a rule."""

from decimal import Decimal

import pytest

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.models import BatchItem, BatchJob, JobStatus
from apps.batches.rules import RerunRule, RowChoice
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep
from apps.core.errors import Conflict, InvalidRequest, PromptsaasError
from apps.core.scope import organization_scope
from tests.batches.support import reload, run_batch_pump
from tests.batches.test_api import Api
from tests.factories import make_batch, make_project

pytestmark = pytest.mark.django_db(transaction=True)

UNSURE = RowChoice(field="confidence", below=0.5)


def finished_with_confidence(job: BatchJob) -> BatchJob:
    """Run a batch of four rows whose rows 2 and 4 are unsure."""
    run_batch_pump()
    with organization_scope(job.organization_id):
        for number, confidence in ((1, 0.9), (2, 0.1), (3, 0.8), (4, 0.4)):
            found = BatchItem.objects.filter(batch=job, number=number)
            found.update(parsed={"confidence": confidence})
    return reload(job)


def test_rerun_batch__unsure_rows_with_another_model__is_a_linked_batch() -> None:
    project = make_project()
    job = finished_with_confidence(make_batch(project=project, rows=4))
    api = Api(project)
    where = {"field": "confidence", "below": 0.5}

    again = api.post(f"batches/{job.public_id}/rerun", {"where": where, "model": "sandbox/fast"}, status=202)

    assert (again["rerun_of"], again["rerun_choice"]) == (job.public_id, where)
    assert (again["counts"]["total"], again["model"]) == (2, "sandbox/fast")
    assert run_batch_pump() == 2
    rows = api.get(f"batches/{again['id']}/items")["data"]
    assert [row["variables"]["review"] for row in rows] == ["Great product 2.", "Great product 4."]
    nothing = api.post(f"batches/{job.public_id}/rerun", {"where": {"status": "failed"}}, status=409)
    assert nothing["error"]["code"] == "no_rows_chosen"
    empty = api.post(f"batches/{job.public_id}/rerun", {"where": {}}, status=400)
    assert empty["error"]["code"] == "row_choice_invalid"


def test_rerun_rule__at_the_end__is_run_once_within_the_cap() -> None:
    rule = RerunRule(RowChoice(match="differs"), "sandbox/fast")
    job = make_batch(rows=4, options=BatchOptions(rerun_rule=rule, cost_cap=Decimal(1)))
    run_batch_pump()
    with organization_scope(job.organization_id):
        BatchItem.objects.filter(batch=job, number=3).update(matches=False)
        BatchItem.objects.filter(batch=job).exclude(number=3).update(matches=True)

    assert (sweep().rerun, sweep().rerun) == (1, 0)

    job = reload(job)
    with organization_scope(job.organization_id):
        again = BatchJob.objects.get(rerun_of_id=job.pk)
    assert (again.total, again.model, again.cost_cap) == (1, "sandbox/fast", 1 - job.cost_used)
    assert (again.started_by_name, job.rerun_problem) == (job.started_by_name, "")


def test_rerun_rule__that_can_not_be_run__says_why_on_the_batch() -> None:
    rule = RerunRule(RowChoice(status="succeeded"), version=9)
    job = make_batch(rows=1, options=BatchOptions(rerun_rule=rule))
    run_batch_pump()

    assert sweep().rerun == 1

    job = reload(job)
    assert (job.status, job.rerun_due) == (JobStatus.COMPLETED, False)
    assert job.rerun_problem != ""


@pytest.mark.parametrize(
    "rule",
    [
        RerunRule(RowChoice()),
        RerunRule(RowChoice(field="confidence")),
        RerunRule(RowChoice(match="differs"), "nowhere/gpt"),
    ],
)
def test_start_batch__a_rule_that_makes_no_sense__is_refused(rule: RerunRule) -> None:
    with pytest.raises(PromptsaasError):
        make_batch(options=BatchOptions(rerun_rule=rule))


def test_rerun_batch__rows_that_nobody_gave_feedback_on__are_none() -> None:
    job = finished_with_confidence(make_batch(rows=4))

    with organization_scope(job.organization_id):
        with pytest.raises(Conflict):
            services.rerun_batch(actor=SYSTEM, job=job, choice=RowChoice(score_below=3))
        with pytest.raises(InvalidRequest):
            services.rerun_batch(actor=SYSTEM, job=job, choice=RowChoice(score_below=9))
        assert services.rerun_batch(actor=SYSTEM, job=job, choice=UNSURE).total == 2
