"""Reads across rooms for the home page. Everything runs inside the organization's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Q, Sum

from apps.batches.models import TERMINAL_STATUSES, BatchJob
from apps.prompts.models import LabelMove, Prompt
from apps.runs.models import Run, RunSource, RunStatus
from apps.runs.queries import first_id_of
from apps.tenants.models import APIKey

RECENT = 6


@dataclass(frozen=True)
class Activity:
    """What happened on one day: calls, the failed ones, and what the priced ones cost in US dollars."""

    runs: int
    failed: int
    cost: Decimal
    unpriced: int
    sandbox: int


@dataclass(frozen=True)
class Progress:
    """Which first steps a project has taken."""

    prompt: Prompt | None
    has_batch: bool
    has_key: bool
    has_call: bool

    @property
    def done(self) -> int:
        """How many of the steps are done."""
        return sum((self.prompt is not None, self.has_batch, self.has_key, self.has_call))

    @property
    def total(self) -> int:
        """How many steps there are."""
        return 4

    @property
    def current(self) -> str:
        """The first step that is not done, "" when all are."""
        steps = {"prompt": self.prompt, "batch": self.has_batch, "key": self.has_key, "call": self.has_call}
        return next((name for name, done in steps.items() if not done), "")

    @property
    def complete(self) -> bool:
        """Whether nothing is left to show."""
        return self.done == self.total


def progress_of(project_id: UUID) -> Progress:
    """Return the first steps of a project, from what exists and not from what was clicked."""
    keys = APIKey.objects.filter(project_id=project_id)
    return Progress(
        prompt=Prompt.objects.filter(project_id=project_id).order_by("id").first(),
        has_batch=BatchJob.objects.filter(project_id=project_id).exists(),
        has_key=keys.filter(revoked_at=None).exists(),
        # A key that was never used spares the search for its calls among a batch's many runs.
        has_call=keys.exclude(last_used_at=None).exists()
        and Run.objects.filter(project_id=project_id, source=RunSource.GATEWAY).exists(),
    )


def activity_between(project_id: UUID, start: datetime, end: datetime) -> Activity:
    """Return the runs that began in `[start, end)`."""
    sums = Run.objects.filter(
        project_id=project_id, pk__gte=first_id_of(start), pk__lt=first_id_of(end)
    ).aggregate(
        runs=Count("id"),
        failed=Count("id", filter=Q(status=RunStatus.FAILED)),
        cost=Sum("price_amount", filter=Q(price_status="priced")),
        unpriced=Count("id", filter=Q(price_status="unknown")),
        sandbox=Count("id", filter=Q(sandbox=True)),
    )
    return Activity(**sums | {"cost": sums["cost"] or Decimal(0)})


def today_and_yesterday(project_id: UUID, now: datetime) -> tuple[Activity, Activity]:
    """Return today so far, and yesterday up to the same time of day, in the zone of `now`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    return activity_between(project_id, midnight, now), activity_between(
        project_id, midnight - day, now - day
    )


def open_batches(project_id: UUID) -> Sequence[BatchJob]:
    """Return the newest batches that still run."""
    jobs = BatchJob.objects.filter(project_id=project_id).exclude(status__in=TERMINAL_STATUSES)
    return list(jobs.order_by("-id")[:RECENT])


def recent_label_moves(project_id: UUID) -> Sequence[LabelMove]:
    """Return the newest moves of labels, with their prompts."""
    moves = LabelMove.objects.filter(prompt__project_id=project_id).select_related("prompt")
    return list(moves.order_by("-id")[:RECENT])
