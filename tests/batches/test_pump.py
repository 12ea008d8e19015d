"""The pump on a real database with a real engine and the sandbox."""

import pytest

from apps.batches.models import ItemStatus, JobStatus
from apps.billing.models import UsageEvent
from apps.core.scope import organization_scope
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import make_batch

pytestmark = pytest.mark.django_db(transaction=True)


def test_pump__a_started_batch__every_row_has_one_result_and_one_usage_record() -> None:
    job = make_batch(rows=20)

    assert run_batch_pump() == 20

    job = reload(job)
    assert (job.status, job.succeeded, job.pending, job.running) == (JobStatus.COMPLETED, 20, 0, 0)
    assert {item.status for item in items_of(job)} == {ItemStatus.SUCCEEDED}
    with organization_scope(job.organization_id):
        assert UsageEvent.objects.count() == 20
