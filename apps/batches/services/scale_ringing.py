"""Telling a scale test that the batch of one of its steps has ended."""

from typing import Final

from apps.batches.models import BatchJob
from apps.batches.scale_models import ScaleTestStep
from apps.core.queue import enqueue

JOB: Final = "apps.batches.jobs.advance_scale_test"


def ring_scale_test(job: BatchJob) -> None:
    """Ask a worker to go on with the scale test that a batch belongs to, if it does, after the commit."""
    steps = ScaleTestStep.objects.filter(batch_id=job.pk)
    for scale_test_id in steps.values_list("scale_test_id", flat=True):
        enqueue(JOB, str(job.organization_id), str(scale_test_id))
