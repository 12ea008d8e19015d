"""Running a pump inside a test: in an event loop of its own, on the test's database."""

import asyncio
from uuid import UUID

from apps.batches.jobs import run_pump
from apps.batches.models import BatchItem, BatchJob, Pump
from apps.batches.pump import Times
from apps.batches.services import ring_pump
from apps.core.scope import organization_scope, system_scope

QUICK = Times(idle=0.0, look=0.02, watch=0.05, stop_grace=0.1, shutdown=0.5)


def run_batch_pump(times: Times = QUICK) -> int:
    """Ring a pump and run it here until it finds nothing more to do; returns the rows it completed."""
    with system_scope():
        pump_id = ring_pump()
    return asyncio.run(run_pump(pump_id, times))


def reload(job: BatchJob) -> BatchJob:
    """The job as the database has it now."""
    with organization_scope(job.organization_id):
        return BatchJob.objects.get(pk=job.pk)


def items_of(job: BatchJob) -> list[BatchItem]:
    """The job's rows in order."""
    with organization_scope(job.organization_id):
        return list(BatchItem.objects.filter(batch=job).order_by("number"))


def pumps() -> list[UUID]:
    """The pumps that count as alive or were left behind."""
    return list(Pump.objects.values_list("id", flat=True))
