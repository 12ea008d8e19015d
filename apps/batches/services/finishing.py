"""The end of a job: exactly once, by whoever comes first."""

from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus, PauseReason, Source, StopReason
from apps.batches.results.failures import count_failures
from apps.batches.services.openai_ringing import ring_worker
from apps.batches.services.pausing import pause_job
from apps.batches.services.scale_ringing import ring_scale_test
from apps.batches.services.telling import tell
from apps.core.logs import get_logger
from apps.core.scope import organization_scope

CHUNK: Final = 5_000
RUNNING: Final = (JobStatus.IN_PROGRESS, JobStatus.PAUSED)

logger = get_logger(__name__)

# The counters move with every item; at the end they are counted once more, so that no slip can stay.
_RECOUNT: Final = """
UPDATE batches_batchjob AS job
SET pending = 0, running = 0, held = 0, succeeded = counted.succeeded, failed = counted.failed,
    cancelled = counted.cancelled + greatest(job.total - job.next_number + 1, 0),
    matched = counted.matched, compared = counted.compared, cost_reserved = 0
FROM (
    SELECT count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE matches) AS matched, count(matches) AS compared
    FROM batches_batchitem WHERE organization_id = %(organization)s AND batch_id = %(job)s
) AS counted
WHERE job.id = %(job)s AND job.organization_id = %(organization)s
"""

_CANCEL_WAITING: Final = """
WITH chosen AS (
    SELECT id FROM batches_batchitem
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'pending'
    ORDER BY number LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), stopped AS (
    UPDATE batches_batchitem AS item SET status = 'cancelled', finished_at = now()
    FROM chosen WHERE item.id = chosen.id RETURNING item.id
)
UPDATE batches_batchjob AS job
SET pending = job.pending - counted.rows, cancelled = job.cancelled + counted.rows
FROM (SELECT count(*) AS rows FROM stopped) AS counted
WHERE job.id = %(job)s AND job.organization_id = %(organization)s AND counted.rows > 0
"""

# Rows that nobody has taken have no item: leaving them out is a matter of counting.
_CANCEL_UNTAKEN: Final = """
UPDATE batches_batchjob
SET pending = pending - (total - next_number + 1), cancelled = cancelled + (total - next_number + 1)
WHERE id = %(job)s AND organization_id = %(organization)s AND next_number <= total
  AND pending = total - next_number + 1
"""


def finish_job(organization_id: UUID, job_id: UUID) -> bool:
    """End a job that has nothing in flight and nothing to start; True for the one caller that ended it.

    A job whose sample is through is paused instead. One that claims no further rows, because a retry chose
    only rows that failed, ends with the others stopped.

    Opens its own scopes: the waiting rows of a stopped job are cancelled in several short ones.
    """
    while True:
        with organization_scope(organization_id):
            job = _lock_ready(job_id)
            if job is None:
                return False
            if job.status == JobStatus.IN_PROGRESS and job.pending and job.sample_rows:
                pause_job(job, PauseReason.SAMPLE, SYSTEM)
                return False
            if not job.pending or _run(_CANCEL_UNTAKEN, job):
                _end(job)
                return True
            if not _run(_CANCEL_WAITING, job, limit=CHUNK):
                logger.error("batches.rows_not_found", extra={"batch": str(job.id), "rows": job.pending})
                return False


def end_if_idle(job: BatchJob) -> bool:
    """End a locked job that is being stopped, if nothing is in flight and no item has to be changed."""
    waiting = max(job.total - job.next_number + 1, 0)
    if job.running or job.pending != waiting or min(job.next_number, job.total) > CHUNK:
        return False
    _run(_CANCEL_UNTAKEN, job)
    _end(job)
    return True


def _lock_ready(job_id: UUID) -> BatchJob | None:
    """The job, locked, if nothing is in flight and, unless it is stopped, nothing left to claim."""
    job = BatchJob.objects.select_for_update(no_key=True).filter(id=job_id).first()
    if job is None or job.running or job.status not in (*RUNNING, JobStatus.CANCELLING):
        return None
    if job.status != JobStatus.CANCELLING and (job.continuous or job.claimable):
        return None
    return None if job.status == JobStatus.PAUSED and job.pending else job


def _end(job: BatchJob) -> None:
    before = job.status
    _run(_RECOUNT, job)
    job.refresh_from_db()
    if job.cancelled and not job.stop_reason:
        # A retry of failed rows alone leaves out what somebody stopped.
        job.stop_reason = StopReason.REQUESTED
    job.status = final_status(job)
    job.rerun_due = bool(job.rerun_rule) and job.status == JobStatus.COMPLETED
    job.completed_at = timezone.now()
    job.failure_groups = count_failures(job)
    job.save(update_fields=["status", "stop_reason", "rerun_due", "completed_at", "failure_groups"])
    record(
        actor=SYSTEM,
        action=f"batch.{job.status}",
        target=job,
        organization_id=job.organization_id,
        changes={
            "status": (before, job.status),
            "succeeded": (None, job.succeeded),
            "failed": (None, job.failed),
        },
    )
    ring_scale_test(job)
    if job.source == Source.FILE:
        # Told of when its answers are there to be fetched.
        ring_worker(job.pk)
    else:
        tell(job.status, job, SYSTEM)


def final_status(job: BatchJob) -> JobStatus:
    """The word that a job ends with: rows that failed do not make a failed job, as with OpenAI."""
    if job.stop_reason == StopReason.EXPIRED:
        return JobStatus.EXPIRED
    return JobStatus.CANCELLED if job.stop_reason else JobStatus.COMPLETED


def _run(statement: str, job: BatchJob, **more: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"job": job.id, "organization": job.organization_id, **more})
        return bool(cursor.rowcount > 0)
