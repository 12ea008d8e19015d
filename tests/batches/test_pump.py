"""The pump on a real database with a real engine and the sandbox."""

import asyncio
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.models import BatchItem, BatchJob, BatchVariant, ItemStatus, JobStatus, Pump, StopReason
from apps.batches.pump import Times
from apps.batches.pumping import run_pump
from apps.batches.services import ring_pump
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep
from apps.billing.models import UsageEvent
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.runs.models import Run
from tests.batches.support import QUICK, in_thread, items_of, reload, run_batch_pump, until, wait_until
from tests.factories import make_batch, make_connection, make_content, make_project, make_quota
from tests.factories.batches import add_items
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = {"sandbox_latency_ms": 300}


def runs_and_usage(job: BatchJob) -> tuple[int, int]:
    with organization_scope(job.organization_id):
        return Run.objects.count(), UsageEvent.objects.count()


def test_pump__a_started_batch__every_row_has_one_result_and_one_usage_record() -> None:
    job = make_batch(rows=20)

    assert run_batch_pump() == 20

    job = reload(job)
    assert (job.status, job.succeeded, job.pending, job.running) == (JobStatus.COMPLETED, 20, 0, 0)
    assert (job.matched, job.compared) == (20, 20)
    items = items_of(job)
    assert {item.status for item in items} == {ItemStatus.SUCCEEDED}
    assert sum(item.cost or 0 for item in items) == job.cost_used > 0
    assert runs_and_usage(job) == (20, 20)
    assert Pump.objects.count() == 1  # the ring of the start; run_batch_pump's own is gone


def test_pump__a_ring_that_was_swept_away__does_nothing() -> None:
    make_batch(rows=2)
    pump_id = ring()
    Pump.objects.update(expires_at="2020-01-01T00:00:00Z")
    sweep()

    assert asyncio.run(run_pump(pump_id, QUICK)) == 0


def test_pump__rows_that_are_refused__fail_alone_with_their_reason() -> None:
    declared = ({"name": "stars", "type": "number", "required": True},)
    rows = [RowValues({"stars": value}, None, {}) for value in (1, None, "many")]
    job = make_batch(rows=rows, content=make_content("{{ stars }}", variables=declared))

    run_batch_pump()

    assert [item.error_code for item in items_of(job)] == ["", "variable_missing", "variable_invalid"]
    assert runs_and_usage(job) == (1, 1)
    assert reload(job).status == JobStatus.COMPLETED


def test_pump__a_provider_that_fails__fails_the_rows_and_charges_nothing() -> None:
    job = make_batch(rows=2, options=BatchOptions(model="sandbox/unheard-of"))

    run_batch_pump()

    assert [item.status for item in items_of(job)] == [ItemStatus.FAILED] * 2
    assert runs_and_usage(job) == (2, 0)


def test_pump__the_quota_ends__stops_the_batch_and_keeps_what_is_done(fake_provider: FakeProvider) -> None:
    project = make_project()
    make_quota(organization=project.organization, cap=3)
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    job = make_batch(
        project=project,
        rows=8,
        content=make_content(),
        options=BatchOptions(model="local/echo", concurrency=1),
    )

    run_batch_pump()
    sweep()

    job = reload(job)
    assert (job.status, job.stop_reason) == (JobStatus.CANCELLED, StopReason.QUOTA)
    assert (job.succeeded, job.cancelled, job.failed) == (3, 5, 0)
    assert (job.cost_unknown, job.cost_used) == (3, Decimal(0))
    assert runs_and_usage(job) == (3, 3)
    assert fake_provider.calls["echo"] == 3


def test_pump__a_capped_job_whose_connection_is_gone__fails_its_rows_and_lets_others_run() -> None:
    project = make_project()
    connection = make_connection(project=project, name="local", models=("*",))
    options = BatchOptions(model="local/echo")
    job = make_batch(project=project, rows=2, content=make_content(), options=options)
    other = make_batch(rows=2)
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(cost_cap=Decimal(1))
        connection.delete()

    run_batch_pump()
    sweep()

    assert (reload(job).status, reload(job).failed) == (JobStatus.COMPLETED, 2)
    assert reload(other).succeeded == 2


def test_pump__two_organizations__both_are_served() -> None:
    jobs = [make_batch(rows=6), make_batch(rows=6)]

    run_batch_pump()

    assert [reload(job).status for job in jobs] == [JobStatus.COMPLETED] * 2


def test_pump__a_sample__pauses_the_job_after_its_rows() -> None:
    job = make_batch(rows=6)
    with organization_scope(job.organization_id):
        BatchJob.objects.update(claim_limit=2, sample_rows=2)

    run_batch_pump()
    sweep()

    job = reload(job)
    assert (job.status, job.pause_reason) == (JobStatus.PAUSED, "sample")
    assert (job.succeeded, job.pending) == (2, 4)


def test_pump__several_variants__are_counted_apart() -> None:
    job = make_batch(rows=3)
    with organization_scope(job.organization_id):
        BatchJob.objects.update(variant_count=2, total=6, pending=6)
        version_id = job.prompt_version_id
        assert version_id is not None
        for position in range(2):
            BatchVariant.objects.create(
                organization_id=job.organization_id,
                batch=job,
                position=position,
                prompt_version_id=version_id,
                version_number=1,
                model=job.model if position == 0 else "sandbox/unheard-of",
            )

    run_batch_pump()

    with organization_scope(job.organization_id):
        counted = BatchVariant.objects.order_by("position").values_list("succeeded", "failed")
        assert list(counted) == [(3, 0), (0, 3)]
    assert [item.status for item in items_of(job)] == [ItemStatus.SUCCEEDED, ItemStatus.FAILED] * 3
    assert (reload(job).succeeded, reload(job).failed) == (3, 3)


def test_pump__a_row_tried_too_often__is_given_up() -> None:
    job = make_batch(rows=2)
    with organization_scope(job.organization_id):
        add_items(job)
        BatchItem.objects.filter(number=1).update(attempts=10)

    run_batch_pump()

    assert [item.error_code for item in items_of(job)] == ["given_up", ""]


def test_cancel__calls_in_flight__are_broken_off_and_not_charged() -> None:
    job = make_batch(rows=6, options=BatchOptions(concurrency=2, parameters={"sandbox_latency_ms": 30_000}))
    pump_id = ring()

    async def work() -> None:
        pumping = asyncio.create_task(run_pump(pump_id, QUICK))
        await until(lambda: reload(job).running > 0)
        await in_thread(lambda: cancel(job))
        await asyncio.wait_for(pumping, timeout=5)

    asyncio.run(work())
    sweep()

    job = reload(job)
    assert (job.status, job.cancelled, job.running) == (JobStatus.CANCELLED, 6, 0)
    assert runs_and_usage(job) == (0, 0)


def test_pump__a_row_taken_away_meanwhile__is_neither_recorded_nor_charged() -> None:
    job = make_batch(rows=1, options=BatchOptions(parameters=SLOW))
    pump_id = ring()

    def take_away() -> None:
        with organization_scope(job.organization_id):
            BatchItem.objects.update(fence=99)

    async def work() -> None:
        pumping = asyncio.create_task(run_pump(pump_id, QUICK))
        await until(lambda: reload(job).running > 0)
        await in_thread(take_away)
        assert await pumping == 0

    asyncio.run(work())

    assert runs_and_usage(job) == (0, 0)
    assert (items_of(job)[0].status, items_of(job)[0].output) == (ItemStatus.RUNNING, "")


def test_sigterm__while_working__gives_rows_back_and_ends() -> None:
    job = make_batch(rows=4, options=BatchOptions(parameters={"sandbox_latency_ms": 30_000}))
    times = Times(idle=0.0, look=0.02, watch=0.05, shutdown=0.1)
    pump_id = ring()

    async def work() -> None:
        pumping = asyncio.create_task(run_pump(pump_id, times))
        await until(lambda: reload(job).running > 0)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(pumping, timeout=5)

    asyncio.run(work())

    job = reload(job)
    assert (job.status, job.pending, job.running) == (JobStatus.IN_PROGRESS, 4, 0)
    assert {item.fence for item in items_of(job)} == {2}


def test_kill__the_process_of_a_pump__loses_and_doubles_nothing(settings: Any) -> None:
    settings.BATCH_LEASE_SECONDS = 1.0
    job = make_batch(rows=40, options=BatchOptions(concurrency=8, parameters=SLOW))
    process = start_process()
    wait_until(lambda: reload(job).succeeded >= 8 and reload(job).running > 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # The leases of the dead process end one by one.
    wait_until(lambda: sweep().leases >= 0 and reload(job).running == 0)

    run_batch_pump()

    job = reload(job)
    assert (job.status, job.succeeded) == (JobStatus.COMPLETED, 40)
    assert runs_and_usage(job) == (40, 40)
    assert max(item.attempts for item in items_of(job)) == 2


def ring() -> UUID:
    with system_scope():
        return ring_pump()


def start_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.batches.pump_process", str(ring()), "1.0"],
        cwd=Path(django_settings.BASE_DIR),
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "promptsaas.settings"},
    )


def cancel(job: BatchJob) -> None:
    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)
