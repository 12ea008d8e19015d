"""Writing finished runs: group commit.

All records that wait are written by one statement; each caller returns after the commit that holds its
record. There is no linger: while one group commits, the next one gathers. Everything runs on the raw
async pool under the system role, never in a Django scope.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from apps.billing import ledger
from apps.core import ids
from apps.core.errors import Unavailable
from apps.core.logs import get_logger
from apps.core.scope import SYSTEM_ROLE
from apps.runs import record_rows
from apps.runs.idempotency import ClaimCompanion
from apps.runs.types import RecordCompanion, RunRecord

logger = get_logger(__name__)

RETRIES: Final = 2
RETRY_WAIT_SECONDS: Final = 0.2


class DataKeys(Protocol):
    """Gives an organization's data key, from a cache where possible."""

    async def get(self, organization_id: UUID) -> bytes: ...


@dataclass(slots=True)
class _Waiting:
    row: record_rows.SealedRecord
    done: asyncio.Future[bool]


class GroupRecorder:
    """The recorder of gateway and batches. `companions` add their rows to the same transactions.

    At most `queue_limit` records wait (a further caller waits for room); a statement holds `group_limit`.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        data_keys: DataKeys,
        companions: Sequence[RecordCompanion] = (),
        *,
        queue_limit: int = 2048,
        group_limit: int = 64,
        writers: int = 1,
    ) -> None:
        self._pool = pool
        self._data_keys = data_keys
        self._companions = (ClaimCompanion(), *companions)
        self._group_limit = group_limit
        self._writer_count = writers
        self._room = asyncio.Semaphore(queue_limit)
        self._waiting: deque[_Waiting] = deque()
        self._unfinished: set[asyncio.Future[bool]] = set()
        self._arrived = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start the writers."""
        self._writers = [asyncio.create_task(self._write_forever()) for _ in range(self._writer_count)]

    async def close(self) -> None:
        """Write what waits, then stop. No record may arrive any more."""
        while self._unfinished:
            await asyncio.wait(self._unfinished)
        for task in self._writers:
            task.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def record(self, record: RunRecord) -> bool:
        """Write a run; returns after the commit, False when a companion's fence was lost.

        Raises Unavailable when Postgres can't be reached, psycopg errors for a record it refuses.
        """
        data_key = await self._data_keys.get(record.request.organization_id)
        waiting = _Waiting(record_rows.seal(record, data_key), asyncio.get_running_loop().create_future())
        async with self._room:
            self._unfinished.add(waiting.done)
            waiting.done.add_done_callback(self._unfinished.discard)
            self._waiting.append(waiting)
            self._arrived.set()
            # The record is written even if its caller is cancelled.
            return await asyncio.shield(waiting.done)

    async def _write_forever(self) -> None:
        while True:
            await self._arrived.wait()
            group = self._next_group()
            if group:
                await self._write(group)

    def _next_group(self) -> list[_Waiting]:
        size = min(self._group_limit, len(self._waiting))
        group = [self._waiting.popleft() for _ in range(size)]
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            kept = await self._commit_with_retries(group)
        except (psycopg.OperationalError, PoolTimeout):
            logger.exception("runs.record_failed", extra={"runs": len(group)})
            _fail(
                group, Unavailable("The run could not be recorded.", code="recording_failed", retry_after=2)
            )
        except Exception as error:
            await self._write_halves(group, error)
        else:
            for waiting in group:
                waiting.done.set_result(waiting.row.run_id in kept)

    async def _write_halves(self, group: list[_Waiting], error: Exception) -> None:
        """Find the record that can't be written: everybody else's must not suffer for it."""
        if len(group) == 1:
            row = group[0].row
            found = {
                "run_id": ids.encode("run", row.run_id),
                "organization_id": ids.encode("org", row.record.request.organization_id),
            }
            logger.error("runs.record_refused", exc_info=error, extra=found)
            _fail(group, error)
            return
        middle = len(group) // 2
        await self._write(group[:middle])
        await self._write(group[middle:])

    async def _commit_with_retries(self, group: list[_Waiting]) -> set[UUID]:
        for number in range(RETRIES):
            try:
                return await self._commit(group)
            except (psycopg.OperationalError, PoolTimeout) as error:
                logger.warning("runs.record_retried", extra={"runs": len(group), "error": str(error)})
                await asyncio.sleep(RETRY_WAIT_SECONDS * 2**number)
                # After a restart of Postgres every pooled connection is dead at once.
                await self._pool.check()
        return await self._commit(group)

    async def _commit(self, group: list[_Waiting]) -> set[UUID]:
        """One transaction. Repeating it is harmless: every insert ignores a key that is already there."""
        rows = sorted((waiting.row for waiting in group), key=lambda row: row.run_id)
        async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
            kept = await self._companions_write(connection, [row.record for row in rows])
            written = await connection.execute(
                record_rows.STATEMENT, record_rows.parameters([row for row in rows if row.run_id in kept])
            )
            outcomes = await written.fetchall()
        _report_conflicts(rows, outcomes)
        return kept

    async def _companions_write(self, connection: Any, records: list[RunRecord]) -> set[UUID]:
        kept = {record.request.run_id for record in records}
        for companion in self._companions:
            kept &= await companion.write(connection, [r for r in records if r.request.run_id in kept])
        return kept


def _report_conflicts(
    rows: list[record_rows.SealedRecord], outcomes: list[tuple[UUID, ledger.Outcome]]
) -> None:
    """The ledger charged none of these: their usage key already stands for another amount."""
    told = {row.run_id: row.record.request for row in rows}
    for run_id, outcome in outcomes:
        if outcome == "conflict":
            request = told[run_id]
            logger.error(
                "runs.usage_conflict",
                extra={
                    "run_id": ids.encode("run", run_id),
                    "organization_id": ids.encode("org", request.organization_id),
                    "usage_key": request.usage_key,
                },
            )


def _fail(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.done.set_exception(error)
        # Marks it as retrieved: the caller may have gone.
        waiting.done.exception()
