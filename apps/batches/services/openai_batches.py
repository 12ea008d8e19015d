"""Batches of `/v1/batches`: asked for, cancelled. Checking the file and writing the answers is a worker's."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import COMPLETION_WINDOW, BatchJob
from apps.batches.openai_models import Endpoint, FilePurpose, OpenAIBatch, OpenAIBatchStatus, OpenAIFile
from apps.batches.services.openai_ringing import ring_worker
from apps.batches.services.stopping import cancel_batch
from apps.core.errors import Conflict, InvalidRequest
from apps.tenants.models import Project


@dataclass(frozen=True, slots=True)
class AskedBatch:
    """What a batch is asked for with. `output_seconds` is how long its answers are kept."""

    input_file: OpenAIFile
    endpoint: Endpoint
    metadata: dict[str, str] | None
    output_seconds: int | None
    livemode: bool
    api_key_id: UUID | None


def create_openai_batch(*, actor: Actor, project: Project, asked: AskedBatch) -> OpenAIBatch:
    """Accept a batch over a file; a worker checks the file and starts it. Raises InvalidRequest."""
    if asked.input_file.purpose != FilePurpose.BATCH:
        raise InvalidRequest(
            "The input file of a batch has the purpose 'batch'.",
            code="invalid_purpose",
            param="input_file_id",
        )
    batch = OpenAIBatch.objects.create(
        organization_id=project.organization_id,
        project=project,
        endpoint=asked.endpoint,
        input_file_id=asked.input_file.pk,
        metadata=asked.metadata,
        output_seconds=asked.output_seconds,
        livemode=asked.livemode,
        api_key_id=asked.api_key_id,
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.display[:254],
        started_by_role=actor.role[:255],
        expires_at=timezone.now() + COMPLETION_WINDOW,
    )
    batch.expires_at = batch.created_at + COMPLETION_WINDOW
    batch.save(update_fields=["expires_at"])
    record(
        actor=actor,
        action="openai_batch.created",
        target=batch,
        organization_id=project.organization_id,
        changes={"endpoint": (None, batch.endpoint), "file": (None, asked.input_file.public_id)},
    )
    ring_worker(batch.pk)
    return batch


def cancel_openai_batch(*, actor: Actor, batch: OpenAIBatch) -> OpenAIBatch:
    """Ask a batch to stop; asking again changes nothing. Calls in flight get a few seconds.

    Raises Conflict ``batch_ended`` for one that has ended, or has only its answers left to be written.
    """
    locked = OpenAIBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if locked.has_ended:
        raise Conflict(f"Cannot cancel a batch with status '{locked.status}'.", code="batch_ended")
    if locked.cancelling_at is not None:
        return locked
    job = BatchJob.objects.filter(pk=locked.pk).first()
    locked.cancelling_at = timezone.now()
    if job is None:
        locked.status = OpenAIBatchStatus.CANCELLED
        locked.ended_at = locked.cancelling_at
        record(
            actor=actor,
            action="openai_batch.cancelled",
            target=locked,
            organization_id=locked.organization_id,
            changes={"status": (OpenAIBatchStatus.VALIDATING, OpenAIBatchStatus.CANCELLED)},
        )
    else:
        cancel_batch(actor=actor, job=job)
    locked.save(update_fields=["cancelling_at", "status", "ended_at"])
    return locked
