"""Stopping a job: claims end at once, calls in flight get a few seconds, finished work stays."""

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus, StopReason
from apps.core.errors import Conflict


def cancel_batch(*, actor: Actor, job: BatchJob) -> BatchJob:
    """Ask a job to stop; returns it as it stands now. Asking again changes nothing.

    Raises Conflict ``batch_ended`` for a job that has ended.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.is_terminal:
        message = f"This batch has ended already: {locked.get_status_display().lower()}."
        raise Conflict(message, code="batch_ended")
    if locked.status != JobStatus.CANCELLING:
        stop_job(locked, StopReason.REQUESTED)
        record(
            actor=actor,
            action="batch.cancel_requested",
            target=locked,
            organization_id=locked.organization_id,
            changes={"status": (JobStatus.IN_PROGRESS, JobStatus.CANCELLING)},
        )
    return locked


def stop_job(job: BatchJob, reason: StopReason) -> None:
    """Let nothing more of a locked job be claimed. Pump or sweeper end it within seconds."""
    job.status = JobStatus.CANCELLING
    job.stop_reason = reason
    job.cancelling_at = timezone.now()
    job.save(update_fields=["status", "stop_reason", "cancelling_at"])
