"""How an OpenAI batch stands: its own row and its job's, told in OpenAI's words. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.batches.models import BatchJob, JobStatus, StopReason
from apps.batches.openai_models import OpenAIBatch, OpenAIBatchStatus

_WAITING: Final = frozenset({JobStatus.VALIDATING, JobStatus.SCHEDULED})
_RUNNING: Final = frozenset({JobStatus.IN_PROGRESS, JobStatus.PAUSED})
_OF_JOB_STOPPED: Final = {
    StopReason.REQUESTED: OpenAIBatchStatus.CANCELLED,
    StopReason.EXPIRED: OpenAIBatchStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """OpenAI's status, and since when; times that did not come are None."""

    status: str
    expires_at: datetime
    finalizing_at: datetime | None = None
    cancelling_at: datetime | None = None


def standing(batch: OpenAIBatch, job: BatchJob | None) -> Standing:
    """How a batch stands; `job` is None before there is one, and after it was deleted."""
    if job is None:
        return Standing(batch.status, batch.expires_at, cancelling_at=batch.cancelling_at)
    # It may have been stopped, or its deadline moved, on our own pages.
    stopped_at = job.cancelling_at if job.stop_reason == StopReason.REQUESTED else None
    return Standing(
        batch.status if batch.has_ended else _status_of(job),
        job.expires_at,
        job.completed_at,
        batch.cancelling_at or stopped_at,
    )


def final_status(job: BatchJob) -> OpenAIBatchStatus:
    """The word that a batch whose job has ended ends with.

    What nobody asked for and no deadline did, a used-up quota, is a failure: its reason stands in `errors`.
    """
    if not job.stop_reason:
        return OpenAIBatchStatus.COMPLETED
    return _OF_JOB_STOPPED.get(StopReason(job.stop_reason), OpenAIBatchStatus.FAILED)


def _status_of(job: BatchJob) -> str:
    if job.status in _WAITING:
        return "validating"
    if job.status in _RUNNING:
        return "in_progress"
    # Calls in flight come to their end, or the answers are being written to files.
    return "cancelling" if job.stop_reason == StopReason.REQUESTED else "finalizing"
