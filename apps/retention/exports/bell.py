"""Ringing for exports, and ending what is over. The rows are the truth: what Redis lost is rung for again."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core import queue
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope
from apps.retention.exports.standing import facts_of
from apps.retention.exports.writing import drop_parts, work_off
from apps.retention.models import UNDER_WAY, ExportState, OrganizationExport

JOB: Final = "apps.retention.jobs.export"
# A part takes a few seconds: whoever was silent for that long is gone, or waits.
SILENCE: Final = timedelta(seconds=25)
AT_ONCE: Final = 100
MOST_FAILURES: Final = 5

logger = get_logger(__name__)


def ring(export: OrganizationExport) -> None:
    """Ring a worker once the transaction commits."""
    queue.enqueue(JOB, str(export.pk), queue="bulk")


def answer(export_id: UUID, seconds: float) -> None:
    """Work on an export for some seconds, and ring for a successor while there is more to do.

    After five attempts in a row that broke off, the export has failed.
    """
    try:
        more = work_off(export_id, seconds)
    except Exception:
        logger.exception("export.part_failed", extra={"export_id": str(export_id)})
        _count_failure(export_id)
        return
    if more:
        queue.enqueue(JOB, str(export_id), queue="bulk")


def sweep() -> int:
    """Ring for exports that nobody works on, and end those that are over; returns how many were found."""
    now = timezone.now()
    with system_scope():
        waiting = OrganizationExport.all_organizations.filter(
            state__in=UNDER_WAY, touched_at__lt=now - SILENCE
        ).order_by("touched_at")
        silent = list(waiting.values_list("pk", flat=True)[:AT_ONCE])
        for export_id in silent:
            queue.enqueue(JOB, str(export_id), queue="bulk")
        ready = OrganizationExport.all_organizations.filter(state=ExportState.READY).order_by("touched_at")
        looked_at = list(ready.values_list("organization_id", "pk")[:AT_ONCE])
    return len(silent) + sum(_end_if_over(*each) for each in looked_at)


def _end_if_over(organization_id: UUID, export_id: UUID) -> bool:
    with organization_scope(organization_id):
        rows = OrganizationExport.objects.select_for_update(skip_locked=True)
        export = rows.filter(pk=export_id, state=ExportState.READY).first()
        if export is None:
            return False
        export.touched_at = timezone.now()
        state = facts_of([export]).state_of(export)
        if state != export.state:
            export.state = state
            drop_parts(export)
        export.save(update_fields=["state", "touched_at"])
        return state != ExportState.READY


def _count_failure(export_id: UUID) -> None:
    with system_scope():
        mine = OrganizationExport.all_organizations.filter(pk=export_id, state__in=UNDER_WAY)
        mine.update(failures=F("failures") + 1, touched_at=timezone.now())
        mine.filter(failures__gte=MOST_FAILURES).update(state=ExportState.FAILED, ended_at=timezone.now())
