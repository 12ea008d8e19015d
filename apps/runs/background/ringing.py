"""Calling for pumps: as many as the waiting runs have use for."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from apps.core import queue
from apps.core.ids import uuid7
from apps.runs.models import BackgroundPump

PUMP_JOB: Final = "apps.runs.jobs.pump"
QUEUE: Final = "interactive"
JOB_SECONDS: Final = 1_500
"""Longer than a pump's longest life and its drain; a pump ends by itself."""

RING_SECONDS: Final = 10
"""How long a ring counts as a pump; then Redis has lost it, or every worker is busy, and it is rung again."""

SLOTS: Final = 64
"""Runs that one pump carries out at a time."""

MOST_PUMPS: Final = 8

_RING_FIRST: Final = """
INSERT INTO runs_backgroundpump (id, expires_at, slots)
SELECT %(id)s, now() + make_interval(secs => %(seconds)s), %(slots)s
WHERE NOT EXISTS (SELECT FROM runs_backgroundpump WHERE expires_at > now() AND slots > 0)
RETURNING id
"""
_WAITING: Final = """
SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FROM (
    SELECT status FROM runs_backgroundrun WHERE status = 'queued' LIMIT %(most)s
) AS queued
UNION ALL
SELECT 0, count(*) FROM runs_backgroundrun WHERE status = 'running'
"""


def ring_unless_pumping() -> None:
    """Ring the first pump after the commit; where one lives it finds the new run within a quarter second."""
    pump_id = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(_RING_FIRST, {"id": pump_id, "seconds": RING_SECONDS, "slots": SLOTS})
        rung = cursor.fetchone() is not None
    if rung:
        _call(pump_id)


def ring_pumps() -> int:
    """Ring the pumps that waiting runs have use for; returns how many. Call it in the system scope."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"most": SLOTS * MOST_PUMPS})
        (waiting, _), (_, running) = cursor.fetchall()
    if not waiting:
        return 0
    alive = list(BackgroundPump.objects.filter(expires_at__gt=Now()).values_list("slots", flat=True))
    wanted = -(-(int(waiting) + int(running)) // SLOTS) - sum(1 for slots in alive if slots)
    rings = max(0, min(wanted, MOST_PUMPS - len(alive)))
    for _ in range(rings):
        ring_pump()
    return rings


def ring_pump() -> UUID:
    """Ring one pump after the commit."""
    pump_id = uuid7()
    BackgroundPump.objects.create(id=pump_id, expires_at=Now() + timedelta(seconds=RING_SECONDS), slots=SLOTS)
    _call(pump_id)
    return pump_id


def _call(pump_id: UUID) -> None:
    queue.enqueue(PUMP_JOB, str(pump_id), queue=QUEUE, timeout=JOB_SECONDS)
