"""How many pumps are called for, and which rings count."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from apps.batches.models import BatchItem, BatchJob, Pump
from apps.batches.processes import process_name
from apps.batches.services import keep_rings, ring_pumps
from apps.batches.services.ringing import PUMP_JOB
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import forget_dead_pumps, take_back_leases
from apps.core import queue
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from tests.factories import make_batch
from tests.factories.batches import add_items

pytestmark = pytest.mark.django_db


def test_ring_pumps__one_pump_that_has_taken_all_it_may__rings_as_many_as_the_batch_is_worth() -> None:
    job = make_batch(rows=250, options=BatchOptions(concurrency=200))
    Pump.objects.update(started_at=timezone.now())
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(running=200, pending=50)

    with system_scope():
        assert ring_pumps() == 3  # 64 calls each
        assert ring_pumps() == 0


@pytest.mark.parametrize(("waiting", "kept"), [(None, 1), (0, 1), (1, 1), (2, 2)])
def test_keep_rings__as_many_as_the_queue_may_hold__count_on(waiting: int | None, kept: int) -> None:
    soon, later = timezone.now() + timedelta(seconds=1), timezone.now() + timedelta(minutes=1)
    Pump.objects.create(id=uuid7(), slots=8, expires_at=soon)
    Pump.objects.create(id=uuid7(), slots=8, expires_at=later)
    Pump.objects.create(id=uuid7(), slots=8, expires_at=timezone.now() - timedelta(seconds=1))

    with system_scope():
        keep_rings(waiting)

    assert Pump.objects.filter(expires_at__gt=timezone.now() + timedelta(seconds=5)).count() == kept


@pytest.mark.django_db(transaction=True)
def test_others_wait__only_for_other_work_than_pumps() -> None:
    queue.get_queue("bulk").delete(delete_jobs=True)
    with transaction.atomic():
        queue.enqueue(PUMP_JOB, "1", queue="bulk")
    assert not queue.others_wait(PUMP_JOB, "bulk")

    with transaction.atomic():
        queue.enqueue("apps.datasets.jobs.purge", queue="bulk")
    assert queue.others_wait(PUMP_JOB, "bulk")


def test_forget_dead_pumps__a_process_that_has_ended_here__gives_its_rows_back_at_once() -> None:
    job = make_batch(rows=3)
    with organization_scope(job.organization_id):
        items = add_items(job)
    later = timezone.now() + timedelta(minutes=1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = process_name()
    pumps = {
        name: Pump.objects.create(
            id=uuid7(), slots=8, started_at=timezone.now(), expires_at=later, process=process
        )
        for name, process in (
            ("alive", here),
            ("dead", f"{here.rpartition(':')[0]}:{gone.pid}"),
            ("elsewhere", f"another-host:1:{gone.pid}"),
        )
    }
    with organization_scope(job.organization_id):
        for item, pump in zip(items, pumps.values(), strict=True):
            item.status, item.lease_owner, item.lease_expires_at = "running", pump.id, later
            item.save()
        BatchJob.objects.filter(pk=job.pk).update(pending=0, running=3)

    assert forget_dead_pumps() == 1
    assert take_back_leases() == 1

    with organization_scope(job.organization_id):
        assert [item.status for item in BatchItem.objects.order_by("number")] == [
            "running",
            "pending",
            "running",
        ]
    assert set(Pump.objects.filter(started_at__isnull=False)) == {pumps["alive"], pumps["elsewhere"]}
