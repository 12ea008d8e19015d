"""Ringing for erasures. The rows are the truth: what Redis lost is rung for again."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.core import queue
from apps.core.scope import system_scope
from apps.retention.erasure.plan import steps_of
from apps.retention.erasure.requests import JOB
from apps.retention.erasure.work import work_off
from apps.retention.models import ErasureRequest

# A chunk takes a second or so: whoever was silent for that long is gone, or waits.
SILENCE: Final = timedelta(seconds=25)
RUNG_AT_ONCE: Final = 100


def answer(request_id: UUID, seconds: float) -> None:
    """Work on a request for some seconds, and ring for a successor while there is more to do."""
    if work_off(request_id, steps_of, seconds):
        queue.enqueue(JOB, str(request_id), queue="bulk")


def ring_due() -> int:
    """Ring for every request that is due and that nobody has touched lately; returns how many."""
    now = timezone.now()
    with system_scope():
        due = ErasureRequest.all_organizations.filter(
            Q(touched_at__lt=now - SILENCE) | Q(touched_at__lt=F("execute_after")),
            ended_at__isnull=True,
            execute_after__lte=now,
        )
        found = list(due.order_by("execute_after").values_list("pk", flat=True)[:RUNG_AT_ONCE])
        for request_id in found:
            queue.enqueue(JOB, str(request_id), queue="bulk")
    return len(found)
