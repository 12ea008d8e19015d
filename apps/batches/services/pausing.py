"""Pausing and going on. Claims end at once; calls in flight come to their end and are kept."""

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus, PauseReason
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.core.errors import Conflict


def pause_batch(*, actor: Actor, job: BatchJob) -> BatchJob:
    """Start no further row of a running batch; returns it as it stands. Asking again changes nothing.

    Raises Conflict ``batch_not_running`` for one that does not run.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.status == JobStatus.PAUSED:
        return locked
    if locked.status != JobStatus.IN_PROGRESS:
        message = f"Only a running batch can be paused; this one is {locked.get_status_display().lower()}."
        raise Conflict(message, code="batch_not_running")
    pause_job(locked, PauseReason.REQUESTED, actor)
    return locked


def resume_batch(*, actor: Actor, job: BatchJob) -> BatchJob:
    """Let a paused batch go on, with all of its rows if it was a sample.

    Raises Conflict ``batch_not_paused``.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.status != JobStatus.PAUSED:
        message = f"This batch is not paused, but {locked.get_status_display().lower()}."
        raise Conflict(message, code="batch_not_paused")
    reason = locked.pause_reason
    if reason == PauseReason.SAMPLE:
        locked.claim_limit = None
    locked.status = JobStatus.IN_PROGRESS
    locked.pause_reason, locked.paused_at = PauseReason.NONE, None
    locked.save(update_fields=["status", "pause_reason", "paused_at", "claim_limit"])
    record(
        actor=actor,
        action="batch.resumed",
        target=locked,
        organization_id=locked.organization_id,
        changes={"status": (JobStatus.PAUSED, locked.status), "pause_reason": (reason, "")},
    )
    tell("resumed", locked, actor)
    ring_pump()
    return locked


def pause_job(job: BatchJob, reason: PauseReason, actor: Actor) -> None:
    """Pause a locked job that is in progress."""
    before = job.status
    job.status = JobStatus.PAUSED
    job.pause_reason = reason
    job.paused_at = timezone.now()
    job.save(update_fields=["status", "pause_reason", "paused_at"])
    record(
        actor=actor,
        action="batch.paused",
        target=job,
        organization_id=job.organization_id,
        changes={"status": (before, job.status), "pause_reason": ("", reason)},
    )
    tell("paused", job, actor)
