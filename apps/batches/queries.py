"""Reads of batches. Call inside the organization's scope."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.batches.models import BatchItem, BatchJob, BatchVariant, JobStatus
from apps.batches.preparation_models import RowPreparation
from apps.core.errors import NotFound
from apps.core.models import find
from apps.datasets.models import DatasetImport
from apps.datasets.uses import Use
from apps.tenants.models import Project

RATE_SECONDS: Final = 30
MOST_RERUNS: Final = 20
MOST_RECENT: Final = 2_000
"""Rows that the rate is taken from, so that a fast job's page costs no more than a slow one's."""

MOST_COMPARABLE: Final = 50
NEWEST_LOOKED_AT: Final = 2_000
OPEN_STATUSES: Final = (
    JobStatus.VALIDATING,
    JobStatus.SCHEDULED,
    JobStatus.IN_PROGRESS,
    JobStatus.PAUSED,
    JobStatus.FINALIZING,
    JobStatus.CANCELLING,
)
STOPPABLE_STATUSES: Final = tuple(status for status in OPEN_STATUSES if status != JobStatus.CANCELLING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands, at a cost that does not grow with its rows.

    `rows_per_minute` counts the last half minute, `seconds_left` follows from it; both None when nothing
    finished in that time.
    """

    job: BatchJob
    rows_per_minute: float | None
    seconds_left: float | None

    @property
    def share(self) -> float:
        """The finished share of all rows, from 0 to 1."""
        return self.job.finished / self.job.total if self.job.total else 1.0

    @property
    def ends_at(self) -> datetime | None:
        """When the last row will be through at the present rate."""
        return None if self.seconds_left is None else timezone.now() + timedelta(seconds=self.seconds_left)


def list_jobs(project: Project, *, status: str = "", search: str = "") -> QuerySet[BatchJob]:
    """A project's batches; `status` is "open", or one of the jobs' statuses."""
    found = BatchJob.objects.filter(project=project)
    if status == "open":
        found = found.filter(status__in=OPEN_STATUSES)
    elif status:
        found = found.filter(status=status)
    return found.filter(name__icontains=search) if search else found


def get_job(project: Project, public_id: str) -> BatchJob:
    """One batch of a project, with its dataset. Raises NotFound."""
    related = ("dataset_version__dataset", "prompt_version")
    jobs = BatchJob.objects.filter(project=project).select_related(*related)
    job = find(jobs, public_id)
    if job is None:
        raise NotFound("There is no such batch.", code="batch_not_found")
    return job


def variants_of(job: BatchJob) -> list[BatchVariant]:
    """A job's variants by position; none where only one runs, which the job itself describes."""
    if job.variant_count == 1:
        return []
    found = BatchVariant.objects.filter(batch=job).select_related("prompt_version")
    return list(found.order_by("position"))


def list_comparable(job: BatchJob, limit: int = MOST_COMPARABLE) -> list[BatchJob]:
    """The newest other batches over the same dataset, and those that share its rows by a re-run."""
    jobs = BatchJob.objects.filter(project_id=job.project_id).order_by("-id")[:NEWEST_LOOKED_AT]
    same = Q(dataset_version__dataset_id=job.dataset_version.dataset_id)
    related = same | Q(rerun_of_id=job.pk) | Q(pk=job.rerun_of_id)
    found = BatchJob.objects.filter(related, pk__in=jobs.values("pk")).exclude(pk=job.pk)
    return list(found.order_by("-id")[:limit])


def get_preparation(project: Project, public_id: str) -> RowPreparation:
    """Rows that are taken, or were, for a batch. Raises NotFound."""
    found = RowPreparation.objects.filter(project=project).select_related("dataset_version__dataset")
    preparation = find(found, public_id)
    if preparation is None:
        raise NotFound("There are no such rows.", code="rows_not_found")
    return preparation


def relatives(job: BatchJob) -> tuple[BatchJob | None, list[BatchJob]]:
    """The batch whose rows these are, and those that run rows of this one again, the newest first."""
    linked = Q(rerun_of_id=job.pk)
    if job.rerun_of_id is not None:
        linked |= Q(pk=job.rerun_of_id)
    found = list(BatchJob.objects.filter(linked, project_id=job.project_id).order_by("-id")[:MOST_RERUNS])
    origin = next((each for each in found if each.pk == job.rerun_of_id), None)
    return origin, [each for each in found if each.rerun_of_id == job.pk]


def taken_rows(job: BatchJob) -> int | None:
    """How many rows have been taken so far for a job that waits for them; None for others."""
    if job.status != JobStatus.VALIDATING:
        return None
    rows = RowPreparation.objects.filter(dataset_version_id=job.dataset_version_id, batch_id=job.pk)
    taken = rows.first()
    if taken is None:
        return None
    upload = DatasetImport.objects.filter(pk=taken.source.get("import")).first()
    return max(taken.rows, upload.rows_written if upload else 0)


def progress(job: BatchJob) -> Progress:
    """How a job stands now."""
    now = timezone.now()
    if job.status != JobStatus.IN_PROGRESS:
        return Progress(job, None, None)
    since = max(now - timedelta(seconds=RATE_SECONDS), job.created_at)
    newest = BatchItem.objects.filter(batch=job, finished_at__gte=since).order_by("-finished_at")
    recent = list(newest.values_list("finished_at", flat=True)[:MOST_RECENT])
    if not recent:
        return Progress(job, None, None)
    if len(recent) == MOST_RECENT:
        since = recent[-1] or since
    seconds = max((now - since).total_seconds(), 0.5)
    return Progress(job, 60 * len(recent) / seconds, (job.total - job.finished) * seconds / len(recent))


def count_dataset_uses(dataset_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many batches ran over each dataset: what `settings.DATASET_USES` names."""
    jobs = BatchJob.objects.filter(dataset_version__dataset_id__in=dataset_ids)
    counts = jobs.order_by().values_list("dataset_version__dataset_id").annotate(count=Count("id"))
    return dict(counts)


def list_dataset_uses(dataset_id: UUID, limit: int) -> list[Use]:
    """The newest batches over a dataset."""
    jobs = BatchJob.objects.filter(dataset_version__dataset_id=dataset_id).select_related("dataset_version")
    return [
        Use("batch", job.public_id, job.name, "batches:detail", job.dataset_version.number)
        for job in jobs.order_by("-id")[:limit]
    ]
