"""Equal rows are answered once, where a batch asks for it."""

from decimal import Decimal
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus
from apps.batches.services.starting import BatchOptions
from apps.billing.models import UsageKey
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import SENTIMENT_SCHEMA, make_batch, make_content

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = ({"name": "stars", "type": "number", "required": True},)


def rows_of(*texts: str, expected: str | None = "Positive") -> list[RowValues]:
    return [RowValues({"review": text, "shop": f"{n}"}, expected, {"id": n}) for n, text in enumerate(texts)]


def deduplicating(rows: list[RowValues], **options: Any) -> BatchJob:
    content = options.pop("content", make_content("{{ review }}", output_schema=SENTIMENT_SCHEMA))
    return make_batch(rows=rows, content=content, options=BatchOptions(deduplicate=True, **options))


def usage_keys(job: BatchJob) -> int:
    with organization_scope(job.organization_id):
        return UsageKey.objects.count()


@pytest.mark.parametrize("concurrency", [1, 8])
def test_deduplicate__equal_rows__are_called_once_and_cost_nothing(concurrency: int) -> None:
    rows = rows_of("Great.", "Great.", "Bad.", "Great.", "Bad.", "Fine.")
    rows[3] = RowValues({"review": "Great.", "shop": "x"}, "Negative", {})
    job = deduplicating(rows, concurrency=concurrency)

    run_batch_pump()

    job = reload(job)
    items = items_of(job)
    assert (job.status, job.succeeded, job.duplicates, job.held) == (JobStatus.COMPLETED, 6, 3, 0)
    assert [item.duplicate_of for item in items] == [None, 1, None, 1, 3, None]
    assert usage_keys(job) == 3
    assert [item.cost for item in items if item.duplicate_of] == [Decimal(0)] * 3
    assert job.cost_used == sum(item.cost or 0 for item in items)
    assert items[1].run_id == items[0].run_id
    assert items[1].parsed == items[0].parsed
    # What is expected of a row is its own.
    assert items[3].matches is not items[0].matches
    assert (job.compared, job.matched) == (6, sum(bool(item.matches) for item in items))


def test_deduplicate__without_the_option__calls_every_row() -> None:
    job = make_batch(rows=rows_of("Same.", "Same."), content=make_content("{{ review }}"))

    run_batch_pump()

    assert usage_keys(job) == 2
    assert [item.input_digest for item in items_of(job)] == [None, None]


def test_deduplicate__a_leader_that_fails__fails_its_followers_and_all_are_retried() -> None:
    rows = [RowValues({"stars": value}, None, {}) for value in ("many", "many", 3, "many")]
    job = deduplicating(rows, content=make_content("{{ stars }}", variables=TYPED))
    run_batch_pump()
    job = reload(job)
    assert (job.status, job.succeeded, job.failed, job.duplicates) == (JobStatus.COMPLETED, 1, 3, 2)

    with organization_scope(job.organization_id):
        assert services.retry_failed(actor=SYSTEM, job=job) == 3
    assert reload(job).duplicates == 0
    run_batch_pump()

    job = reload(job)
    assert (job.failed, job.duplicates, job.held) == (3, 2, 0)
    assert [item.round for item in items_of(job)] == [1, 1, 0, 1]


def test_deduplicate__stopped_while_rows_wait_for_another__adds_up() -> None:
    job = deduplicating(rows_of("Same.", "Same.", "Other."), sample_rows=2)
    run_batch_pump()
    with organization_scope(job.organization_id):
        # As if row 2 had not been answered yet when the batch was stopped.
        BatchItem.objects.filter(batch=job, number=2).update(status=ItemStatus.PENDING)
        BatchJob.objects.filter(pk=job.pk).update(succeeded=1, pending=2, held=1, matched=0, compared=0)
        services.cancel_batch(actor=SYSTEM, job=job)
    services.finish_job(job.organization_id, job.id)

    job = reload(job)
    assert (job.status, job.succeeded, job.cancelled, job.held) == (JobStatus.CANCELLED, 1, 2, 0)
    with organization_scope(job.organization_id):
        services.retry_failed(actor=SYSTEM, job=job)
    run_batch_pump()

    assert (reload(job).succeeded, reload(job).duplicates) == (3, 1)
    assert usage_keys(job) == 2


def test_deduplicate__a_cost_cap_in_the_middle__leaves_out_what_follows() -> None:
    rows = rows_of(*[f"Row {n % 7}." for n in range(30)], expected=None)
    job = deduplicating(rows, cost_cap=Decimal("0.0006"), concurrency=2)

    run_batch_pump()

    job = reload(job)
    assert job.cost_used <= Decimal("0.0006")
    assert (job.running, job.held) == (0, 0)
    assert job.total == job.succeeded + job.failed + job.cancelled + job.pending


def test_deduplicate__more_equal_rows_than_may_be_held__are_all_answered(monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.batches.duplicates.MOST_HELD", 3)
    monkeypatch.setattr("apps.batches.duplicates.LOOKAHEAD", 4)
    job = deduplicating(rows_of(*["Same."] * 30), concurrency=2)

    run_batch_pump()

    job = reload(job)
    assert (job.status, job.succeeded, job.duplicates, job.held) == (JobStatus.COMPLETED, 30, 29, 0)
    assert usage_keys(job) == 1


def test_deduplicate__numbers_beyond_64_bits__keep_no_pump_from_its_work() -> None:
    rows = [RowValues({"stars": 1e30}, None, {}), RowValues({"stars": 1e30}, None, {})]
    job = deduplicating(rows, content=make_content("{{ stars }}", variables=TYPED))

    run_batch_pump()

    job = reload(job)
    assert (job.status, job.succeeded + job.failed, job.duplicates) == (JobStatus.COMPLETED, 2, 1)
