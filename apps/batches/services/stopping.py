"""Stopping a job: claims end at once, calls in flight get a few seconds, finished work stays."""

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus, PauseReason, StopReason
from apps.batches.services.finishing import end_if_idle
from apps.core.errors import Conflict


def cancel_batch(*, actor: Actor, job: BatchJob) -> BatchJob:
    """Ask a job to stop, whether it runs, waits or is paused; returns it as it stands now.

    One with nothing in flight has ended on return. Asking again changes nothing.

    Raises Conflict ``batch_ended`` for a job that has ended.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.is_terminal:
        message = f"This batch has ended already: {locked.get_status_display().lower()}."
        raise Conflict(message, code="batch_ended")
    if locked.status != JobStatus.CANCELLING:
        before = locked.status
        stop_job(locked, StopReason.REQUESTED)
        record(
            actor=actor,
            action="batch.cancel_requested",
            target=locked,
            organization_id=locked.organization_id,
            changes={"status": (before, JobStatus.CANCELLING)},
        )
        end_if_idle(locked)
    return locked


def stop_job(job: BatchJob, reason: StopReason) -> None:
    """Let nothing more of a locked job be claimed. Pump or sweeper end it within seconds."""
    job.status = JobStatus.CANCELLING
    job.stop_reason = reason
    job.cancelling_at = timezone.now()
    job.pause_reason, job.paused_at = PauseReason.NONE, None
    job.save(update_fields=["status", "stop_reason", "cancelling_at", "pause_reason", "paused_at"])
