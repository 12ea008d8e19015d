"""Reads across rooms for the home page. Everything runs inside the organization's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count

from apps.analytics import periods
from apps.analytics import queries as analytics
from apps.analytics.models import Grain
from apps.analytics.queries import Asked, Figures
from apps.batches.models import TERMINAL_STATUSES, BatchJob
from apps.prompts.models import LabelMove
from apps.runs.models import Run, RunStatus
from apps.runs.queries import first_id_of

RECENT = 6


@dataclass(frozen=True)
class Activity:
    """What happened on one day: calls, the failed ones, and what the priced ones cost in US dollars.

    Runs on the sandbox, sample or not, are in no figure but their own.
    """

    runs: int
    failed: int
    cost: Decimal
    unpriced: int
    sandbox: int


@dataclass(frozen=True)
class FailingPrompt:
    """A prompt of which runs failed: how many of how many."""

    prompt_id: UUID
    name: str
    runs: int
    failed: int

    @property
    def share(self) -> float:
        """The failed share, from 0 to 1."""
        return self.failed / self.runs


def today_and_yesterday(project_id: UUID, now: datetime) -> tuple[Activity, Activity]:
    """Return today so far, and yesterday up to the same time of day, in the zone of `now`.

    From roll-ups, so both end on five minutes: today holds what is counted by now, yesterday less than five
    minutes more than has passed today.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    sandbox = _figures(project_id, midnight, now, sandbox=True)
    return (
        _activity(_figures(project_id, midnight, now), sandbox.requests),
        _activity(_figures(project_id, midnight - day, now - day), 0),
    )


def _figures(project_id: UUID, start: datetime, end: datetime, *, sandbox: bool = False) -> Figures:
    # On the stroke of midnight the day has not lasted yet.
    period = periods.between(start, max(end, start + timedelta(seconds=1)), end, Grain.FIVE_MINUTES)
    return analytics.summary(
        Asked(project_id, period, sandbox=sandbox), ("requests", "cost"), compare=False
    ).total


def _activity(figures: Figures, sandbox: int) -> Activity:
    sums = figures.sums
    return Activity(sums.requests, sums.failed, sums.cost, sums.unknown_price, sandbox)


def open_batches(project_id: UUID) -> Sequence[BatchJob]:
    """Return the newest batches that still run."""
    jobs = BatchJob.objects.filter(project_id=project_id).exclude(status__in=TERMINAL_STATUSES)
    return list(jobs.order_by("-id")[:RECENT])


def recent_label_moves(project_id: UUID) -> Sequence[LabelMove]:
    """Return the newest moves of labels, with their prompts."""
    moves = LabelMove.objects.filter(prompt__project_id=project_id).select_related("prompt")
    return list(moves.order_by("-id")[:RECENT])


def failing_prompts(project_id: UUID, now: datetime) -> Sequence[FailingPrompt]:
    """The prompts with the most failed runs of the last 24 hours, sandbox runs among them.

    Two queries: the failed runs have an index of their own, and all runs are counted for few prompts only.
    """
    recent = Run.objects.filter(project_id=project_id, pk__gte=first_id_of(now - timedelta(days=1)))
    # In the words of the index: a plain equality would not be seen to lie inside its condition.
    failed = recent.exclude(status=RunStatus.SUCCEEDED).filter(status=RunStatus.FAILED)
    worst = list(
        failed.exclude(prompt_id=None)
        .values("prompt_id", "prompt_name")
        .annotate(failed=Count("id"))
        .order_by("-failed", "prompt_name")[:RECENT]
    )
    counted = recent.filter(prompt_id__in=[each["prompt_id"] for each in worst]).values("prompt_id")
    totals = dict(counted.annotate(runs=Count("id")).values_list("prompt_id", "runs")) if worst else {}
    return [
        FailingPrompt(prompt_id, each["prompt_name"], totals[prompt_id], each["failed"])
        for each in worst
        if (prompt_id := each["prompt_id"]) is not None
    ]
