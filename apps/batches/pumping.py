"""A pump with everything it stands on, in the running event loop."""

import asyncio
import signal
from contextlib import suppress
from typing import Final
from uuid import UUID

from django.conf import settings

from apps.batches.capping import WorstCases
from apps.batches.claims import JobFacts
from apps.batches.completion import BatchCompanion, Call
from apps.batches.leases import LeaseStore
from apps.batches.pacing import FindHealth, Paces
from apps.batches.processes import process_name
from apps.batches.pump import Pump, Times
from apps.batches.services.finishing import finish_job
from apps.batches.services.ringing import PUMP_JOB, ring_pumps
from apps.batches.shapes import shape_of
from apps.core import queue, tallies
from apps.core.errors import PromptsaasError
from apps.core.scope import system_scope
from apps.providers.health import ConnectionHealth
from apps.runs.runtime import Runtime, open_runtime
from apps.runs.types import RunRequest

LEASE_SECONDS: Final = 15.0
PREPARED_AFTER: Final = 5
"""How often a statement is sent before its plan is kept."""


async def run_pump(pump_id: UUID, times: Times | None = None) -> int:
    """Run a pump that was rung, with an engine of its own; returns how many rows it completed."""
    calls: dict[UUID, Call] = {}
    companion = BatchCompanion(calls)
    async with tallies.gathering(), open_runtime([companion]) as runtime:
        costs = WorstCases(runtime.calls)
        working = Pump(
            store=_store(runtime, pump_id),
            execute=lambda request, call: call.carry_out(runtime.engine, request),
            prepare=costs.prepare,
            worst_case=costs.worst_case,
            finish=lambda organization, job: runtime.calls.run(lambda: _finish(organization, job)),
            ring=lambda: runtime.calls.run(_ring),
            others_wait=lambda: runtime.calls.run(lambda: queue.others_wait(PUMP_JOB)),
            shape_of=shape_of,
            calls=calls,
            over=companion.over,
            paces=Paces(_find_health(runtime)),
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


def _store(runtime: Runtime, pump_id: UUID) -> LeaseStore:
    threshold = PREPARED_AFTER if settings.DATABASE_PREPARED_STATEMENTS else None
    return LeaseStore(runtime.pool, pump_id, lease_seconds(), process_name(), threshold)


def _find_health(runtime: Runtime) -> FindHealth:
    """Where a job's rows go first; a connection that can't be opened is for its rows to tell."""

    async def find(job: JobFacts) -> tuple[ConnectionHealth, ...]:
        asking = RunRequest(
            run_id=job.id,
            organization_id=job.organization_id,
            project_id=job.project_id,
            source="batch",
            usage_key="",
            livemode=job.livemode,
        )
        found: dict[int, ConnectionHealth] = {}
        for model in {variant.model for variant in job.variants if variant.model}:
            with suppress(PromptsaasError):
                health = (await runtime.targets.open(asking, model)).health
                if health is not None:
                    found[id(health)] = health
        return tuple(found.values())

    return find


def _finish(organization_id: UUID, job_id: UUID) -> None:
    finish_job(organization_id, job_id)


def _ring() -> None:
    with system_scope():
        ring_pumps()
