"""Calling for a worker to go on with an OpenAI batch. The rows are the truth: a lost ring is made up for."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.batches.models import TERMINAL_STATUSES, BatchJob
from apps.batches.openai_models import OpenAIBatch, OpenAIBatchStatus
from apps.core.queue import enqueue
from apps.core.scope import system_scope

JOB: Final = "apps.batches.jobs.advance_openai_batch"
JOB_SECONDS: Final = 3_600
RING_AGAIN: Final = timedelta(seconds=60)
"""A ring that nobody has heard by then is lost; one too many ends at once."""


def ring_worker(batch_id: UUID) -> None:
    """Ask a worker to go on with a batch, after the commit."""
    enqueue(JOB, str(batch_id), queue="bulk", timeout=JOB_SECONDS)


def ring_waiting() -> int:
    """Ring again for batches that a worker should have gone on with; returns how many.

    Those whose file waits to be checked, and those whose job has ended but not their answers' files.
    """
    long_ago = timezone.now() - RING_AGAIN
    with system_scope():
        rows = OpenAIBatch.all_organizations.filter(rung_at__lt=long_ago)
        waiting = set(rows.filter(status=OpenAIBatchStatus.VALIDATING).values_list("pk", flat=True))
        running = list(rows.filter(status=OpenAIBatchStatus.IN_PROGRESS).values_list("pk", flat=True))
        jobs = BatchJob.all_organizations.filter(pk__in=running)
        open_jobs = jobs.exclude(status__in=TERMINAL_STATUSES)
        waiting |= set(running) - set(open_jobs.values_list("pk", flat=True))
        OpenAIBatch.all_organizations.filter(pk__in=waiting).update(rung_at=timezone.now())
        for batch_id in sorted(waiting):
            ring_worker(batch_id)
    return len(waiting)
