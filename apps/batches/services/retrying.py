"""Running failed and stopped rows once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import (
    COMPLETION_WINDOW,
    BatchItem,
    BatchJob,
    Delivery,
    ItemStatus,
    JobStatus,
    Source,
    StopReason,
)
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.core.errors import Conflict, InvalidRequest
from apps.datasets.row_storage import demand_rows

# A new round is a new usage key: what the last round was charged stays charged, and once only.
_REOPEN: Final = """
WITH again AS (
    UPDATE batches_batchitem
    SET status = 'pending', round = round + 1, attempts = 0, fence = fence + 1, run_id = NULL, output = '',
        output_truncated = FALSE, parsed = NULL, matches = NULL, error_code = '', error_message = '',
        finish_reason = '', input_tokens = NULL, output_tokens = NULL, cost = NULL, cost_status = '',
        latency_ms = NULL, finished_at = NULL, duplicate_of = NULL
    WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = ANY(%(statuses)s)
      AND (%(codes)s::text[] IS NULL OR status = 'cancelled' OR error_code = ANY(%(codes)s))
    RETURNING id
)
SELECT count(*) FROM again
"""


_RECOUNT_VARIANTS: Final = """
UPDATE batches_batchvariant AS variant
SET failed = (
    SELECT count(*) FROM batches_batchitem AS item
    WHERE item.organization_id = variant.organization_id AND item.batch_id = variant.batch_id
      AND item.status = 'failed' AND mod(item.number - 1, %(variants)s) = variant.position
)
WHERE variant.organization_id = %(organization)s AND variant.batch_id = %(job)s
"""


@dataclass(frozen=True, slots=True)
class RetryChoice:
    """Which rows are run once more: those that failed, those that were stopped, or both.

    `codes` narrows the failed ones to some reasons; empty takes every reason.
    """

    failed: bool = True
    stopped: bool = True
    codes: Sequence[str] = ()

    @property
    def statuses(self) -> list[str]:
        """The statuses of the chosen rows."""
        chosen = ((ItemStatus.FAILED, self.failed), (ItemStatus.CANCELLED, self.stopped))
        return [status.value for status, wanted in chosen if wanted]


EVERYTHING: Final = RetryChoice()


def retry_failed(
    *, actor: Actor, job: BatchJob, cost_cap: Decimal | None = None, choice: RetryChoice = EVERYTHING
) -> int:
    """Put the chosen failed and stopped rows of an ended job back in line; returns how many.

    `cost_cap` replaces the job's cap, over all rounds together; None keeps it.
    Raises Conflict ``batch_running`` before the end, ``nothing_to_retry`` when no such row failed or was
    stopped, ``dataset_rows_deleted`` when retention has taken what it ran over, ``batch_of_file`` for the
    requests of an OpenAI batch file;
    InvalidRequest ``cost_cap_used`` when the cap has no room, ``cost_cap_absent`` for a job without a cap.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if not locked.is_terminal:
        raise Conflict("This batch still runs; retry when it has ended.", code="batch_running")
    if locked.source == Source.FILE:
        message = "The answers of this batch stand in its files. Send what failed as a new file."
        raise Conflict(message, code="batch_of_file")
    _raise_cap(locked, cost_cap)
    untaken = max(locked.total - locked.next_number + 1, 0)
    again = _reopen_items(locked, choice)
    rows = again + (untaken if choice.stopped else 0)
    if not rows:
        raise Conflict("No row of this choice failed or was stopped.", code="nothing_to_retry")
    demand_rows(locked.dataset_version)
    before = locked.status
    _reopen_job(locked, again, untaken, takes_untaken=choice.stopped)
    record(
        actor=actor,
        action="batch.retried",
        target=locked,
        organization_id=locked.organization_id,
        changes={"status": (before, locked.status), "rows": (None, rows)} | _told(choice),
    )
    tell("retried", locked, actor)
    ring_pump()
    return rows


def _told(choice: RetryChoice) -> dict[str, tuple[Any, Any]]:
    """What the trail says of a choice that is not everything."""
    told: dict[str, tuple[Any, Any]] = {}
    if choice.statuses != EVERYTHING.statuses:
        told["chosen"] = (None, ", ".join(choice.statuses))
    if choice.codes:
        told["reasons"] = (None, ", ".join(choice.codes))
    return told


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


def _reopen_items(job: BatchJob, choice: RetryChoice) -> int:
    names: dict[str, Any] = {
        "job": job.id,
        "organization": job.organization_id,
        "statuses": choice.statuses,
        "codes": list(choice.codes) or None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN, names)
        rows = int(cursor.fetchone()[0])
        if job.variant_count > 1:
            cursor.execute(_RECOUNT_VARIANTS, names | {"variants": job.variant_count})
        return rows


def _reopen_job(job: BatchJob, again: int, untaken: int, *, takes_untaken: bool) -> None:
    left = BatchItem.objects.filter(batch=job)
    job.status = JobStatus.IN_PROGRESS
    job.stop_reason = StopReason.NONE
    job.pending = again + untaken
    job.failed = left.filter(status=ItemStatus.FAILED).count()
    job.cancelled = left.filter(status=ItemStatus.CANCELLED).count()
    # Without a sample, claims that end before the last row end the job there: see `finishing.finish_job`.
    job.sample_rows = None
    job.claim_limit = None if takes_untaken or not untaken else job.next_number - 1
    # A stream's part that leaves rows out takes no more: they would lie behind those.
    job.continuous = job.continuous and job.claim_limit is None
    job.completed_at = job.cancelling_at = job.content_deleted_at = None
    job.rerun_due = False
    job.expires_at = timezone.now() + COMPLETION_WINDOW * (1 if job.delivery == Delivery.DIRECT else 2)
    if job.deduplicate:
        job.duplicates = left.filter(duplicate_of__isnull=False).count()
    job.save()
