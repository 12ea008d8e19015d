"""Pages of a batch's rows. Call inside the organization's scope.

No page counts or reads a job as a whole. Rows asked for by number, and those that an index leads to, are
found at once. All else is looked for window by window for a twentieth of a second; a page then says how far
it has looked, and one goes on from there.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import ExpressionWrapper, F, IntegerField, OrderBy
from django.db.models.expressions import Expression
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.numbering import place, rows_used
from apps.batches.results.heads import output_fields
from apps.batches.results.selecting import (
    NO_FILTERS,
    ResultFilters,
    matching_items,
    untaken_numbers,
    waiting_status,
)
from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetRow

WINDOW: Final = 40_000
SEARCHED_WINDOW: Final = 5_000
"""Rows that are looked at in one statement: a search reads each one's text."""

MOST_WINDOWS: Final = 5
LOOKING_SECONDS: Final = 0.05

SORTABLE_ROWS: Final = 50_000
"""Up to here rows can be put into another order than their own: no index helps, so all of them are read."""

FEW_RUNNING: Final = 1_000
RECENT: Final = 500


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row of a batch with what its dataset says; a row that nobody has taken has an unsaved item."""

    item: BatchItem
    variables: dict[str, Any]
    expected: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Rows in the order of their numbers; `before` and `after` are numbers for the neighbouring pages.

    `looked_to` is set where looking ended before the page was full: nothing beyond that number was looked at.
    """

    rows: list[ResultRow] = field(default_factory=list)
    before: int | None = None
    after: int | None = None
    looked_to: int | None = None


def result_page(
    job: BatchJob, filters: ResultFilters = NO_FILTERS, *, after: int = 0, before: int = 0, limit: int = 50
) -> ResultPage:
    """One page of rows after a number, or before one."""
    if before:
        items, edge = _walk(job, filters, before, limit + 1, forward=False)
        more_after: int | None = before - 1
        shown = items[:limit][::-1]
        more = shown[0].number if len(items) > limit else edge
        return ResultPage(with_source(job, shown), more, shown[-1].number if shown else more_after, edge)
    items, edge = _walk(job, filters, after, limit + 1, forward=True)
    shown = items[:limit]
    following = shown[-1].number if len(items) > limit else edge
    # What comes before the first row is asked for by the number behind it.
    previous = (shown[0].number if shown else after + 1) if after else None
    return ResultPage(with_source(job, shown), previous, following, edge)


def sorted_page(
    job: BatchJob, filters: ResultFilters, sort: str, *, skip: int = 0, limit: int = 50
) -> ResultPage:
    """One page in another order; `before` and `after` are how many rows to skip. Untaken rows have no place.

    `sort` is one of `sort_choices`, with `-` in front for the other direction. Raises InvalidRequest.
    """
    name, downwards = sort.removeprefix("-"), sort.startswith("-")
    if name not in sort_choices(job):
        raise InvalidRequest(_unsortable(job), code="sort_unavailable", param="sort")
    order = OrderBy(_value(name), descending=downwards, nulls_last=True)
    items = list(matching_items(job, filters).order_by(order, "number")[skip : skip + limit + 1])
    return ResultPage(
        with_source(job, items[:limit]),
        before=max(skip - limit, 0) if skip else None,
        after=skip + limit if len(items) > limit else None,
    )


def sort_choices(job: BatchJob) -> dict[str, str]:
    """What a job's rows can be sorted by, besides their number, and its words; nothing for a large job."""
    if job.total > SORTABLE_ROWS:
        return {}
    fields = {
        f"field:{name}": name
        for name, rule in output_fields(job).items()
        if isinstance(rule, dict) and rule.get("type") in ("number", "integer")
    }
    return {"latency": "Latency", "cost": "Cost", "tokens": "Tokens", **fields}


def latest_results(job: BatchJob, limit: int = 8) -> list[ResultRow]:
    """The rows that finished last, newest first."""
    newest = BatchItem.objects.filter(batch=job, finished_at__isnull=False).order_by("-finished_at")
    # A stop marks many rows at one time; they are passed over, but not for ever.
    ended = [item for item in newest[: limit if not job.cancelled else RECENT] if item.status != "cancelled"]
    return with_source(job, ended[:limit])


def with_source(job: BatchJob, items: Sequence[BatchItem]) -> list[ResultRow]:
    """The items with their dataset rows, in the same order; one query."""
    used = rows_used(job)
    wanted = [place(item.number, variants=job.variant_count, rows=used).row for item in items]
    found = DatasetRow.objects.filter(dataset_version_id=job.dataset_version_id, number__in=set(wanted))
    rows = {row[0]: row[1:] for row in found.values_list("number", "variables", "expected", "metadata")}
    # Retention takes a dataset's rows once it has taken the answers.
    return [ResultRow(item, *rows.get(row, ({}, None, {}))) for item, row in zip(items, wanted, strict=True)]


def input_columns(job: BatchJob) -> list[str]:
    """The names of the dataset's variables and metadata, in the order of the file."""
    columns: Iterable[dict[str, Any]] = job.dataset_version.columns
    return [column["name"] for column in columns if column["role"] in ("variable", "metadata")]


def _walk(
    job: BatchJob, filters: ResultFilters, start: int, want: int, *, forward: bool
) -> tuple[list[BatchItem], int | None]:
    """Up to `want` rows beyond a number, nearest first, and where looking ended too early."""
    if filters.status == ItemStatus.RUNNING and job.running <= FEW_RUNNING:
        return _running(job, filters, start, want, forward=forward), None
    found: list[BatchItem] = []
    size, edge, began = _first_size(job, filters, want), start, time.monotonic()
    for _ in range(MOST_WINDOWS):
        first, last = (edge + 1, edge + size) if forward else (edge - size, edge - 1)
        first, last = max(first, 1), min(last, job.total)
        if first > last:
            return found, None
        found += _window(job, filters, first, last, want - len(found), forward=forward)
        edge = last if forward else first
        if len(found) >= want:
            return found, None
        if time.monotonic() - began > LOOKING_SECONDS:
            break
    ended = edge >= job.total if forward else edge <= 1
    return found, None if ended else edge


def _first_size(job: BatchJob, filters: ResultFilters, want: int) -> int:
    if filters.by_number:
        return want * job.variant_count
    if filters.indexed:
        return job.total
    return SEARCHED_WINDOW if filters.search else WINDOW


def _window(
    job: BatchJob, filters: ResultFilters, first: int, last: int, want: int, *, forward: bool
) -> list[BatchItem]:
    items = matching_items(job, filters, first, last)
    found = list(items.order_by("number" if forward else "-number")[:want])
    taken = {item.number for item in found}
    waiting = [each for each in _untaken(job, filters, first, last, want, forward) if each not in taken]
    rest = [BatchItem(batch=job, number=each, status=waiting_status(job)) for each in waiting]
    # All untaken rows come after all taken ones.
    return (found + rest if forward else rest[::-1] + found)[:want]


def _untaken(
    job: BatchJob, filters: ResultFilters, first: int, last: int, want: int, forward: bool
) -> list[int]:
    first = max(first, job.next_number)
    if not filters.search:
        reach = want * job.variant_count
        first, last = (first, min(last, first + reach)) if forward else (max(first, last - reach), last)
    return untaken_numbers(job, filters, first, last)


def _running(
    job: BatchJob, filters: ResultFilters, start: int, want: int, *, forward: bool
) -> list[BatchItem]:
    """Rows in flight: few, and found by their leases; in order, the database would go through all numbers."""
    items = [
        item
        for item in matching_items(job, filters)
        if (item.number > start if forward else item.number < start)
    ]
    return sorted(items, key=lambda item: item.number, reverse=not forward)[:want]


def _value(name: str) -> Expression | F:
    if name.startswith("field:"):
        return KeyTransform(name.removeprefix("field:"), "parsed")
    if name == "tokens":
        added = Coalesce(F("input_tokens"), 0) + Coalesce(F("output_tokens"), 0)
        return ExpressionWrapper(added, output_field=IntegerField())
    return F({"latency": "latency_ms", "cost": "cost"}[name])


def _unsortable(job: BatchJob) -> str:
    choices = sort_choices(job)
    if choices:
        return f"sort is one of {', '.join(choices)}, or one of them with - in front."
    return f"Up to {SORTABLE_ROWS:,} rows can be sorted; this batch has {job.total:,}. Sort its file instead."
