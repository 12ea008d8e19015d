"""RQ and cron entry points."""

import asyncio
import signal
from typing import Final
from uuid import UUID

import uvloop
from django.conf import settings
from django.db.models.functions import Now

from apps.core.scope import system_scope
from apps.runs import cache_entries
from apps.runs.background import sweeping
from apps.runs.background.executing import request_of
from apps.runs.background.leases import BackgroundCompanion, Claim, LeaseStore
from apps.runs.background.pump import Pump, Times
from apps.runs.background.ringing import ring_pumps
from apps.runs.models import BackgroundPump
from apps.runs.runtime import Runtime, open_runtime

LEASE_SECONDS: Final = 15.0
PURGES_AT_MOST: Final = 50


def pump(pump_id: str) -> int:
    """Carry out waiting background runs; returns how many. SIGTERM makes it hand over and end."""
    if not BackgroundPump.objects.filter(pk=pump_id, started_at=None, expires_at__gt=Now()).exists():
        return 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_pump(UUID(pump_id)))


def sweep() -> None:
    """Every five seconds, in the cron process: see `sweeping.sweep`."""
    sweeping.sweep()


def purge() -> None:
    """Every hour: see `sweeping.purge`."""
    sweeping.purge()


def purge_cache_entries() -> None:
    """Every minute: delete entries of the semantic cache that have expired, are too many or may not be kept.

    Two at a time take different rows.
    """
    for _ in range(PURGES_AT_MOST):
        with system_scope():
            deleted = cache_entries.purge()
        if not deleted:
            return


async def run_pump(pump_id: UUID, times: Times | None = None) -> int:
    """Run a pump in the running loop with an engine of its own."""
    claims: dict[UUID, Claim] = {}
    async with open_runtime([BackgroundCompanion(claims)]) as runtime:
        working = _pump(runtime, pump_id, claims, times or Times())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.stop)
        try:
            await working.run()
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    return working.completed


def lease_seconds() -> float:
    """How long a claim holds without a heartbeat."""
    return float(getattr(settings, "BACKGROUND_LEASE_SECONDS", LEASE_SECONDS))


def _pump(runtime: Runtime, pump_id: UUID, claims: dict[UUID, Claim], times: Times) -> Pump:
    return Pump(
        store=LeaseStore(runtime.pool, pump_id, lease_seconds()),
        execute=runtime.engine.execute,
        prepare=lambda claim: runtime.calls.run(lambda: request_of(claim)),
        ring=lambda: runtime.calls.run(_ring),
        claims=claims,
        times=times,
    )


def _ring() -> None:
    with system_scope():
        ring_pumps()
