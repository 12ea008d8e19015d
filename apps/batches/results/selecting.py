"""Which rows of a batch are asked for. Call inside the organization's scope."""

from dataclasses import dataclass
from typing import Final

from django.db.models import F, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Mod

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.numbering import place, row_of, rows_used
from apps.datasets.models import DatasetRow


@dataclass(frozen=True, slots=True)
class ResultFilters:
    """What results are narrowed to; empty means everything.

    `match` is "match" or "differs", `code` the reason of a failure, `variant` a position among the variants.
    `search` is looked for in answers and in the dataset's variables, whatever the case.
    """

    status: str = ""
    match: str = ""
    search: str = ""
    code: str = ""
    variant: int | None = None

    @property
    def by_number(self) -> bool:
        """Whether every row, or every row of one variant, is asked for: then which ones is arithmetic."""
        return not (self.status or self.match or self.search or self.code)

    @property
    def indexed(self) -> bool:
        """Whether an index leads from one such row to the next, however few there are."""
        if self.search or self.variant is not None:
            return False
        if self.match:
            return self.match == "differs" and not self.status and not self.code
        return bool(self.code) or self.status in (ItemStatus.FAILED, ItemStatus.PENDING)


NO_FILTERS: Final = ResultFilters()


def matching_items(
    job: BatchJob, filters: ResultFilters, first: int = 1, last: int | None = None
) -> QuerySet[BatchItem]:
    """The taken rows of a job that are asked for, from one number to another, unordered."""
    last = job.total if last is None else last
    found = BatchItem.objects.filter(batch=job)
    if first > 1 or last < job.total:
        found = found.filter(number__gte=first, number__lte=last)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.match:
        found = found.filter(matches=filters.match == "match")
    if filters.code:
        found = found.filter(status=ItemStatus.FAILED, error_code=filters.code)
    if filters.variant is not None and job.variant_count > 1:
        position = Mod(F("number") - Value(1), Value(job.variant_count), output_field=IntegerField())
        found = found.annotate(position=position).filter(position=filters.variant)
    if filters.search:
        said = _rows_saying(job, filters.search, first, last).values("number")
        found = found.annotate(row=row_of(job)).filter(Q(output__icontains=filters.search) | Q(row__in=said))
    return found


def untaken_numbers(job: BatchJob, filters: ResultFilters, first: int, last: int) -> list[int]:
    """The asked numbers from `first` to `last` that nobody has taken, so that they have no item yet."""
    wanted = range(max(first, job.next_number), min(last, job.total) + 1)
    if not wanted or filters.match or filters.code or filters.status not in ("", waiting_status(job)):
        return []
    numbers = list(wanted)
    if filters.variant is not None:
        numbers = [each for each in numbers if (each - 1) % job.variant_count == filters.variant]
    if not filters.search:
        return numbers
    said = set(_rows_saying(job, filters.search, first, last).values_list("number", flat=True))
    return [each for each in numbers if _row(job, each) in said]


def waiting_status(job: BatchJob) -> ItemStatus:
    """How a row stands that nobody has taken: it waits, or its job has ended without it."""
    return ItemStatus.CANCELLED if job.is_terminal else ItemStatus.PENDING


def _rows_saying(job: BatchJob, text: str, first: int, last: int) -> QuerySet[DatasetRow]:
    """The dataset's rows from one number of the job to another that hold a text in a variable."""
    rows = _row(job, first), _row(job, last)
    if last - first >= rows_used(job) * job.variant_count or rows[0] > rows[1]:
        # The numbers go round the end of the dataset.
        rows = 1, rows_used(job)
    return DatasetRow.objects.filter(
        dataset_version_id=job.dataset_version_id,
        number__gte=rows[0],
        number__lte=rows[1],
        # Read as one text: values are found whatever variable they belong to.
        variables__icontains=text,
    )


def _row(job: BatchJob, number: int) -> int:
    return place(number, variants=job.variant_count, rows=rows_used(job)).row
