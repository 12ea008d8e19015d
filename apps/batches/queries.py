"""Reads of batches. Call inside the organization's scope."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus
from apps.batches.numbering import place, rows_used
from apps.core.errors import NotFound
from apps.core.models import find
from apps.datasets.models import DatasetRow
from apps.datasets.uses import Use
from apps.tenants.models import Project

RATE_SECONDS: Final = 30
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


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed rows with one reason, and the first of them as an example."""

    code: str
    rows: int
    number: int
    message: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row of a batch with what its dataset says."""

    item: BatchItem
    variables: dict[str, Any]
    expected: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResultFilters:
    """What results are narrowed to; empty means everything. `match` is "match" or "differs"."""

    status: str = ""
    match: str = ""
    search: str = ""
    code: str = ""


NO_FILTERS: Final = ResultFilters()


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results in the order of the rows; `before` and `after` are row numbers for the neighbouring pages."""

    rows: list[ResultRow] = field(default_factory=list)
    before: int | None = None
    after: int | None = None


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


def progress(job: BatchJob) -> Progress:
    """How a job stands now."""
    now = timezone.now()
    if job.status != JobStatus.IN_PROGRESS:
        return Progress(job, None, None)
    since = max(now - timedelta(seconds=RATE_SECONDS), job.created_at)
    recent = BatchItem.objects.filter(batch=job, finished_at__gte=since).count()
    seconds = max((now - since).total_seconds(), 0.5)
    if not recent:
        return Progress(job, None, None)
    return Progress(job, 60 * recent / seconds, (job.total - job.finished) * seconds / recent)


def failures(job: BatchJob) -> list[FailureGroup]:
    """The failed rows by reason, the most frequent first; two queries."""
    if not job.failed:
        return []
    groups = list(
        BatchItem.objects.filter(batch=job, status=ItemStatus.FAILED)
        .values("error_code")
        .annotate(rows=Count("id"), number=Min("number"))
        .order_by("-rows", "error_code")
    )
    numbers = [group["number"] for group in groups]
    messages = dict(
        BatchItem.objects.filter(batch=job, number__in=numbers).values_list("number", "error_message")
    )
    return [
        FailureGroup(group["error_code"], group["rows"], group["number"], messages.get(group["number"], ""))
        for group in groups
    ]


def latest_results(job: BatchJob, limit: int = 8) -> list[ResultRow]:
    """The rows that finished last, newest first."""
    items = BatchItem.objects.filter(batch=job, finished_at__isnull=False).exclude(
        status=ItemStatus.CANCELLED
    )
    return with_source(job, list(items.order_by("-finished_at")[:limit]))


def list_items(job: BatchJob, filters: ResultFilters = NO_FILTERS) -> QuerySet[BatchItem]:
    """A job's rows by filters, unordered."""
    found = BatchItem.objects.filter(batch=job)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.match:
        found = found.filter(matches=filters.match == "match")
    if filters.code:
        found = found.filter(status=ItemStatus.FAILED, error_code=filters.code)
    if filters.search:
        found = found.filter(
            Q(output__icontains=filters.search) | Q(number__in=_numbers(job, filters.search))
        )
    return found


def result_page(
    job: BatchJob, filters: ResultFilters, *, after: int = 0, before: int = 0, limit: int = 50
) -> ResultPage:
    """One page of results by row number."""
    found = list_items(job, filters)
    if before:
        items = list(found.filter(number__lt=before).order_by("-number")[: limit + 1])
        more_before, more_after = len(items) > limit, True
        items = items[:limit][::-1]
    else:
        items = list(found.filter(number__gt=after).order_by("number")[: limit + 1])
        more_before, more_after = after > 0, len(items) > limit
        items = items[:limit]
    if not items:
        return ResultPage()
    return ResultPage(
        with_source(job, items),
        before=items[0].number if more_before else None,
        after=items[-1].number if more_after else None,
    )


def with_source(job: BatchJob, items: Sequence[BatchItem]) -> list[ResultRow]:
    """The items with their dataset rows, in the same order; one query."""
    used = rows_used(job)
    wanted = [place(item.number, variants=job.variant_count, rows=used).row for item in items]
    found = DatasetRow.objects.filter(dataset_version_id=job.dataset_version_id, number__in=wanted)
    rows = {row[0]: row[1:] for row in found.values_list("number", "variables", "expected", "metadata")}
    # Retention takes a dataset's rows once it has taken the answers.
    return [ResultRow(item, *rows.get(row, ({}, None, {}))) for item, row in zip(items, wanted, strict=True)]


def untaken(job: BatchJob, numbers: Iterable[int]) -> list[BatchItem]:
    """Rows that nobody has taken yet, which have no item in the database, as unsaved items."""
    status = ItemStatus.CANCELLED if job.is_terminal else ItemStatus.PENDING
    first = job.next_number
    return [BatchItem(batch_id=job.pk, number=number, status=status) for number in numbers if number >= first]


def input_columns(job: BatchJob) -> list[str]:
    """The names of the dataset's variables and metadata, in the order of the file."""
    columns: Iterable[dict[str, Any]] = job.dataset_version.columns
    return [column["name"] for column in columns if column["role"] in ("variable", "metadata")]


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


def _numbers(job: BatchJob, search: str) -> QuerySet[DatasetRow, int]:
    rows = DatasetRow.objects.filter(dataset_version_id=job.dataset_version_id)
    # Read as one text: values are found whatever variable they belong to.
    return rows.filter(variables__icontains=search).values_list("number", flat=True)
