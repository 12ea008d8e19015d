"""Quota held for longer than a process lives, as for calls that wait for a day in a provider's batch.

A hold is an allowance lease that whoever asked for it keeps in a row of their own: runs recorded under it
count as with any lease, and closing it gives the rest back. One that is forgotten expires.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from apps.billing import lease_sql, plans
from apps.billing.allowance import close_leases, locked_quota
from apps.core import ids
from apps.core.scope import SYSTEM_ROLE

Pool = AsyncConnectionPool[AsyncConnection[Any]]

_HELD: Final = """
SELECT quota_id, amount FROM billing_allowancelease
WHERE organization_id = %(organization_id)s AND id = %(lease_id)s AND closed_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """Runs that are kept free: as many as were asked for, or as there are. No quota, no lease."""

    lease_id: UUID | None
    amount: int


async def hold_runs(pool: Pool, organization_id: UUID, wanted: int, *, seconds: float, holder: str) -> Hold:
    """Keep up to `wanted` runs of this month's quota free for `seconds`; none, where it is used up."""
    if plans.plan_of(organization_id).quota(plans.RUNS) is None:
        return Hold(None, wanted)
    now = datetime.now(UTC)
    key = {
        "organization_id": organization_id,
        "meter": plans.RUNS,
        "period_start": plans.period_start(now),
    }
    async with _transaction(pool) as connection:
        quota_id, room = await locked_quota(connection, organization_id, key)
        amount = min(wanted, room)
        if amount <= 0:
            return Hold(None, 0)
        lease_id = ids.uuid7()
        taken = {"id": lease_id, "quota_id": quota_id, "holder": holder[:80], "amount": amount}
        await connection.execute(lease_sql.TAKE_LEASE, {**key, **taken, "seconds": seconds})
    return Hold(lease_id, amount)


async def keep_only(pool: Pool, organization_id: UUID, lease_id: UUID, amount: int) -> None:
    """Give back what is held beyond `amount` runs."""
    names = {"organization_id": organization_id, "lease_id": lease_id}
    async with _transaction(pool) as connection:
        found = await (await connection.execute(_HELD, names)).fetchone()
        if found is None or found[1] <= amount:
            return
        values = {**names, "quota_id": found[0], "amount": found[1] - amount}
        await connection.execute(lease_sql.LOCK_QUOTA_BY_ID, values)
        await connection.execute(lease_sql.SHRINK_LEASE, values)


async def let_go(pool: Pool, organization_id: UUID, lease_id: UUID) -> None:
    """End a hold: what was recorded under it is used, the rest is free. A second time does nothing."""
    names = {"organization_id": organization_id, "lease_id": lease_id}
    async with _transaction(pool) as connection:
        found = await (await connection.execute(_HELD, names)).fetchone()
        if found is not None:
            await close_leases(connection, organization_id, found[0], [lease_id], expired=False)


@asynccontextmanager
async def _transaction(pool: Pool) -> AsyncIterator[AsyncConnection[Any]]:
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
        yield connection
