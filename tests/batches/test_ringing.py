"""How many pumps are called for, and which rings count."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from apps.batches.models import BatchJob, Pump
from apps.batches.services import keep_rings, ring_pumps
from apps.batches.services.ringing import PUMP_JOB
from apps.batches.services.starting import BatchOptions
from apps.core import queue
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from tests.factories import make_batch

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
