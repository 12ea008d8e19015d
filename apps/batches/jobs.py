"""RQ and cron entry points."""

import asyncio
import os
import signal
import socket
from uuid import UUID

import uvloop
from django.conf import settings

from apps.batches import sweeping
from apps.batches.capping import WorstCases
from apps.batches.completion import BatchCompanion, Call
from apps.batches.leases import LeaseStore
from apps.batches.pump import Pump, Times
from apps.batches.services import finish_job, purge_unused_rows, ring_pumps, sweep_preparations
from apps.batches.services.openai_advancing import advance
from apps.batches.services.openai_files import purge_expired_files
from apps.batches.services.openai_ringing import ring_waiting
from apps.batches.services.preparing_work import JOB as PREPARE_JOB
from apps.batches.services.preparing_work import JOB_SECONDS, work_off
from apps.batches.shapes import shape_of
from apps.core import queue
from apps.core.scope import system_scope
from apps.runs.runtime import open_runtime

LEASE_SECONDS = 15.0
PREPARING_SECONDS = 60.0


def pump(pump_id: str) -> int:
    """Run a pump that was rung; returns how many rows it completed. SIGTERM makes it hand over and end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_pump(UUID(pump_id)))


def sweep() -> None:
    """Every five seconds, in the cron process: see `sweeping.sweep`."""
    sweeping.sweep()


def advance_openai_batch(batch_id: str) -> bool:
    """Check the file of an OpenAI batch, or write its answers; whether anything was due."""
    return advance(UUID(batch_id))


def sweep_openai_batches() -> None:
    """Every quarter of a minute, in the cron process: ring for OpenAI batches whose ring was lost."""
    ring_waiting()


def purge_openai_files() -> None:
    """Every ten minutes: forget files of `/v1/files` that have expired."""
    purge_expired_files()


def prepare_rows(preparation_id: str) -> None:
    """Take rows for a batch that was rung for; rings for itself again while there is more to do."""
    if work_off(UUID(preparation_id), PREPARING_SECONDS):
        queue.enqueue(PREPARE_JOB, preparation_id, queue="bulk", timeout=JOB_SECONDS)


def sweep_rows() -> None:
    """Every fifteen seconds, in the cron process: ring for rows that nobody takes."""
    sweep_preparations()


def purge_rows() -> None:
    """Every hour: give up rows that were taken for batches which nobody started."""
    purge_unused_rows()


async def run_pump(pump_id: UUID, times: Times | None = None) -> int:
    """Run a pump in the running loop with an engine of its own."""
    calls: dict[UUID, Call] = {}
    companion = BatchCompanion(calls)
    async with open_runtime([companion]) as runtime:
        costs = WorstCases(runtime.calls)
        working = Pump(
            store=LeaseStore(runtime.pool, pump_id, lease_seconds(), f"{socket.gethostname()}:{os.getpid()}"),
            execute=lambda request, call: call.carry_out(runtime.engine, request),
            prepare=costs.prepare,
            worst_case=costs.worst_case,
            finish=lambda organization, job: runtime.calls.run(lambda: _finish(organization, job)),
            ring=lambda: runtime.calls.run(_ring),
            shape_of=shape_of,
            calls=calls,
            over=companion.over,
            times=times or Times(),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.stop)
        try:
            await working.run()
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    return working.refused + companion.completed


def lease_seconds() -> float:
    """How long a claim holds without a heartbeat."""
    return float(getattr(settings, "BATCH_LEASE_SECONDS", LEASE_SECONDS))


def _finish(organization_id: UUID, job_id: UUID) -> None:
    finish_job(organization_id, job_id)


def _ring() -> None:
    with system_scope():
        ring_pumps()
