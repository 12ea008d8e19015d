"""The allowance book: no overshoot, nothing lost, everything given back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from apps.billing import ledger, plans
from apps.billing.allowance import AllowanceBook, Reservation
from apps.billing.models import AllowanceLease, Quota
from apps.billing.queries import usage_summary
from apps.billing.services import sweep_leases
from apps.core.change_readers import connection_parameters
from apps.core.errors import QuotaExceeded, Unavailable
from apps.core.ids import uuid7
from apps.core.scope import SYSTEM_ROLE, organization_scope, system_scope
from apps.tenants.models import Organization
from tests.factories import make_organization, make_quota

pytestmark = pytest.mark.django_db(transaction=True)

Pool = AsyncConnectionPool[Any]
Outcome = TypeVar("Outcome")


def with_books(count: int, scenario: Callable[[Pool, list[AllowanceBook]], Awaitable[Any]]) -> Any:
    """Run a scenario with as many books on one pool, and close them after it."""

    async def run() -> Any:
        async with open_pool() as pool:
            books = [AllowanceBook(pool, holder=f"book {number}") for number in range(count)]
            try:
                return await scenario(pool, books)
            finally:
                for book in books:
                    await book.close()

    return asyncio.run(run())


@asynccontextmanager
async def open_pool() -> AsyncIterator[Pool]:
    async with AsyncConnectionPool(
        kwargs=connection_parameters(), min_size=1, max_size=4, timeout=5, open=False
    ) as pool:
        yield pool


async def record(pool: Pool, reservation: Reservation) -> None:
    """What the run's recorder does: one usage row under the reservation."""
    row = ledger.UsageRow(
        organization_id=reservation.organization_id,
        key=str(uuid7()),
        meter=reservation.meter,
        source_kind="run",
        source_id=uuid7(),
        occurred_at=datetime.now(UTC),
        lease_id=reservation.lease_id,
    )
    async with pool.connection() as raw, raw.transaction():
        await raw.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
        await raw.execute(ledger.RECORD, ledger.usage_rows([row]))


async def in_thread(work: Callable[[], Outcome]) -> Outcome:
    """Do it in a thread, whose database connection must not outlive it."""

    def done() -> Outcome:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(done)


def quota_of(organization: Organization) -> Quota:
    with organization_scope(organization.id):
        return Quota.objects.get(meter=plans.RUNS)


def expire_leases() -> None:
    with system_scope(), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_allowancelease SET expires_at = now() - interval '1 second'")


def test_take__first_run_of_a_month__leases_a_hundredth_of_the_plans_quota() -> None:
    organization = make_organization()

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> Reservation:
        return await books[0].take(organization.id)

    reservation = with_books(1, scenario)
    assert reservation.meter == plans.RUNS
    with organization_scope(organization.id):
        lease = AllowanceLease.objects.get(id=reservation.lease_id)
    assert (lease.amount, lease.quota_id) == (100, quota_of(organization).id)


def test_take__sandbox_run__is_metered_apart_and_never_refused() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=0)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> Reservation:
        return await books[0].take(organization.id, livemode=False)

    assert with_books(1, scenario) == Reservation(organization.id, plans.SANDBOX_RUNS)


def test_take__two_hundred_at_ten_before_the_cap_from_three_books__exactly_ten_pass() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=1_000, used=990)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> list[Any]:
        takes = (books[number % 3].take(organization.id) for number in range(200))
        results = await asyncio.gather(*takes, return_exceptions=True)
        granted = [result for result in results if isinstance(result, Reservation)]
        for number, reservation in enumerate(granted):
            await record(pool, reservation)
            books[number % 3].settle(reservation)
            for book in books:
                book.settle(reservation)
        return results

    results = with_books(3, scenario)
    assert sum(isinstance(result, Reservation) for result in results) == 10
    assert sum(isinstance(result, QuotaExceeded) for result in results) == 190
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (1_000, 0)


def test_take__beyond_the_quota__says_when_it_starts_anew() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=0)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> QuotaExceeded:
        with pytest.raises(QuotaExceeded) as caught:
            await books[0].take(organization.id)
        return caught.value

    error = with_books(1, scenario)
    assert error.body(None)["error"]["resets_at"] == plans.period_end(datetime.now(UTC)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 31 * 86_400


def test_release__failed_runs__leave_the_quota_as_it_was() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=20)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> None:
        for _ in range(5):
            held = await asyncio.gather(*(books[0].take(organization.id) for _ in range(20)))
            for reservation in held:
                books[0].release(reservation)
                books[0].release(reservation)

    with_books(1, scenario)
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (0, 0)


def test_book__unused_for_a_second__gives_back_while_others_are_in_flight() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=1_000)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> None:
        book = books[0]
        held = await book.take(organization.id)
        assert await in_thread(lambda: quota_of(organization).reserved) == 10
        for lease in book._shelves[organization.id].leases.values():
            lease.touched -= 2
        await book._tidy()
        assert await in_thread(lambda: quota_of(organization).reserved) == 1
        await record(pool, held)
        book.settle(held)

    with_books(1, scenario)
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (1, 0)


def test_sweep__process_died_after_recording_some__counts_them_and_returns_the_rest() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=1_000)

    async def scenario() -> None:
        async with open_pool() as pool:
            book = AllowanceBook(pool)
            for _ in range(3):
                await record(pool, await book.take(organization.id))
            await book.take(organization.id)
            assert book._housekeeping is not None
            book._housekeeping.cancel()

    asyncio.run(scenario())
    expire_leases()
    assert sweep_leases() == 1
    assert sweep_leases() == 0
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (3, 0)


def test_sweep__run_recorded_after_its_lease_expired__is_counted_late_and_once() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=1_000)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> None:
        slow = await books[0].take(organization.id)
        await in_thread(expire_leases)
        await in_thread(sweep_leases)
        await record(pool, slow)
        books[0].settle(slow)

    with_books(1, scenario)
    sweep_leases()
    sweep_leases()
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (1, 0)


def test_take__quota_held_by_an_expired_lease__frees_it_without_the_sweeper() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=1)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> Reservation:
        await books[0].take(organization.id)
        await in_thread(expire_leases)
        return await books[1].take(organization.id)

    assert with_books(2, scenario).lease_id is not None


def test_take__next_month__uses_the_next_months_quota() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=0)

    async def scenario() -> Reservation:
        async with open_pool() as pool:
            book = AllowanceBook(pool, clock=lambda: datetime.now(UTC) + timedelta(days=32))
            reservation = await book.take(organization.id)
            await book.close()
            return reservation

    assert asyncio.run(scenario()).lease_id is not None
    with organization_scope(organization.id):
        assert Quota.objects.count() == 2


def test_take__postgres_away__is_unavailable() -> None:
    async def scenario() -> None:
        pool: Pool = AsyncConnectionPool("host=/nowhere", min_size=0, max_size=1, timeout=0.2, open=False)
        async with pool:
            book = AllowanceBook(pool)
            with pytest.raises(Unavailable):
                await book.take(UUID(int=1))
            await book.close()

    asyncio.run(scenario())


def test_usage_summary__open_and_closed_leases__adds_up_to_the_ledger() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=500, used=7)

    async def scenario(pool: Pool, books: list[AllowanceBook]) -> Any:
        await record(pool, await books[0].take(organization.id))
        await record(pool, await books[0].take(organization.id, livemode=False))

        def read() -> Any:
            with organization_scope(organization.id):
                return usage_summary(organization.id)

        return await in_thread(read)

    summary = with_books(1, scenario)
    assert (summary.used, summary.sandbox_used, summary.included, summary.remaining) == (8, 1, 500, 492)


def test_take__lease_nearly_spent__brings_the_next_one_ahead() -> None:
    organization = make_organization()

    async def scenario(_: Pool, books: list[AllowanceBook]) -> int:
        [book] = books
        reservations = [await book.take(organization.id) for _ in range(76)]
        shelf = book._shelves[organization.id]
        assert shelf.ahead is not None
        await asyncio.wait({shelf.ahead})
        free = sum(lease.free for lease in shelf.leases.values())
        for reservation in reservations:
            book.release(reservation)
        return free

    # A hundredth of 10,000, then of the 9,900 that are left; all of it goes back.
    assert with_books(1, scenario) == 24 + 99
    quota = quota_of(organization)
    assert (quota.used, quota.reserved) == (0, 0)
