"""Control of a batch: pause, schedule, sample, change, choose what is retried."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditEvent
from apps.batches import services
from apps.batches.choosing import chosen_numbers
from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus, PauseReason, StopReason
from apps.batches.rules import RowChoice
from apps.batches.services import BatchChanges, RetryChoice
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep
from apps.billing.models import UsageKey
from apps.core.errors import Conflict, InvalidRequest, PromptsaasError
from apps.core.models import OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.tenants.models import Organization
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import make_batch, make_content, make_project, owner_of

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = ({"name": "stars", "type": "number", "required": True},)


def topics() -> list[str]:
    with system_scope():
        found = OutboxMessage.objects.filter(topic__startswith="batch.").order_by("created_at", "id")
        return [message.topic for message in found]


def change(job: BatchJob, **changes: Any) -> BatchJob:
    with organization_scope(job.organization_id):
        return services.change_batch(actor=SYSTEM, job=job, changes=BatchChanges(**changes))


def test_pause_batch__then_resume__runs_nothing_between() -> None:
    job = make_batch(rows=3)
    with organization_scope(job.organization_id):
        services.pause_batch(actor=SYSTEM, job=job)
        assert services.pause_batch(actor=SYSTEM, job=job).status == JobStatus.PAUSED

    assert run_batch_pump() == 0
    assert (sweep().finished, reload(job).pause_reason) == (0, PauseReason.REQUESTED)

    with organization_scope(job.organization_id):
        services.resume_batch(actor=SYSTEM, job=job)
        with pytest.raises(Conflict) as refused:
            services.resume_batch(actor=SYSTEM, job=job)
    assert refused.value.code == "batch_not_paused"
    assert run_batch_pump() == 3
    assert reload(job).status == JobStatus.COMPLETED
    assert topics() == ["batch.started", "batch.paused", "batch.resumed", "batch.completed"]
    with organization_scope(job.organization_id):
        assert AuditEvent.objects.filter(action__in=["batch.paused", "batch.resumed"]).count() == 2


def test_sample__through__pauses_and_goes_on_with_the_rest() -> None:
    job = make_batch(rows=5, options=BatchOptions(sample_rows=2))

    assert run_batch_pump() == 2
    job = reload(job)
    assert (job.status, job.pause_reason, job.succeeded) == (JobStatus.PAUSED, PauseReason.SAMPLE, 2)

    with organization_scope(job.organization_id):
        services.resume_batch(actor=SYSTEM, job=job)
    assert run_batch_pump() == 3
    assert reload(job).status == JobStatus.COMPLETED


def test_sample__of_all_rows__is_none() -> None:
    job = make_batch(rows=2, options=BatchOptions(sample_rows=2))

    assert run_batch_pump() == 2
    assert reload(job).status == JobStatus.COMPLETED


def test_scheduled__its_time_come__is_started_by_the_sweeper() -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    job = make_batch(rows=2, options=BatchOptions(start_at=tomorrow))
    assert (job.status, job.expires_at) == (JobStatus.SCHEDULED, tomorrow + timedelta(days=1))
    assert run_batch_pump() == 0
    assert sweep().started == 0

    with organization_scope(job.organization_id):
        BatchJob.objects.update(start_at=timezone.now() - timedelta(seconds=1))
    assert sweep().started == 1
    assert run_batch_pump() == 2
    assert topics() == ["batch.scheduled", "batch.started", "batch.completed"]


@pytest.mark.parametrize("options", [{"start_at": timedelta(days=1)}, {"sample_rows": 1}])
def test_cancel_batch__scheduled_or_paused__ends_at_once(options: dict[str, Any]) -> None:
    if "start_at" in options:
        options = {"start_at": timezone.now() + options["start_at"]}
    job = make_batch(rows=3, options=BatchOptions(**options))
    run_batch_pump()

    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)

    job = reload(job)
    assert (job.status, job.succeeded + job.cancelled) == (JobStatus.CANCELLED, 3)


def test_change_batch__of_a_scheduled_one__moves_start_and_deadline_together() -> None:
    start = timezone.now() + timedelta(days=1)
    job = make_batch(options=BatchOptions(start_at=start))

    changed = change(job, start_at=start + timedelta(days=2), priority=1, concurrency=3)
    assert (changed.priority, changed.concurrency) == (1, 3)
    assert changed.expires_at == start + timedelta(days=3)

    assert change(job, start_at=None).status == JobStatus.IN_PROGRESS
    with pytest.raises(Conflict) as refused:
        change(job, start_at=start)
    assert refused.value.code == "batch_started"
    assert run_batch_pump() == 3
    with pytest.raises(Conflict):
        change(job, priority=0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"concurrency": 0}, "concurrency_invalid"),
        ({"priority": 7}, "priority_invalid"),
        ({"cost_cap": Decimal("0.4")}, "cost_cap_too_low"),
        ({"deadline": timedelta(days=-1)}, "deadline_invalid"),
        ({"deadline": timedelta(days=99)}, "deadline_invalid"),
    ],
)
def test_change_batch__to_what_can_not_be__is_refused(changes: dict[str, Any], code: str) -> None:
    job = make_batch(options=BatchOptions(cost_cap=Decimal(1)))
    with organization_scope(job.organization_id):
        BatchJob.objects.update(cost_used=Decimal("0.3"), cost_reserved=Decimal("0.2"))
    if "deadline" in changes:
        changes = {"deadline": timezone.now() + changes["deadline"]}

    with pytest.raises(InvalidRequest) as refused:
        change(job, **changes)

    assert refused.value.code == code
    assert change(job, cost_cap=Decimal("0.5")).cost_cap == Decimal("0.5")


def test_change_batch__a_cap_for_a_batch_without_one__is_refused() -> None:
    with pytest.raises(PromptsaasError) as refused:
        change(make_batch(), cost_cap=Decimal(1))

    assert refused.value.code == "cost_cap_absent"


def stopped_halfway() -> BatchJob:
    """Row 2 failed, rows 3 and 4 were stopped before anybody took them."""
    rows = [RowValues({"stars": value}, None, {}) for value in (1, "many", 3, 4)]
    content = make_content("{{ stars }}", variables=TYPED)
    job = make_batch(rows=rows, content=content, options=BatchOptions(sample_rows=2))
    run_batch_pump()
    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)
    return reload(job)


def test_retry_failed__failed_ones_only__leaves_the_stopped_ones_stopped() -> None:
    job = stopped_halfway()
    assert (job.succeeded, job.failed, job.cancelled) == (1, 1, 2)

    with organization_scope(job.organization_id):
        with pytest.raises(Conflict):
            services.retry_failed(actor=SYSTEM, job=job, choice=RetryChoice(stopped=False, codes=["other"]))
        assert services.retry_failed(actor=SYSTEM, job=job, choice=RetryChoice(stopped=False)) == 1
    assert run_batch_pump() == 1

    job = reload(job)
    assert (job.status, job.stop_reason) == (JobStatus.CANCELLED, StopReason.REQUESTED)
    assert (job.succeeded, job.failed, job.cancelled) == (1, 1, 2)
    assert [item.round for item in items_of(job)] == [0, 1]


def test_retry_failed__stopped_ones_only__leaves_the_failed_ones_failed() -> None:
    job = stopped_halfway()

    with organization_scope(job.organization_id):
        assert services.retry_failed(actor=SYSTEM, job=job, choice=RetryChoice(failed=False)) == 2
        assert reload(job).failed == 1
    assert run_batch_pump() == 2

    job = reload(job)
    assert (job.status, job.succeeded, job.failed) == (JobStatus.COMPLETED, 3, 1)
    with organization_scope(job.organization_id):
        assert UsageKey.objects.count() == 3
        assert BatchItem.objects.filter(status=ItemStatus.FAILED, round=0).count() == 1


def test_retry__by_the_button_of_a_reason__runs_those_rows(client: Client) -> None:
    job = stopped_halfway()
    with organization_scope(job.organization_id):
        project = job.project
        client.force_login(owner_of(project.organization))
        address = f"/{project.organization.slug}/{project.slug}/batches/{job.public_id}/"
    shown = client.get(address).content.decode()
    assert 'name="code" value="variable_invalid"' in shown
    assert "1 failed row" in shown

    assert client.post(f"{address}retry/", {"code": "variable_invalid"}).status_code == 302

    job = reload(job)
    assert (job.status, job.failed, job.cancelled, job.claimable) == (JobStatus.IN_PROGRESS, 0, 0, 1)


def test_chosen_numbers__by_what_came_out__are_those_rows() -> None:
    job = make_batch(rows=4)
    run_batch_pump()
    with organization_scope(job.organization_id):
        for number, parsed in (
            (1, {"confidence": 0.2}),
            (2, {"confidence": 0.9}),
            (3, {"confidence": "0.1"}),
        ):
            BatchItem.objects.filter(batch=job, number=number).update(parsed=parsed)
        BatchItem.objects.filter(batch=job, number=4).update(matches=False)

        assert chosen_numbers(job, RowChoice(field="confidence", below=0.5)) == [1]
        assert chosen_numbers(job, RowChoice(match="differs")) == [4]
        assert chosen_numbers(job, RowChoice(status="failed")) == []
        assert chosen_numbers(job, RowChoice(score_below=3)) == []
        with pytest.raises(InvalidRequest):
            RowChoice().check()


def test_pump__an_organization_with_a_limit_of_runs__never_has_more_in_flight() -> None:
    job = make_batch(rows=6, options=BatchOptions(concurrency=6))
    with organization_scope(job.organization_id):
        Organization.objects.filter(pk=job.organization_id).update(concurrent_runs=2)

    assert run_batch_pump() == 6

    job = reload(job)
    assert (job.succeeded, job.failed) == (6, 0)
    with organization_scope(job.organization_id):
        assert not BatchItem.objects.filter(attempts__gt=1).exists()


def test_notify__who_started_it_alone__gets_a_mail_of_its_pause_and_end(
    mailoutbox: list[EmailMessage],
) -> None:
    project = make_project()
    owner = owner_of(project.organization)
    actor = Actor(kind="user", id=owner.pk, role="owner", display=owner.display_name)
    job = make_batch(project=project, rows=3, actor=actor, options=BatchOptions(notify=True, sample_rows=1))
    with organization_scope(project.organization_id):
        services.pause_batch(actor=actor, job=job)
        services.resume_batch(actor=actor, job=job)
    assert mailoutbox == []

    run_batch_pump()
    with organization_scope(project.organization_id):
        services.cancel_batch(actor=actor, job=job)

    assert [sent.subject.split(":")[0] for sent in mailoutbox] == ["Paused", "Stopped"]
    assert [sent.to for sent in mailoutbox] == [[owner.email]] * 2
    assert job.public_id in mailoutbox[0].body


def test_pages__pause_go_on_and_change__by_forms(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    job = make_batch(project=project, rows=3, options=BatchOptions(cost_cap=Decimal(1)))
    room = f"/{project.organization.slug}/{project.slug}/batches/"
    address = f"{room}{job.public_id}/"

    assert "Pause 1 batch?" in client.get(f"{room}pause/?id={job.public_id}").content.decode()
    assert client.post(f"{address}pause/").status_code == 302
    assert "No row starts until" in client.get(address).content.decode()
    assert client.post(f"{address}resume/").status_code == 302
    shown = client.get(f"{address}control/")
    form = {"priority": "1", "concurrency": "3", "cost_cap": "0.5", "deadline": ""}
    assert "How it runs" in shown.content.decode()
    assert client.post(f"{address}control/", form | {"concurrency": "0"}).status_code == 422
    assert client.post(f"{address}control/", form).status_code == 302

    changed = reload(job)
    assert (changed.status, changed.priority, changed.concurrency) == (JobStatus.IN_PROGRESS, 1, 3)
    assert (changed.cost_cap, changed.expires_at) == (Decimal("0.5"), job.expires_at)


def test_change_batch__while_its_rows_are_on_their_way__is_refused() -> None:
    job = make_batch(rows=1)
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(status=JobStatus.VALIDATING)
    with pytest.raises(Conflict) as refused:
        change(job, priority=1)

    assert refused.value.code == "batch_validating"


def test_sweep__a_batch_whose_rule_can_not_be_read__keeps_no_other_one_waiting() -> None:
    broken, other = make_batch(rows=1), make_batch(rows=1)
    with organization_scope(broken.organization_id):
        BatchJob.objects.filter(pk=broken.pk).update(rerun_due=True, rerun_rule={"where": 1})
    with organization_scope(other.organization_id):
        BatchJob.objects.filter(pk=other.pk).update(expires_at=timezone.now() - timedelta(hours=1))

    sweep()

    assert reload(other).status == JobStatus.EXPIRED
