"""Running failed and stopped rows once more."""

from decimal import Decimal
from typing import Final

from django.db import connection
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import COMPLETION_WINDOW, BatchJob, JobStatus, StopReason
from apps.batches.services.ringing import ring_pump
from apps.core.errors import Conflict, InvalidRequest
from apps.datasets.row_storage import demand_rows

# A new round is a new usage key: what the last round was charged stays charged, and once only.
_REOPEN: Final = """
WITH again AS (
    UPDATE batches_batchitem
    SET status = 'pending', round = round + 1, attempts = 0, fence = fence + 1, run_id = NULL, output = '',
        output_truncated = FALSE, parsed = NULL, matches = NULL, error_code = '', error_message = '',
        finish_reason = '', input_tokens = NULL, output_tokens = NULL, cost = NULL, cost_status = '',
        latency_ms = NULL, finished_at = NULL
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status IN ('failed', 'cancelled')
    RETURNING id
)
SELECT count(*) FROM again
"""


def retry_failed(*, actor: Actor, job: BatchJob, cost_cap: Decimal | None = None) -> int:
    """Put every failed and stopped row of an ended job back in line; returns how many.

    `cost_cap` replaces the job's cap, over all rounds together; None keeps it.
    Raises Conflict ``batch_running`` before the end, ``nothing_to_retry`` when no row failed or was stopped,
    ``dataset_rows_deleted`` when retention has taken what it ran over;
    InvalidRequest ``cost_cap_used`` when the cap has no room, ``cost_cap_absent`` for a job without a cap.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if not locked.is_terminal:
        raise Conflict("This batch still runs; retry when it has ended.", code="batch_running")
    if not locked.failed + locked.cancelled:
        raise Conflict("No row failed or was stopped.", code="nothing_to_retry")
    demand_rows(locked.dataset_version)
    _raise_cap(locked, cost_cap)
    untaken = max(locked.total - locked.next_number + 1, 0)
    rows = _reopen_items(locked) + untaken
    before = locked.status
    _reopen_job(locked, rows)
    record(
        actor=actor,
        action="batch.retried",
        target=locked,
        organization_id=locked.organization_id,
        changes={"status": (before, locked.status), "rows": (None, rows)},
    )
    ring_pump()
    return rows


def _raise_cap(job: BatchJob, cost_cap: Decimal | None) -> None:
    if cost_cap is not None:
        if job.cost_cap is None:
            # Its calls may not carry the limit of output that a cap needs.
            message = "This batch was started without a cost cap and can't get one."
            raise InvalidRequest(message, code="cost_cap_absent", param="cost_cap")
        job.cost_cap = cost_cap
    if job.cost_cap is not None and job.cost_cap <= job.cost_used:
        raise InvalidRequest(
            "The cost cap is used up; give a higher one.", code="cost_cap_used", param="cost_cap"
        )


def _reopen_items(job: BatchJob) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN, {"job": job.id, "organization": job.organization_id})
        return int(cursor.fetchone()[0])


def _reopen_job(job: BatchJob, rows: int) -> None:
    job.status = JobStatus.IN_PROGRESS
    job.stop_reason = StopReason.NONE
    job.pending = rows
    job.failed = job.cancelled = 0
    job.claim_limit = None
    job.completed_at = job.cancelling_at = job.content_deleted_at = None
    job.expires_at = timezone.now() + COMPLETION_WINDOW
    job.save()
