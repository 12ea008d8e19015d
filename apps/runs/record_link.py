"""A writer's connection to Postgres: one transaction in one round trip, or one block of statements.

What every commit of runs needs is the same four commands. Through psycopg they are three round trips, each
of which waits in Python; here libpq gets them as one pipeline, and a callback reads what comes back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn

import psycopg
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from apps.core.deadlines import Deadline
from apps.core.scope import SYSTEM_ROLE

CONNECT_SECONDS: Final = 2
WRITE_SECONDS: Final = 20.0
# What a link that broke looks like.
BROKEN: Final = (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError)
_NAME: Final = b"promptsaas_record"
_SET_ROLE: Final = f"SET LOCAL ROLE {SYSTEM_ROLE}".encode()
_UNKNOWN_STATEMENT: Final = (InvalidSqlStatementName, DuplicatePreparedStatement)
_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE})


class RecordLink:
    """Made anew after it broke. `statement` has one parameter, `$1`; `prepares` keeps its plan.

    Nothing is set for longer than a transaction, so that a pooler may give each to another session.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        reconnected: Callable[[], Awaitable[None]] | None,
        *,
        statement: str,
        prepares: bool,
    ) -> None:
        self._parameters = {**parameters, "autocommit": True, "connect_timeout": CONNECT_SECONDS}
        self._reconnected = reconnected
        self._statement = statement.encode()
        self._prepares = prepares
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._pipeline: _Pipeline | None = None
        self._was_lost = False

    async def write(self, parameter: bytes) -> PGresult:
        """Commit the statement alone; its rows."""
        try:
            with Deadline(WRITE_SECONDS):
                if self._connection is None:
                    await self._connect()
                pipeline = self._pipeline
                assert pipeline is not None
                results = await pipeline.run(parameter)
        except BROKEN:
            await self._lose()
            raise
        except BaseException:
            # Cancelled in the middle, or something nobody expects: what still comes is not for the next one.
            await self.close()
            raise
        for result in results:
            if result.status in _FAILED:
                await self._refuse(result)
        if results[-1].command_status != b"COMMIT":
            # Postgres calls the commit of a failed transaction a success, under another name.
            await self._lose()
            raise psycopg.OperationalError("the transaction was rolled back")
        return results[-2]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A transaction under the system role for statements of others, which is over when the block is."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                if self._connection is None:
                    await self._connect()
                connection, pipeline = self._connection, self._pipeline
                assert connection is not None
                assert pipeline is not None
                pipeline.rest()
                await connection.execute(f"BEGIN; SET LOCAL ROLE {SYSTEM_ROLE}")
                yield connection
                if connection.pgconn.transaction_status != TransactionStatus.INTRANS:
                    raise psycopg.OperationalError("the transaction was rolled back")
                await connection.commit()
        except BROKEN:
            await self._lose()
            raise
        except BaseException:
            await self._roll_back()
            raise

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.rest()
        if connection is not None:
            with suppress(*BROKEN):
                await connection.close()

    async def _refuse(self, result: PGresult) -> NoReturn:
        error = error_from_result(result)
        if isinstance(error, _UNKNOWN_STATEMENT):
            # Somebody between us and Postgres gives this connection another session each time.
            await self._lose()
            raise psycopg.OperationalError("the prepared statement is not there") from error
        await self._roll_back()
        raise error

    async def _lose(self) -> None:
        self._was_lost = True
        await self.close()

    async def _connect(self) -> None:
        connection = await psycopg.AsyncConnection.connect(**self._parameters)
        if self._was_lost and self._reconnected is not None:
            try:
                await self._reconnected()
            except BaseException:
                await connection.close()
                raise
        self._was_lost = False
        self._connection = connection
        self._pipeline = _Pipeline(connection.pgconn, self._statement, prepares=self._prepares)

    async def _roll_back(self) -> None:
        """End a transaction of which a statement was refused, if there is one."""
        connection = self._connection
        if connection is None or connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                if self._pipeline is not None:
                    self._pipeline.rest()
                await connection.rollback()
        except BROKEN:
            await self.close()


class _Pipeline:
    """The statement's transaction on one connection, which nobody else uses meanwhile."""

    def __init__(self, connection: PGconn, statement: bytes, *, prepares: bool) -> None:
        self._connection = connection
        self._socket = connection.socket
        self._statement = statement
        self._prepares = prepares
        self._is_prepared = False
        self._loop = asyncio.get_running_loop()
        self._is_watching = False
        self._is_writing = False
        self._results: list[PGresult] = []
        self._ended: asyncio.Future[list[PGresult]] | None = None

    async def run(self, parameter: bytes) -> list[PGresult]:
        """Send all, and wait for all of it; the results by command. Raises psycopg.OperationalError."""
        connection = self._connection
        self._results = []
        ended = self._ended = self._loop.create_future()
        connection.enter_pipeline_mode()
        connection.send_query_params(b"BEGIN", None)
        connection.send_query_params(_SET_ROLE, None)
        if not self._prepares:
            connection.send_query_params(self._statement, [parameter])
        else:
            if not self._is_prepared:
                connection.send_prepare(_NAME, self._statement)
            connection.send_query_prepared(_NAME, [parameter])
        connection.send_query_params(b"COMMIT", None)
        connection.pipeline_sync()
        self._flush()
        if not self._is_watching:
            self._is_watching = True
            self._loop.add_reader(self._socket, self._read)
        try:
            results: list[PGresult] = await ended
        finally:
            self._ended = None
        connection.exit_pipeline_mode()
        if self._prepares and not self._is_prepared:
            # It stays even where the transaction around it fails.
            self._is_prepared = results[2].status == ExecStatus.COMMAND_OK
        return results

    def rest(self) -> None:
        """Leave the socket to others: psycopg watches it itself."""
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_reader(self._socket)
        self._stop_writing()

    def _flush(self) -> None:
        if self._connection.flush() == 0:
            self._stop_writing()
        elif not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._socket, self._write)

    def _stop_writing(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._socket)

    def _write(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._end(error)

    def _read(self) -> None:
        """Something has come: results, or the connection's end."""
        connection = self._connection
        try:
            connection.consume_input()
            if self._ended is None:
                return  # a notice, or a setting that has changed
            was_none = False
            while not connection.is_busy():
                result = connection.get_result()
                if result is None:
                    if was_none:
                        raise psycopg.OperationalError("Postgres has answered less than it was asked.")
                    was_none = True
                    continue
                was_none = False
                if result.status == ExecStatus.PIPELINE_SYNC:
                    self._end(None)
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            self.rest()  # else an ended connection would be told of again and again
        ended = self._ended
        if ended is None or ended.done():
            return
        if error is None:
            ended.set_result(self._results)
        else:
            ended.set_exception(error)
