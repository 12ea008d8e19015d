"""Calling for pumps: as many as the waiting rows have use for, and no more."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.batches.claims import IN_FLIGHT, PUMPABLE
from apps.batches.models import Pump
from apps.core.ids import uuid7
from apps.core.queue import enqueue

PUMP_JOB: Final = "apps.batches.jobs.pump"
JOB_SECONDS: Final = 2_400
"""Longer than a pump's longest life and its drain; a pump ends by itself."""

RING_SECONDS: Final = 10
"""How long a ring counts as a pump; then Redis has lost it, or every worker is busy, and it is rung again."""

SLOTS: Final = 64
"""Calls in flight that a pump of their own is worth; one that is alone keeps more: BATCH_PUMP_SLOTS."""

MOST_PUMPS: Final = 16

# Calls that there is use for, running ones too: with a second pump they are shared out anew.
_DEMAND: Final = f"""
SELECT coalesce(sum(claimable), 0),
       coalesce(sum(least(concurrency, ceil((claimable + running)::numeric / rows_per_call))), 0)
FROM (
    SELECT {PUMPABLE} AS claimable, {IN_FLIGHT} AS running, concurrency,
           coalesce((work ->> 'rows_per_call')::integer, 1) AS rows_per_call
    FROM batches_batchjob AS job WHERE status = 'in_progress'
) AS open
"""


def ring_pumps() -> int:
    """Ring the pumps that the waiting rows of all organizations have use for; returns how many.

    Opens no scope: call it in the system scope. Rings go out after the commit.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DEMAND)
        claimable, demand = cursor.fetchone()
    if not claimable:
        return 0
    alive = list(Pump.objects.filter(expires_at__gt=timezone.now()).values_list("slots", flat=True))
    wanted = -(-int(demand) // SLOTS) - sum(1 for slots in alive if slots)
    rings = max(0, min(wanted, MOST_PUMPS - len(alive)))
    for _ in range(rings):
        ring_pump()
    return rings


def keep_rings(waiting: int | None) -> None:
    """Let rings count on while `waiting` jobs in the queue may be all of them: its workers are busy.

    Opens no scope: call it in the system scope.
    """
    now = timezone.now()
    rings = Pump.objects.filter(started_at=None, expires_at__gt=now)
    if waiting and waiting >= rings.count():
        rings.update(expires_at=now + timedelta(seconds=RING_SECONDS))


def ring_pump() -> UUID:
    """Ring one pump after the commit."""
    now = timezone.now()
    pump = Pump.objects.create(
        id=uuid7(),
        rung_at=now,
        expires_at=now + timedelta(seconds=RING_SECONDS),
        slots=settings.BATCH_PUMP_SLOTS,
    )
    enqueue(PUMP_JOB, str(pump.id), timeout=JOB_SECONDS)
    return pump.id
