"""What the cron process does for background runs: whatever a dead pump or a flushed Redis left."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.lease_metrics import LEASE_RECLAIMS
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope
from apps.runs.background import events
from apps.runs.background.ringing import ring_pumps
from apps.runs.models import BackgroundPump, BackgroundRun, BackgroundStatus
from apps.runs.types import RunError

AT_ONCE: Final = 500
KEPT: Final = timedelta(days=30)
"""The run tells the rest; of one that never began nothing is left then."""

EXPIRED: Final = RunError(
    code="run_expired", type="api_error", message="No worker could carry the run out within 24 hours."
)

logger = get_logger(__name__)

_TAKE_BACK: Final = """
WITH lost AS (
    SELECT id FROM runs_backgroundrun WHERE status = 'running' AND lease_expires_at < now()
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE runs_backgroundrun AS run
SET status = 'queued', fence = run.fence + 1, lease_owner = NULL, lease_expires_at = NULL
FROM lost WHERE run.id = lost.id
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    leases: int
    ended: int
    rung: int


def sweep() -> Swept:
    """Take back expired leases, end what waited too long or was cancelled, ring pumps that are missing."""
    leases = take_back_leases()
    LEASE_RECLAIMS.labels("background_run").inc(leases)
    ended = end_waiting()
    with system_scope():
        BackgroundPump.objects.filter(expires_at__lt=Now()).delete()
        rung = ring_pumps()
    swept = Swept(leases, ended, rung)
    if swept != Swept(0, 0, 0):
        logger.info("background.swept", extra={name: getattr(swept, name) for name in Swept.__slots__})
    return swept


def take_back_leases() -> int:
    """Put runs whose lease has run out back in line, with a new fence; returns how many."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"limit": AT_ONCE})
        return int(cursor.rowcount)


def end_waiting() -> int:
    """End runs that waited past their day, and those whose holder died after somebody cancelled them."""
    with system_scope():
        waiting = BackgroundRun.all_organizations.filter(status=BackgroundStatus.QUEUED)
        expired = waiting.filter(expires_at__lt=Now())
        cancelled = waiting.filter(cancel_requested_at__isnull=False)
        found = list(expired.union(cancelled).values_list("organization_id", "id")[:AT_ONCE])
    return sum(_end(*row) for row in found)


def purge() -> int:
    """Delete what ended 30 days ago; returns how many."""
    deleted = 0
    while True:
        with system_scope():
            old = BackgroundRun.all_organizations.filter(finished_at__lt=timezone.now() - KEPT)
            chosen = list(old.order_by("finished_at").values_list("pk", flat=True)[:AT_ONCE])
            BackgroundRun.all_organizations.filter(pk__in=chosen).delete()
        deleted += len(chosen)
        if len(chosen) < AT_ONCE:
            return deleted


def _end(organization_id: UUID, run_id: UUID) -> bool:
    with organization_scope(organization_id):
        rows = BackgroundRun.objects.select_for_update(no_key=True, skip_locked=True)
        run = rows.filter(pk=run_id, status=BackgroundStatus.QUEUED).first()
        if run is None:
            return False
        run.status = BackgroundStatus.CANCELLED
        if run.cancel_requested_at is None:
            run.status = BackgroundStatus.FAILED
            run.error_code, run.error_type, run.error_message = EXPIRED.code, EXPIRED.type, EXPIRED.message
        run.finished_at, run.sealed_request, run.fence = timezone.now(), None, run.fence + 1
        run.save()
        events.tell(run)
        return True
