"""What the batch of a step showed, from its own rows."""

from typing import Final

from django.db import connection

from apps.batches.models import BatchJob, JobStatus
from apps.batches.scale_models import ScaleTestStep, StepStatus

# A row's call began its latency before its end: what passed before the first call is not the prompt's doing.
_FIGURES: Final = """
SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed'),
    extract(epoch FROM max(finished_at) - min(
        finished_at - make_interval(secs => coalesce(latency_ms, 0) / 1000.0)))::float8,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms),
    percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms)
FROM batches_batchitem
WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status IN ('succeeded', 'failed')
"""


def measure_step(step: ScaleTestStep, job: BatchJob) -> None:
    """Take the figures of a step from its batch, which has ended, and save them."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"organization": job.organization_id, "job": job.pk})
        row = cursor.fetchone()
    step.succeeded, step.failed = row[0], row[1]
    step.seconds = row[2] or None
    step.latency_p50, step.latency_p95, step.latency_p99 = row[3:]
    step.input_tokens, step.output_tokens = job.input_tokens, job.output_tokens
    step.cost_used, step.cost_unknown = job.cost_used, job.cost_unknown
    ended = job.status == JobStatus.COMPLETED
    step.status = StepStatus.COMPLETED if ended else StepStatus.CANCELLED
    step.save()
