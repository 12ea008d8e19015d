"""Reads of provider batches. Call inside the organization's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.batches.models import BatchJob, Delivery
from apps.batches.provider_models import AT_PROVIDER, ProviderBatch, ProviderState

MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class AtProvider:
    """What of a job lies at its provider, or is on its way there; one query.

    `batches` and `rows` are those that the provider has, `sent_at` when it got the first of them, `answered`
    what it says is finished, `gathering` the rows that are being prepared. `problem` is what the newest step
    that failed said, if that is not over.
    """

    listed: Sequence[ProviderBatch]
    batches: int
    rows: int
    answered: int
    gathering: bool
    sent_at: datetime | None
    problem: str


def provider_batches_of(job: BatchJob) -> list[ProviderBatch]:
    """A job's provider batches, oldest first; none for a job of direct calls."""
    if job.delivery == Delivery.DIRECT:
        return []
    return list(ProviderBatch.objects.filter(batch=job).order_by("id")[:MOST_SHOWN])


def at_provider(job: BatchJob) -> AtProvider | None:
    """How a job stands at its provider; None for a job of direct calls."""
    if job.delivery == Delivery.DIRECT:
        return None
    listed = provider_batches_of(job)
    there = [batch for batch in listed if batch.state in AT_PROVIDER]
    troubled = [batch for batch in listed if batch.error_message and not batch.is_final]
    return AtProvider(
        listed=listed,
        batches=len(there),
        rows=sum(batch.requests for batch in there),
        answered=sum(min(batch.answered + batch.failed, batch.requests) for batch in there),
        gathering=any(batch.state in (ProviderState.PREPARING, ProviderState.UPLOADING) for batch in listed),
        sent_at=min((batch.submitted_at for batch in there if batch.submitted_at), default=None),
        problem=troubled[-1].error_message if troubled else "",
    )
