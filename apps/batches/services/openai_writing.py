"""The end of a batch: what was answered goes to the output file, what was not to that of errors.

One transaction under the lock that checking takes too: a killed worker leaves nothing half written. The
answers pass through memory a few dozen at a time.
"""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.audit.services import record
from apps.batches.models import BatchItem, BatchJob, ItemStatus, StopReason
from apps.batches.openai.answers import SUCCESS, Answered, line
from apps.batches.openai.lines import Problem
from apps.batches.openai.standing import final_status
from apps.batches.openai_models import (
    FilePurpose,
    OpenAIAnswer,
    OpenAIBatch,
    OpenAIBatchStatus,
    OpenAIFile,
)
from apps.batches.services.openai_files import NewFile, store_file
from apps.batches.services.openai_validating import take_lock
from apps.batches.services.telling import tell
from apps.core.scope import organization_scope
from apps.datasets.models import DatasetRow
from apps.runs.models import Run

AT_ONCE: Final = 50
_STOPPED: Final = {
    StopReason.QUOTA: ("quota_exceeded", "The month's quota is used up."),
    StopReason.COST_CAP: ("cost_cap_reached", "The batch's cost cap was reached."),
}


def write_answers(organization_id: UUID, batch_id: UUID) -> bool:
    """Write the files of a batch whose job has ended, and end it; False where there is nothing to do here."""
    with organization_scope(organization_id):
        if not take_lock(batch_id):
            return False
        batch = (
            OpenAIBatch.objects.select_related("project")
            .filter(pk=batch_id, status=OpenAIBatchStatus.IN_PROGRESS)
            .first()
        )
        job = BatchJob.objects.filter(pk=batch_id).first()
        if batch is None or (job is not None and not job.is_terminal):
            return False
        if job is None:
            _end(
                batch, OpenAIBatchStatus.FAILED, [Problem("batch_deleted", "The batch's rows were deleted.")]
            )
        else:
            _write(batch, job)
    return True


def _write(batch: OpenAIBatch, job: BatchJob) -> None:
    status = final_status(job)
    answers = OpenAIAnswer.objects.filter(batch_id=batch.pk)
    good = answers.filter(status_code__gte=SUCCESS.start, status_code__lt=SUCCESS.stop).count()
    # The files are made one after the other, each in a walk through all requests of its own.
    if good:
        batch.output_file_id = _store(batch, job, status, output=True).pk
    if good < job.total:
        batch.error_file_id = _store(batch, job, status, output=False).pk
    runs = Run.objects.filter(source_id=job.pk)
    batch.cached_tokens = runs.aggregate(total=Sum("cached_tokens"))["total"] or 0
    answers.delete()
    stopped = _STOPPED.get(StopReason(job.stop_reason)) if job.stop_reason else None
    _end(batch, status, [Problem(*stopped)] if stopped else [])
    tell(job.status, job, SYSTEM)


def _store(batch: OpenAIBatch, job: BatchJob, status: str, *, output: bool) -> OpenAIFile:
    """One of the two files."""
    lines = (
        line(answered, batch.pk, status)
        for answered in _answered(batch, job)
        if answered.belongs_to_output is output
    )
    kind = "output" if output else "error"
    new = NewFile(f"{batch.public_id}_{kind}.jsonl", FilePurpose.BATCH_OUTPUT, lines, batch.output_seconds)
    return store_file(batch.project, new)


def _answered(batch: OpenAIBatch, job: BatchJob) -> Iterator[Answered]:
    """Every request of the file in its order, run or not."""
    for first in range(1, job.total + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, job.total + 1))
        bounds = {"number__gte": numbers.start, "number__lt": numbers.stop}
        items = {item.number: item for item in BatchItem.objects.filter(batch=job, **bounds)}
        bodies = {each.number: each for each in OpenAIAnswer.objects.filter(batch_id=batch.pk, **bounds)}
        named = DatasetRow.objects.filter(dataset_version_id=job.dataset_version_id, **bounds)
        metadata = dict(named.values_list("number", "metadata"))
        for number in numbers:
            # Retention may have taken the rows of an old file.
            custom_id = metadata.get(number, {}).get("custom_id") or f"row-{number}"
            yield _one(custom_id, number, items.get(number), bodies.get(number))


def _one(custom_id: str, number: int, item: BatchItem | None, body: OpenAIAnswer | None) -> Answered:
    if item is None:
        return Answered(custom_id, number)
    return Answered(
        custom_id=custom_id,
        number=number,
        run_id=item.run_id or (body.run_id if body else None),
        status_code=body.status_code if body else None,
        body=bytes(body.body) if body else b"",
        succeeded=item.status == ItemStatus.SUCCEEDED,
        error_code=item.error_code,
        error_message=item.error_message,
    )


def _end(batch: OpenAIBatch, status: OpenAIBatchStatus, problems: list[Problem]) -> None:
    before, batch.status = batch.status, status
    batch.errors = [problem.as_json() for problem in problems]
    batch.ended_at = timezone.now()
    batch.save(
        update_fields=["status", "errors", "ended_at", "output_file_id", "error_file_id", "cached_tokens"]
    )
    record(
        actor=SYSTEM,
        action=f"openai_batch.{status}",
        target=batch,
        organization_id=batch.organization_id,
        changes={"status": (before, status)},
    )
