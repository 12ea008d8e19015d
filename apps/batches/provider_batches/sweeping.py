"""What the cron process does for provider batches every five seconds: begins them, and rings for due steps.

Safe to run in several processes at once; a ring that Redis loses is repeated.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.batches.models import BatchJob, BatchVariant
from apps.batches.provider_batches.waiting import OVER_LIMITS
from apps.batches.provider_batches.work import times
from apps.batches.provider_models import ProviderBatch
from apps.core.queue import enqueue
from apps.core.scope import organization_scope, system_scope
from apps.providers.queries import effective_credentials

ADVANCE_JOB: Final = "apps.batches.provider_batches.jobs.advance_one"
JOB_SECONDS: Final = 1_800
RINGS_AT_ONCE: Final = 20
RING_SECONDS: Final = 30

# Jobs with rows that wait for a provider's batch and none that is being filled.
_WITHOUT: Final = """
SELECT job.organization_id, job.id, wanted.variant
FROM batches_batchjob AS job CROSS JOIN LATERAL generate_series(0, job.variant_count - 1) AS wanted(variant)
WHERE job.status = 'in_progress' AND job.delivery = 'provider_batch' AND job.pending > 0
  AND NOT EXISTS (
    SELECT 1 FROM batches_providerbatch AS ours
    WHERE ours.organization_id = job.organization_id AND ours.batch_id = job.id
      AND ours.variant = wanted.variant AND (ours.state = 'preparing' OR ours.state = 'failed'
          AND ours.error_code = ANY(%(over_limits)s) AND ours.finished_at > %(cooled)s)
  ) AND (
    job.next_number <= least(job.total, coalesce(job.claim_limit, job.total)) OR EXISTS (
        SELECT 1 FROM batches_batchitem AS item
        WHERE item.organization_id = job.organization_id AND item.batch_id = job.id
          AND item.status = 'pending' AND NOT item.direct
          AND mod(item.number - 1, job.variant_count) = wanted.variant
    )
  )
ORDER BY job.id, wanted.variant LIMIT 100
"""

_HURRY: Final = """
UPDATE batches_providerbatch AS ours SET next_step_at = now()
FROM batches_batchjob AS job
WHERE job.organization_id = ours.organization_id AND job.id = ours.batch_id
  AND job.status = 'cancelling' AND job.stop_reason IN ('requested', 'expired')
  AND ours.next_step_at > now() AND ours.cancel_sent_at IS NULL AND ours.attempts = 0
  AND ours.finished_at IS NULL
"""

_RING: Final = """
UPDATE batches_providerbatch SET rung_at = now()
WHERE id IN (
    SELECT id FROM batches_providerbatch
    WHERE next_step_at <= now() AND (worker_until IS NULL OR worker_until < now())
      AND (rung_at IS NULL OR rung_at < %(rung)s)
    ORDER BY next_step_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
) RETURNING id
"""


def sweep() -> int:
    """Begin batches that are missing and ring for those that are due; returns how many were rung for."""
    for organization_id, job_id, variant in _missing():
        begin(organization_id, job_id, variant)
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_HURRY)
        since = timezone.now() - timedelta(seconds=RING_SECONDS)
        cursor.execute(_RING, {"rung": since, "limit": RINGS_AT_ONCE})
        due = [row[0] for row in cursor.fetchall()]
        for batch_id in due:
            enqueue(ADVANCE_JOB, str(batch_id), queue="bulk", timeout=JOB_SECONDS)
    return len(due)


def begin(organization_id: UUID, job_id: UUID, variant: int) -> ProviderBatch | None:
    """A new provider batch to be filled with a variant's rows; None where there is one already."""
    try:
        with organization_scope(organization_id), transaction.atomic():
            job = BatchJob.objects.get(id=job_id)
            chosen = BatchVariant.objects.filter(batch=job, position=variant).first()
            model = chosen.model if chosen is not None else job.model
            name = model.partition("/")[0]
            ids = {each.name: each.id for each in effective_credentials(job.project_id)}
            return ProviderBatch.objects.create(
                organization_id=organization_id,
                batch=job,
                variant=variant,
                connection_id=ids.get(name),
                connection=name,
                model=model,
                next_step_at=timezone.now(),
            )
    except IntegrityError:
        return None


def _missing() -> list[tuple[UUID, UUID, int]]:
    cooled = timezone.now() - timedelta(seconds=times().cooldown)
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_WITHOUT, {"over_limits": sorted(OVER_LIMITS), "cooled": cooled})
        return list(cursor.fetchall())
