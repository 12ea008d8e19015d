"""Group commit: every record once, a bad one alone, fences, claims."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from apps.billing.models import UsageEvent
from apps.core import crypto
from apps.core.change_readers import connection_parameters
from apps.core.ids import encode
from apps.core.scope import organization_scope, system_scope
from apps.runs.models import Run, RunPayload, UncountedRuns
from apps.runs.recording import GroupRecorder
from apps.runs.types import RecordCompanion, RunRecord
from tests.factories import make_project, make_run_record

pytestmark = pytest.mark.django_db(transaction=True)


def _data_key(organization_id: UUID) -> bytes:
    with organization_scope(organization_id):
        return crypto.data_key(organization_id)


class Fence:
    """A companion that lets only some runs through."""

    def __init__(self, lost: set[UUID]) -> None:
        self.lost = lost

    def concerns(self, record: RunRecord) -> bool:
        return True

    async def write(self, connection: Any, records: Sequence[RunRecord]) -> set[UUID]:
        return {record.request.run_id for record in records} - self.lost


@asynccontextmanager
async def _recorder(*companions: RecordCompanion, **options: int) -> AsyncIterator[GroupRecorder]:
    recorder = GroupRecorder(connection_parameters(), companions, **options)  # type: ignore[arg-type]
    await recorder.open()
    yield recorder
    await recorder.close()


async def _record(recorder: GroupRecorder, record: RunRecord, data_key: bytes) -> bool:
    """Submit a record and wait for its end."""
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def ended(outcome: bool | Exception) -> None:
        if isinstance(outcome, Exception):
            told.set_exception(outcome)
        else:
            told.set_result(outcome)

    recorder.submit(record, data_key, ended)
    return await told


def _record_all(records: list[RunRecord], *companions: RecordCompanion, **options: int) -> list[Any]:
    async def run() -> list[Any]:
        async with _recorder(*companions, **options) as recorder:
            tasks = (_record(recorder, record, data_key) for record in records)
            return await asyncio.gather(*tasks, return_exceptions=True)

    data_key = _data_key(records[0].request.organization_id)
    return asyncio.run(run())


def _count(table: str) -> int:
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def test_record__many_at_once__writes_each_run_payload_and_usage_once() -> None:
    project = make_project()
    records = [make_run_record(project=project) for _ in range(150)]
    assert _record_all(records, group_limit=16) == [True] * 150
    with organization_scope(project.organization_id):
        assert set(Run.objects.values_list("pk", flat=True)) == {r.request.run_id for r in records}
        assert RunPayload.objects.count() == 150
    assert _count("billing_usageevent") == 150


@pytest.mark.parametrize("prepares", [False, True])
def test_record__one_record_that_postgres_refuses__fails_alone(prepares: bool) -> None:
    project = make_project()
    records = [make_run_record(project=project) for _ in range(20)]
    bad = replace(records[7], request=replace(records[7].request, user="\x00"))
    records[7] = bad
    outcomes = _record_all(records, prepares=prepares)
    assert isinstance(outcomes[7], psycopg.DataError)
    assert [outcome for index, outcome in enumerate(outcomes) if index != 7] == [True] * 19
    assert _count("runs_run") == 19


def test_record__a_plan_that_is_not_there_any_more__is_made_again() -> None:
    project = make_project()
    data_key = _data_key(project.organization_id)

    async def run() -> list[bool]:
        async with _recorder(prepares=True) as recorder:
            outcomes = [await _record(recorder, make_run_record(project=project), data_key)]
            link = recorder._links[0]
            async with link.transaction() as open_connection:
                await open_connection.execute("DEALLOCATE ALL")
            outcomes.append(await _record(recorder, make_run_record(project=project), data_key))
            return outcomes

    assert asyncio.run(run()) == [True, True]
    assert _count("runs_run") == 2


def test_record__more_than_a_socket_takes_at_once__is_written_whole() -> None:
    project = make_project()
    long = {"name": "x" * 200_000}
    records = [make_run_record(project=project) for _ in range(12)]
    records = [replace(each, request=replace(each.request, variables=long)) for each in records]
    assert _record_all(records, prepares=True) == [True] * 12
    assert _count("runs_runpayload") == 12


def test_record__whose_fence_is_lost__writes_nothing_and_says_so() -> None:
    project = make_project()
    kept, lost = make_run_record(project=project), make_run_record(project=project)
    assert _record_all([kept, lost], Fence({lost.request.run_id})) == [True, False]
    with organization_scope(project.organization_id):
        assert [run.pk for run in Run.objects.all()] == [kept.request.run_id]
    assert _count("billing_usageevent") == 1


def test_record__the_same_record_twice__stands_once() -> None:
    project = make_project()
    record = make_run_record(project=project)
    assert _record_all([record, record]) == [True, True]
    assert (_count("runs_run"), _count("billing_usageevent")) == (1, 1)


def test_record__a_group_of_two_organizations__waits_for_the_roll_ups_in_a_row_of_each() -> None:
    project, other = make_project(), make_project()
    records = [make_run_record(project=each) for each in (project, project, other)]
    assert _record_all([*records, records[0], make_run_record(project=project)]) == [True] * 5
    assert _record_all([records[1]]) == [True]
    with organization_scope(project.organization_id):
        waiting = list(UncountedRuns.objects.all())
        runs = sorted(Run.objects.values_list("pk", flat=True))
    assert sorted(run for row in waiting for run in row.run_ids) == runs
    assert [row.pk for row in waiting] == [min(row.run_ids) for row in waiting]
    with organization_scope(other.organization_id):
        assert [row.run_ids for row in UncountedRuns.objects.all()] == [[records[2].request.run_id]]


def test_record__two_runs_with_one_usage_key__count_once() -> None:
    project = make_project()
    records = [make_run_record(project=project, usage_key="item:1:1") for _ in range(2)]
    assert _record_all(records) == [True, True]
    assert (_count("runs_run"), _count("billing_usageevent")) == (2, 1)


@pytest.mark.parametrize("group_limit", [1, 64])
def test_record__a_usage_key_told_for_something_else__is_logged_and_not_charged(
    group_limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project()
    other = make_project(organization=project.organization, name="Other")
    records = [make_run_record(project=each, usage_key="item:1:1") for each in (project, other)]
    assert _record_all(records, group_limit=group_limit) == [True] * 2
    with system_scope():
        charged = UsageEvent.all_organizations.get().source_id
    [told] = [line for line in caplog.records if line.getMessage() == "runs.usage_conflict"]
    [refused] = {record.request.run_id for record in records} - {charged}
    assert (told.levelname, vars(told)["run_id"]) == ("ERROR", encode("run", refused))
    assert vars(told)["usage_key"] == "item:1:1"


def test_record__that_was_not_answered__is_not_charged() -> None:
    project = make_project()
    record = replace(make_run_record(project=project), usage_origin="none")
    assert _record_all([record]) == [True]
    assert (_count("runs_run"), _count("billing_usageevent")) == (1, 0)


def test_submit__whose_caller_is_cancelled__is_written_anyway() -> None:
    project = make_project()
    record = make_run_record(project=project)
    data_key = _data_key(project.organization_id)

    async def run() -> None:
        async with _recorder() as recorder:
            recorder.submit(record, data_key, lambda outcome: None)

    asyncio.run(run())
    assert _count("runs_run") == 1


def test_submit__whose_end_raises__does_not_keep_others_from_hearing_of_theirs() -> None:
    project = make_project()
    first, second = (make_run_record(project=project) for _ in range(2))
    data_key = _data_key(project.organization_id)

    def fail(outcome: bool | Exception) -> None:
        raise RuntimeError("the caller's own fault")

    async def run() -> bool:
        async with _recorder() as recorder:
            recorder.submit(first, data_key, fail)
            return await _record(recorder, second, data_key)

    assert asyncio.run(run()) is True
    assert _count("runs_run") == 2


@pytest.mark.parametrize("fences", [(), (Fence(set()),)])
def test_record__after_the_database_dropped_its_connections__succeeds(fences: tuple[Fence, ...]) -> None:
    project = make_project()
    records = [make_run_record(project=project) for _ in range(2)]
    data_key = _data_key(project.organization_id)

    async def run() -> bool:
        async with _recorder(*fences) as recorder:
            await _record(recorder, records[0], data_key)
            connection = recorder._links[0]._connection
            assert connection is not None
            parameters = connection_parameters()
            async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            return await _record(recorder, records[1], data_key)

    assert asyncio.run(run()) is True
    assert _count("runs_run") == 2
