"""Changing how a batch runs while it waits or runs: order, speed, money, times."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.models import LARGEST_CONCURRENCY, BatchJob, JobStatus, Priority
from apps.batches.services.ringing import ring_pump
from apps.batches.services.telling import tell
from apps.batches.services.timing import window_of
from apps.core.errors import Conflict, InvalidRequest


class Unchanged(Enum):
    """Stands for a value that is not given, where None means something."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
_AUDITED: Final = ("priority", "concurrency", "cost_cap", "start_at", "expires_at", "status")


@dataclass(frozen=True, slots=True)
class BatchChanges:
    """What is to be different; None leaves a value as it is. `start_at` None means now.

    `cost_cap` is in USD over the whole batch, all rounds together.
    """

    priority: int | None = None
    concurrency: int | None = None
    cost_cap: Decimal | None = None
    start_at: datetime | Unchanged | None = UNCHANGED
    deadline: datetime | None = None


def change_batch(*, actor: Actor, job: BatchJob, changes: BatchChanges) -> BatchJob:
    """Change a batch that has not ended; holds for the next claim of a row. Returns it as it stands now.

    Raises Conflict ``batch_ended``, ``batch_validating`` while its rows are on their way, ``batch_started``
    for a start time when rows may have been run;
    InvalidRequest ``priority_invalid``, ``concurrency_invalid``, ``cost_cap_absent``, ``cost_cap_too_low``,
    ``start_at_invalid``, ``deadline_invalid``.
    """
    locked = BatchJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.is_terminal or locked.status == JobStatus.CANCELLING:
        message = f"This batch can't be changed any more: {locked.get_status_display().lower()}."
        raise Conflict(message, code="batch_ended")
    if locked.status == JobStatus.VALIDATING:
        # It starts as it was asked for: what would be changed here would be forgotten.
        message = "The rows of this batch are on their way; change it once they are there."
        raise Conflict(message, code="batch_validating")
    before = {name: getattr(locked, name) for name in _AUDITED}
    _change_order(locked, changes)
    if changes.cost_cap is not None:
        _change_cap(locked, changes.cost_cap)
    _change_times(locked, changes)
    after = {name: getattr(locked, name) for name in _AUDITED}
    changed = {
        name: (_plain(before[name]), _plain(after[name])) for name in _AUDITED if before[name] != after[name]
    }
    if changed:
        locked.save(update_fields=list(_AUDITED))
        record(
            actor=actor,
            action="batch.changed",
            target=locked,
            organization_id=locked.organization_id,
            changes=changed,
        )
        _let_begin(locked, before["status"], actor)
    return locked


def _let_begin(job: BatchJob, before: str, actor: Actor) -> None:
    """Ring for a batch that starts now, or that may have more calls in flight."""
    if job.status != JobStatus.IN_PROGRESS:
        return
    if before == JobStatus.SCHEDULED:
        tell("started", job, actor)
    ring_pump()


def _change_order(job: BatchJob, changes: BatchChanges) -> None:
    if changes.priority is not None:
        check_priority(changes.priority)
        job.priority = changes.priority
    if changes.concurrency is not None:
        check_concurrency(changes.concurrency)
        job.concurrency = changes.concurrency


def check_priority(priority: int) -> None:
    """Raise InvalidRequest for what is not one of `models.Priority`."""
    if priority not in Priority.values:
        message = "Priority is -1 (low), 0 (normal) or 1 (high)."
        raise InvalidRequest(message, code="priority_invalid", param="priority")


def check_concurrency(concurrency: int) -> None:
    """Raise InvalidRequest for a number of calls that can't be in flight at once."""
    if not 1 <= concurrency <= LARGEST_CONCURRENCY:
        message = f"Concurrency is a number from 1 to {LARGEST_CONCURRENCY}."
        raise InvalidRequest(message, code="concurrency_invalid", param="concurrency")


def _change_cap(job: BatchJob, cost_cap: Decimal) -> None:
    if job.cost_cap is None:
        # Its calls may not carry the limit of output that a cap needs.
        message = "This batch was started without a cost cap and can't get one."
        raise InvalidRequest(message, code="cost_cap_absent", param="cost_cap")
    # The lock keeps every claim away, so what is set aside can't grow meanwhile.
    least = job.cost_used + job.cost_reserved
    if cost_cap < least or cost_cap <= 0:
        message = (
            f"${least.normalize():f} are spent or set aside for calls in flight; the cap can't be lower."
        )
        raise InvalidRequest(message, code="cost_cap_too_low", param="cost_cap")
    job.cost_cap = cost_cap


def _change_times(job: BatchJob, changes: BatchChanges) -> None:
    now = timezone.now()
    if changes.start_at is not UNCHANGED and changes.start_at != job.start_at:
        if job.status != JobStatus.SCHEDULED:
            raise Conflict("This batch has started already.", code="batch_started", param="start_at")
        length = job.expires_at - (job.start_at or job.created_at)
        begins = changes.start_at if changes.start_at and changes.start_at > now else now
        window = window_of(changes.start_at, changes.deadline or begins + length, now)
        job.start_at, job.expires_at = window.start_at, window.expires_at
        job.status = JobStatus.SCHEDULED if window.start_at else JobStatus.IN_PROGRESS
    elif changes.deadline is not None:
        waits_for = job.start_at if job.status == JobStatus.SCHEDULED else None
        job.expires_at = window_of(waits_for, changes.deadline, now).expires_at


def _plain(value: Any) -> Any:
    return (
        str(value)
        if isinstance(value, Decimal)
        else value.isoformat()
        if isinstance(value, datetime)
        else value
    )
