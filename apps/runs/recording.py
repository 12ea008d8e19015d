"""Writing finished runs: group commit.

All records that wait are written by one statement; each caller is told after the commit that holds its
record. There is no linger: while one group commits, the next one gathers. Everything runs on raw
connections under the system role, never in a Django scope.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.pq.abc import PGresult

from apps.billing import ledger
from apps.core import ids
from apps.core.errors import Unavailable
from apps.core.logs import get_logger
from apps.runs import record_rows
from apps.runs.idempotency import ClaimCompanion
from apps.runs.record_link import BROKEN, RecordLink
from apps.runs.types import Ended, RecordCompanion, RunRecord

logger = get_logger(__name__)

# After a crash Postgres is back within a few seconds: what a provider was paid for waits that long for it.
PATIENCE_SECONDS: Final = 5.0
RETRY_WAIT_SECONDS: Final = 0.2
GROUP_BYTES: Final = 16 * 1024 * 1024
CONFLICT: Final[ledger.Outcome] = "conflict"


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: record_rows.SealedRecord
    ended: Ended
    since: float


class GroupRecorder:
    """The recorder of gateway and batches. `companions` add their rows to the same transactions.

    `parameters` are psycopg's for a connection. A statement holds `group_limit` records; how many may wait is
    for the callers to bound. `prepares` keeps the statement's plan with the connection. `reconnected` is
    awaited when a connection was lost and is there again.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        companions: Sequence[RecordCompanion] = (),
        *,
        group_limit: int = 128,
        writers: int = 1,
        prepares: bool = False,
        reconnected: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._companions = (ClaimCompanion(), *companions)
        self._group_limit = group_limit
        self._prepares = prepares
        # psycopg prepares nothing, even where it is told to, on a connection without a threshold.
        parameters = {**parameters, "prepare_threshold": 5 if prepares else None}
        statement = record_rows.STATEMENT.replace("%(rows)s", "$1")
        self._links = [
            RecordLink(parameters, reconnected, statement=statement, prepares=prepares)
            for _ in range(writers)
        ]
        self._waiting: deque[_Waiting] = deque()
        self._unfinished = 0
        self._arrived = asyncio.Event()
        self._quiet = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start the writers."""
        self._writers = [asyncio.create_task(self._write_forever(link)) for link in self._links]

    async def close(self) -> None:
        """Write what waits, then stop. No record may arrive any more."""
        while self._unfinished:
            self._quiet.clear()
            await self._quiet.wait()
        for task in self._writers:
            task.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)
        for link in self._links:
            await link.close()

    def submit(self, record: RunRecord, data_key: bytes, ended: Ended) -> None:
        """Take a run to be written; it is written even if its caller is cancelled.

        `ended` is told Unavailable when Postgres can't be reached, psycopg errors for a record it refuses.
        """
        self._waiting.append(_Waiting(record_rows.seal(record, data_key), ended, time.monotonic()))
        self._unfinished += 1
        self._arrived.set()

    async def _write_forever(self, link: RecordLink) -> None:
        while True:
            await self._arrived.wait()
            group = self._next_group()
            if group:
                await self._write(link, group)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < self._group_limit and size < GROUP_BYTES:
            waiting = self._waiting.popleft()
            size += waiting.row.size
            group.append(waiting)
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _write(self, link: RecordLink, group: list[_Waiting]) -> None:
        try:
            kept = await self._commit_with_retries(link, group)
        except BROKEN:
            logger.exception("runs.record_failed", extra={"runs": len(group)})
            message = "The run could not be recorded."
            self._tell(group, Unavailable(message, code="recording_failed", retry_after=2))
        except Exception as error:
            await self._write_halves(link, group, error)
        else:
            if kept is None:
                self._tell(group, True)
            else:
                for waiting in group:
                    self._tell([waiting], waiting.row.run_id in kept)

    async def _write_halves(self, link: RecordLink, group: list[_Waiting], error: Exception) -> None:
        """Find the record that can't be written: everybody else's must not suffer for it."""
        if len(group) == 1:
            row = group[0].row
            found = {
                "run_id": ids.encode("run", row.run_id),
                "organization_id": ids.encode("org", row.record.request.organization_id),
            }
            logger.error("runs.record_refused", exc_info=error, extra=found)
            self._tell(group, error)
            return
        middle = len(group) // 2
        await self._write(link, group[:middle])
        await self._write(link, group[middle:])

    async def _commit_with_retries(self, link: RecordLink, group: list[_Waiting]) -> set[UUID] | None:
        until = group[0].since + PATIENCE_SECONDS
        while True:
            try:
                return await self._commit(link, group)
            except BROKEN as error:
                if time.monotonic() + RETRY_WAIT_SECONDS > until:
                    raise
                logger.warning("runs.record_retried", extra={"runs": len(group), "error": str(error)})
                await asyncio.sleep(RETRY_WAIT_SECONDS)

    async def _commit(self, link: RecordLink, group: list[_Waiting]) -> set[UUID] | None:
        """One transaction; which runs it kept, None for all of them.

        Repeating it is harmless: every insert ignores a key that is already there.
        """
        rows = sorted([waiting.row for waiting in group], key=_by_run_id)
        records = [row.record for row in rows]
        companions = [each for each in self._companions if any(map(each.concerns, records))]
        if not companions:
            written = await link.write(record_rows.text_of(rows))
            _report_conflicts(rows, _conflicts_of(written))
            return None
        async with link.transaction() as connection:
            kept = await _companions_write(companions, connection, records)
            parameters = record_rows.parameters([row for row in rows if row.run_id in kept])
            found = await connection.execute(record_rows.STATEMENT, parameters, prepare=self._prepares)
        outcomes = await found.fetchall()
        _report_conflicts(rows, {run_id for run_id, outcome in outcomes if outcome == CONFLICT})
        return kept

    def _tell(self, group: Sequence[_Waiting], outcome: bool | Exception) -> None:
        for waiting in group:
            try:
                waiting.ended(outcome)
            except Exception:
                # Another run's caller must hear of its own commit whatever becomes of this one's.
                logger.exception("runs.ended_failed")
        self._unfinished -= len(group)
        if not self._unfinished:
            self._quiet.set()


async def _companions_write(
    companions: Sequence[RecordCompanion], connection: Any, records: list[RunRecord]
) -> set[UUID]:
    kept = {record.request.run_id for record in records}
    for companion in companions:
        kept &= await companion.write(connection, [r for r in records if r.request.run_id in kept])
    return kept


def _by_run_id(row: record_rows.SealedRecord) -> int:
    return row.run_id.int


def _conflicts_of(written: PGresult) -> set[UUID]:
    """The runs whose usage key stands for another amount."""
    conflict = CONFLICT.encode()
    return {
        UUID((written.get_value(row, 0) or b"").decode())
        for row in range(written.ntuples)
        if written.get_value(row, 1) == conflict
    }


def _report_conflicts(rows: list[record_rows.SealedRecord], conflicts: set[UUID]) -> None:
    """The ledger charged none of these: their usage key already stands for another amount."""
    if not conflicts:
        return
    for row in rows:
        if row.run_id in conflicts:
            request = row.record.request
            logger.error(
                "runs.usage_conflict",
                extra={
                    "run_id": ids.encode("run", row.run_id),
                    "organization_id": ids.encode("org", request.organization_id),
                    "usage_key": request.usage_key,
                },
            )
