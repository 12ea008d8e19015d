"""The row of a provider's batch: who works on it, how far it is. Synchronous; call it in a thread.

Whoever carries out a step holds the row by a token for a minute at a time. Nothing is saved without it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.batches.models import BatchJob, JobStatus, StopReason
from apps.batches.provider_models import ProviderBatch
from apps.batches.services.stopping import stop_job
from apps.core.errors import NotFound
from apps.core.scope import organization_scope, system_scope
from apps.providers import queries as provider_queries
from apps.providers.types import Connection

KNOWN_FOR: Final = timedelta(days=3)
_CANCELS: Final = frozenset({StopReason.REQUESTED, StopReason.EXPIRED})


class LeaseLost(Exception):
    """Somebody else works on the batch by now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a job's state means for its rows at a provider.

    `stopping`: nothing more is sent; `cancels`: what is at the provider is called off as well; `paused`: what
    is not sent yet waits. `waiting` rows are neither at a provider nor through.
    """

    stopping: bool
    cancels: bool
    paused: bool
    waiting: int


def take(batch_id: UUID, token: UUID, seconds: float) -> ProviderBatch | None:
    """Begin to work on a batch that is due; None where there is nothing to do, or somebody else does it."""
    now = timezone.now()
    with system_scope():
        free = Q(worker_until__isnull=True) | Q(worker_until__lt=now)
        due = ProviderBatch.all_organizations.filter(free, id=batch_id, next_step_at__lte=now)
        batch = due.select_for_update(skip_locked=True, no_key=True).first()
        if batch is None:
            return None
        batch.worker, batch.worker_until = token, now + timedelta(seconds=seconds)
        batch.save(update_fields=["worker", "worker_until"])
    return batch


def keep(batch: ProviderBatch, token: UUID, seconds: float) -> bool:
    """Go on holding a batch; False where it is lost."""
    until = timezone.now() + timedelta(seconds=seconds)
    with organization_scope(batch.organization_id):
        return bool(ProviderBatch.objects.filter(id=batch.id, worker=token).update(worker_until=until))


def save(batch: ProviderBatch, token: UUID, changes: dict[str, Any]) -> None:
    """Write changes of the row, and show them in `batch`. Raises LeaseLost."""
    with organization_scope(batch.organization_id):
        if not ProviderBatch.objects.filter(id=batch.id, worker=token).update(**changes):
            raise LeaseLost
    for name, value in changes.items():
        setattr(batch, name, value)


def count_recorded(batch: ProviderBatch, token: UUID, rows: int) -> None:
    """Add to the rows that have a result. Raises LeaseLost."""
    with organization_scope(batch.organization_id):
        ours = ProviderBatch.objects.filter(id=batch.id, worker=token)
        if not ours.update(recorded=F("recorded") + rows):
            raise LeaseLost
    batch.recorded += rows


def delete(batch: ProviderBatch, token: UUID) -> None:
    """Forget a batch that never held a row."""
    with organization_scope(batch.organization_id):
        ProviderBatch.objects.filter(id=batch.id, worker=token).delete()


def let_go(batch: ProviderBatch, token: UUID, seconds: float | None) -> None:
    """Stop working on a batch, whose next step is due in so many seconds, or never."""
    at = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
    with organization_scope(batch.organization_id):
        ours = ProviderBatch.objects.filter(id=batch.id, worker=token)
        ours.update(worker=None, worker_until=None, rung_at=None, next_step_at=at)


def standing(batch: ProviderBatch) -> Standing:
    """How the job stands."""
    with organization_scope(batch.organization_id):
        job = BatchJob.objects.get(id=batch.batch_id)
    stopping = job.is_terminal or job.status == JobStatus.CANCELLING
    cancels = stopping and job.stop_reason in _CANCELS
    return Standing(stopping, cancels, job.status == JobStatus.PAUSED, job.pending)


def stop(batch: ProviderBatch, reason: StopReason) -> None:
    """Let nothing more of the job begin."""
    with organization_scope(batch.organization_id):
        job = BatchJob.objects.select_for_update(no_key=True).get(id=batch.batch_id)
        if job.status == JobStatus.IN_PROGRESS:
            stop_job(job, reason)


def connection_of(batch: ProviderBatch, project_id: UUID) -> Connection | None:
    """The connection as it is now; None for one that was deleted."""
    with organization_scope(batch.organization_id):
        try:
            return provider_queries.load_connection(project_id, batch.connection)
        except NotFound:
            return None


def known_ids(batch: ProviderBatch) -> Collection[str]:
    """The provider's ids of the organization's other batches of late, and those that were not ours."""
    since = timezone.now() - KNOWN_FOR
    with organization_scope(batch.organization_id):
        others = ProviderBatch.objects.filter(created_at__gte=since).exclude(external_id="")
        return {*others.exclude(id=batch.id).values_list("external_id", flat=True), *batch.not_ours}
