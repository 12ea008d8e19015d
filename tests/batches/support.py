"""Running a pump inside a test: in an event loop of its own, on the test's database."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.db import connections

from apps.batches.models import BatchItem, BatchJob, Pump
from apps.batches.pump import Times
from apps.batches.pumping import run_pump
from apps.batches.services import ring_pump
from apps.core.scope import organization_scope, system_scope

Result = TypeVar("Result")

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


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Poll for what another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


async def in_thread(call: Callable[[], Result]) -> Result:
    """Run a call in a thread whose database connection is closed afterwards."""

    def closing() -> Result:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


async def until(condition: Callable[[], bool]) -> None:
    """`wait_until` for a running loop."""
    await in_thread(lambda: wait_until(condition))
