"""How fresh the figures are."""

from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Model, QuerySet

from apps.runs.models import UncountedFeedback, UncountedRuns


def rolled_up_until() -> datetime:
    """Up to when the organization's figures are complete: now, or the time of the oldest thing that waits.

    For inside an organization's scope. A run that took long waits under the time at which it began.
    """
    waiting = [_oldest(UncountedRuns.objects.all()), _oldest(UncountedFeedback.objects.all())]
    moments = [_moment_of(row_id) for row_id in waiting if row_id is not None]
    return min([datetime.now(UTC), *moments])


def _oldest(rows: QuerySet[Model]) -> UUID | None:
    # By the key's own index; what waits is little, and old rows of others are few.
    return rows.order_by("pk").values_list("pk", flat=True).first()


def _moment_of(row_id: UUID) -> datetime:
    return datetime.fromtimestamp((row_id.int >> 80) / 1000, UTC)
