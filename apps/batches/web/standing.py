"""How a batch stands beside its counters: its place in line, what all rows will cost by those through."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Q, StdDev

from apps.batches.models import BatchItem, BatchJob, JobStatus, PauseReason
from apps.batches.outlook import outlook
from apps.batches.planning import Plan
from apps.batches.services.starting import BatchOptions


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """What all rows will cost, by the rows that are through: USD from and to."""

    rows: int
    low: Decimal
    high: Decimal


def jobs_ahead(job: BatchJob) -> int:
    """How many running batches of the organization get rows in before this one; 0 once it has begun."""
    if job.status != JobStatus.IN_PROGRESS or job.running or job.finished:
        return 0
    before = Q(priority__gt=job.priority) | Q(priority=job.priority, id__lt=job.id)
    running = BatchJob.objects.filter(status=JobStatus.IN_PROGRESS, pending__gt=0)
    return running.filter(before).count()


def expected_by_sample(job: BatchJob) -> Extrapolation | None:
    """What all rows will cost, twice the mean's error up and down; None but for a priced sample's pause."""
    if job.pause_reason != PauseReason.SAMPLE or not job.finished or job.cost_unknown:
        return None
    items = BatchItem.objects.filter(batch=job, number__lte=job.claim_limit, cost__isnull=False)
    found = items.aggregate(rows=Count("id"), mean=Avg("cost"), deviation=StdDev("cost"))
    if not found["rows"]:
        return None
    error = 2 * Decimal(found["deviation"] or 0) / Decimal(found["rows"]).sqrt()
    low = max(job.total * (found["mean"] - error), job.cost_used)
    return Extrapolation(found["rows"], low, max(job.total * (found["mean"] + error), low))


def cost_by_now(job: BatchJob) -> Decimal | None:
    """What all rows will cost if the others cost what the finished ones did; None while that says little."""
    if job.is_terminal or job.finished < 20 or job.cost_unknown or not job.cost_used:
        return None
    return job.cost_used / job.finished * job.total


def estimate_words(plan: Plan, options: BatchOptions) -> dict[str, Any]:
    """What the estimate says of a form's options."""
    expected = outlook(plan, deduplicate=options.deduplicate, sample_rows=options.sample_rows)
    low = expected.estimate.low
    return {
        "outlook": expected,
        "expected": expected.estimate,
        "options": options,
        "cap_is_low": options.cost_cap is not None and low is not None and options.cost_cap < low,
        "rule": options.rerun_rule.words() if options.rerun_rule else "",
    }
