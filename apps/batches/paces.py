"""How providers hold a job back, as its pumps last told: what pages and API show."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from apps.batches.models import BatchJob, JobStatus, Pump


@dataclass(frozen=True, slots=True)
class Pace:
    """A provider's word: at most `calls` at a time (None: not bounded), and none before `resumes_at`."""

    calls: int | None
    resumes_at: datetime | None


def pace_of(job: BatchJob) -> Pace | None:
    """How fast a job may go now; None where no provider holds it back."""
    if job.status != JobStatus.IN_PROGRESS:
        return None
    now, key = timezone.now(), str(job.pk)
    pumps = Pump.objects.filter(expires_at__gt=now, paces__has_key=key)
    told: list[dict[str, Any]] = [paces[key] for paces in pumps.values_list("paces", flat=True)]
    if not told:
        return None
    calls = [each["calls"] for each in told if "calls" in each]
    resumes_at = max(
        (datetime.fromtimestamp(each["until"], UTC) for each in told if "until" in each), default=now
    )
    bound = min(sum(calls), job.concurrency) if len(calls) == len(told) else None
    return Pace(bound, resumes_at if resumes_at > now else None)
