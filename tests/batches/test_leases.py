"""Claims, fences and the cost cap, with several pumps on one table."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from psycopg_pool import AsyncConnectionPool

from apps.batches.claims import Claim, JobFacts, Row
from apps.batches.completion import Outcome
from apps.batches.fairness import Waiting
from apps.batches.leases import LeaseStore
from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus, StopReason
from apps.batches.pumping import run_pump
from apps.batches.services import ring_pump
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep, take_back_leases
from apps.core.change_readers import connection_parameters
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from tests.batches.support import QUICK, items_of, reload
from tests.factories import make_batch

pytestmark = pytest.mark.django_db(transaction=True)

Result = TypeVar("Result")


@asynccontextmanager
async def opened() -> AsyncIterator[Callable[[], LeaseStore]]:
    """Makes stores of different owners on one pool."""
    async with AsyncConnectionPool(
        kwargs=connection_parameters(), min_size=1, max_size=4, open=False
    ) as pool:
        yield lambda: LeaseStore(pool, uuid7(), 15.0, "test")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def free(job: JobFacts, row: Row) -> Decimal:
    return Decimal(0)


def one_cent(job: JobFacts, row: Row) -> Decimal:
    return Decimal("0.01")


def waiting(job: BatchJob) -> Waiting:
    return Waiting(job.id, job.organization_id, job.pending, 0, job.concurrency, 0, job.concurrency)


async def claim(store: LeaseStore, job: BatchJob, wanted: int, cost: Any = free) -> list[Claim]:
    facts = await store.job_facts(waiting(job))
    assert facts is not None
    return (await store.claim(facts, wanted, cost)).claims


def done(claimed: Claim, output: str = "fine") -> Outcome:
    return Outcome(claimed, "succeeded", run_id=claimed.run_id, output=output, cost=Decimal("0.005"))


def test_claim__two_pumps__never_share_a_row_nor_pass_the_concurrency() -> None:
    job = make_batch(rows=10, options=BatchOptions(concurrency=6))

    async def work() -> list[Claim]:
        async with opened() as store:
            first, second = await asyncio.gather(claim(store(), job, 5), claim(store(), job, 5))
            return first + second

    claims = run(work())

    assert len(claims) == 6
    assert len({each.item_id for each in claims}) == 6
    job = reload(job)
    assert (job.pending, job.running) == (4, 6)


def test_complete__by_a_zombie__changes_nothing() -> None:
    job = make_batch(rows=1)

    async def claim_one() -> Claim:
        async with opened() as store:
            return (await claim(store(), job, 1))[0]

    zombie = run(claim_one())
    with organization_scope(job.organization_id):
        BatchItem.objects.update(lease_expires_at="2020-01-01T00:00:00Z")
    assert take_back_leases() == 1
    heir = run(claim_one())

    async def complete(outcome: Outcome) -> int:
        async with opened() as store:
            return len(await store().refuse([outcome]))

    assert run(complete(done(zombie, "zombie"))) == 0
    assert run(complete(done(heir, "heir"))) == 1
    assert run(complete(done(heir, "again"))) == 0
    assert items_of(job)[0].output == "heir"
    assert reload(job).succeeded == 1


def test_keep__a_row_that_was_taken_back__is_no_longer_ours() -> None:
    job = make_batch(rows=2)

    async def work() -> int:
        async with opened() as store:
            mine = store()
            claims = await claim(mine, job, 2)
            await mine.release(claims[:1], "pending")
            return len(await mine.keep(claims))

    assert run(work()) == 1
    assert reload(job).pending == 1


def test_release__as_cancelled__moves_the_counters() -> None:
    job = make_batch(rows=2)

    async def work() -> list[Any]:
        async with opened() as store:
            mine = store()
            return await mine.release(await claim(mine, job, 2), "cancelled")

    assert run(work()) == [(job.organization_id, job.id)]
    job = reload(job)
    assert (job.pending, job.running, job.cancelled) == (0, 0, 2)


def test_claim__under_a_cap__sets_the_worst_case_aside_and_stops_at_the_end() -> None:
    job = make_batch(rows=10, options=BatchOptions(cost_cap=Decimal("0.03")))

    async def work() -> tuple[int, int, int, bool]:
        async with opened() as store:
            mine = store()
            first = await claim(mine, job, 10, one_cent)
            second = await claim(mine, job, 10, one_cent)
            await mine.refuse([done(each) for each in first])
            third = await claim(mine, job, 10, one_cent)
            await mine.refuse([done(each) for each in third])
            facts = await mine.job_facts(waiting(job))
            assert facts is not None
            last = await claim(mine, job, 10, one_cent)
            await mine.refuse([done(each) for each in last])
            stopped = (await mine.claim(facts, 10, one_cent)).cap_reached
            return len(first), len(second), len(third), stopped

    assert run(work()) == (3, 0, 1, True)
    job = reload(job)
    assert (job.status, job.stop_reason) == (JobStatus.CANCELLING, StopReason.COST_CAP)
    assert (job.cost_used, job.cost_reserved) == (Decimal("0.025"), Decimal(0))


def test_cap__two_pumps_at_once__is_never_passed() -> None:
    cap = Decimal("0.001")
    options = BatchOptions(concurrency=8, cost_cap=cap, parameters={"max_tokens": 20})
    job = make_batch(rows=100, options=options)

    async def work(pumps: list[UUID]) -> None:
        await asyncio.gather(*(run_pump(each, QUICK) for each in pumps))

    # A pump goes home when the other's calls hold the rest of the cap; the next ring takes it up.
    for _ in range(5):
        with system_scope():
            pumps = [ring_pump(), ring_pump()]
        run(work(pumps))
        sweep()
        if reload(job).status == JobStatus.CANCELLED:
            break

    job = reload(job)
    assert (job.status, job.stop_reason) == (JobStatus.CANCELLED, StopReason.COST_CAP)
    assert 0 < job.cost_used <= cap
    assert job.cost_reserved == 0
    assert job.succeeded + job.cancelled == 100
    assert sum(item.cost or 0 for item in items_of(job)) == job.cost_used


def test_take_back_leases__rows_in_time__stay_with_their_pump() -> None:
    job = make_batch(rows=2)

    async def work() -> None:
        async with opened() as store:
            await claim(store(), job, 2)

    run(work())

    assert take_back_leases() == 0
    assert {item.status for item in items_of(job)} == {ItemStatus.RUNNING}
