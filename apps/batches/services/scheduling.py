"""Starting what was scheduled, when its time has come."""

from uuid import UUID

from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.audit.services import record
from apps.batches.models import BatchJob, JobStatus
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.core.scope import organization_scope


def start_scheduled(organization_id: UUID, job_id: UUID) -> bool:
    """Start a scheduled batch whose time has come; True for the one caller that did. Opens its own scope."""
    with organization_scope(organization_id):
        due = BatchJob.objects.filter(status=JobStatus.SCHEDULED, start_at__lte=timezone.now(), id=job_id)
        job = due.select_for_update(no_key=True).first()
        if job is None:
            return False
        job.status = JobStatus.IN_PROGRESS
        job.save(update_fields=["status"])
        record(
            actor=SYSTEM,
            action="batch.started",
            target=job,
            organization_id=organization_id,
            changes={"status": (JobStatus.SCHEDULED, job.status)},
        )
        tell("started", job, SYSTEM)
        ring_pump()
        return True
