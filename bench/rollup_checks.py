"""What `bench.rollups` compares and measures, on the database that it made."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from django.db import connection
from psycopg_pool import AsyncConnectionPool

from apps.analytics import histograms
from apps.analytics.counting.recounting import recount_day
from apps.analytics.counting.waiting import LOCK
from apps.core import crypto
from apps.core.change_readers import connection_parameters
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from apps.runs import record_rows
from apps.runs.feedback import Giver
from apps.runs.models import Feedback, Run
from apps.runs.recording import GroupRecorder
from apps.runs.services import give_feedback, remove_feedback
from apps.runs.types import RunRecord
from apps.tenants.models import Project
from bench.history import Cast, make_cast
from tests.factories import make_project, make_run_record

Line = tuple[str, bool]
PLAIN: Final = "no roll-ups"
WAITING: Final = "rows left for the job"
COUNTING: Final = "job at work"
CALLERS: Final = 64
SECONDS_A_TURN: Final = 20
JOB_PAUSE: Final = 5.0
LEAST_SHARE: Final = 0.9
LONGEST_LAG: Final = 10.0
SHARES: Final = (0.5, 0.95, 0.99)

_EXACT: Final = """
SELECT project_id::text, coalesce(prompt_id::text, ''), sandbox, date_trunc('day', moment AT TIME ZONE 'UTC'),
    percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms), count(*)
FROM (
    SELECT *, to_timestamp(('x0000' || left(id::text, 8) || substr(id::text, 10, 4))::bit(64)::bigint / 1000)
        AS moment
    FROM runs_run WHERE status = 'succeeded' AND cached_from IS NULL
) AS each GROUP BY GROUPING SETS ((1, 2, 3, 4), (1, 2, 3))
"""
_ROLLED: Final = """
SELECT project_id::text, coalesce(prompt_id::text, ''), sandbox, day, jsonb_object_agg(bucket, n) FROM (
    SELECT project_id, prompt_id, sandbox, starts_at AT TIME ZONE 'UTC' AS day, bucket, sum(n)::bigint AS n
    FROM analytics_rollup JOIN analytics_segment AS segment ON segment.id = segment_id
    CROSS JOIN unnest(latency_buckets, latency_counts) AS each(bucket, n)
    WHERE grain = 1440 GROUP BY GROUPING SETS ((1, 2, 3, 4, 5), (1, 2, 3, 5))
) AS each GROUP BY 1, 2, 3, 4
"""
# Written without a look at how the roll-ups are made.
_SUMS: Final = """
SELECT (SELECT count(*) FROM runs_run), (SELECT count(*) FROM runs_run WHERE status = 'failed'),
    (SELECT sum(input_tokens) FROM runs_run), (SELECT sum(output_tokens) FROM runs_run),
    (SELECT sum(price_amount) FROM runs_run WHERE price_status IN ('priced', 'sandbox')),
    (SELECT count(*) FROM runs_run WHERE price_status = 'unknown'),
    (SELECT count(*) FROM runs_run WHERE 'variable:tone' = ANY(overrides)),
    (SELECT sum(score) FROM runs_feedback), (SELECT count(score) FROM runs_feedback)
"""
_ROLLED_SUMS: Final = """
SELECT sum(requests), sum(failed), sum(input_tokens), sum(output_tokens), sum(cost), sum(unknown_price),
    sum((overrides ->> 'variable:tone')::bigint), sum(feedback_sum), sum(feedback_count)
FROM analytics_rollup WHERE grain = %s
"""

# Not the vacuum, which takes turns of its own.
_BACKENDS: Final = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
"""


class RunningJob(Protocol):
    """The job's process."""

    @property
    def pid(self) -> int: ...

    def pause_or_go(self, goes: bool) -> None: ...

    def kill(self) -> None: ...


def waiting_runs() -> int:
    """How many runs wait to be counted."""
    return int(_rows("SELECT coalesce(sum(cardinality(run_ids)), 0) FROM runs_uncountedruns")[0][0])


def is_counting() -> bool:
    """Whether a transaction of the job is open."""
    return bool(_rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", LOCK)[0][0])


def wait_until_counting() -> None:
    """Return once the job is at work, or after ten seconds without."""
    until = time.monotonic() + 10
    while not is_counting() and time.monotonic() < until:
        time.sleep(0.01)


def change_feedback(project: Project, turn: int) -> None:
    """Sixty voices: given, given again with another score, every third taken back."""
    with organization_scope(project.organization_id):
        runs = list(Run.objects.filter(project_id=project.id).order_by("request_id", "latency_ms")[:60])
        for number, run in enumerate(runs):
            giver = Giver(f"told:turn-{turn}", "bench")
            give_feedback(giver=giver, run=run, score=1 + number % 5)
            give_feedback(giver=giver, run=run, score=1 + (number + turn) % 5)
            if number % 3 == 0:
                found = Feedback.objects.get(run_id=run.pk, giver=giver.key)
                remove_feedback(giver=giver, feedback=found)


def recounted(days: Sequence[date]) -> list[Line]:
    """Whether the recount finds no difference on any day."""
    began = time.monotonic()
    found = [recount_day(day) for day in days]
    for difference in [each for day in found for each in day.differences][:5]:
        print(difference)
    different, rollups = sum(day.different for day in found), sum(day.rollups for day in found)
    seconds = time.monotonic() - began
    runs = sum(day.runs for day in found)
    return [
        (
            f"recount of {runs:,} runs, {rollups:,} roll-ups: {different} differences ({seconds:.0f} s)",
            not different,
        )
    ]


def plain_sums(runs: int) -> list[Line]:
    """Whether plain sums over the tables are those of the roll-ups."""
    [told] = _rows(_SUMS)
    days = _rows(_ROLLED_SUMS, 1440)[0]
    hours = _rows(_ROLLED_SUMS, 60)[0]
    return [
        (f"{told[0]:,} runs are there, {runs:,} were written", told[0] == runs),
        ("day rows sum up to what the tables hold", told == days),
        ("hour rows sum up to what the tables hold", told == hours),
    ]


def percentiles() -> list[Line]:
    """The farthest that a percentile of a prompt, on a day or on all, lies from the exact one."""
    rolled = {row[:4]: {int(bucket): n for bucket, n in json.loads(row[4]).items()} for row in _rows(_ROLLED)}
    worst, compared = 0.0, 0
    for *place, exact, number in _rows(_EXACT):
        counts = rolled[tuple(place)]
        assert sum(counts.values()) == number
        for share, value in zip(SHARES, exact, strict=True):
            found = histograms.percentile(counts, share)
            assert found is not None
            worst = max(worst, abs(found - value) / max(value, 1))
            compared += 1
    return [(f"{compared:,} percentiles, at most {worst:.2%} from the exact ones", worst <= 0.01)]


@dataclass(slots=True)
class Pace:
    """What one way of writing got done: runs, seconds, and processor seconds of everything that took part."""

    runs: int = 0
    seconds: float = 0.0
    processor: float = 0.0


def compare_ingest(start_job: Callable[[float], RunningJob], *, seconds: int) -> list[Line]:
    """Runs a second by short turns, so that other load on the machine falls on all three alike.

    A share of the speed is told twice: by the clock, and by processor time, which is the same on a machine
    that has nothing else to do and no processor to spare.
    """
    writer = Writer(make_cast(make_project()))
    statement = record_rows.STATEMENT
    paces = {name: Pace() for name in (PLAIN, WAITING, COUNTING)}
    lags = []
    job = start_job(JOB_PAUSE)
    for _ in range(max(1, seconds // SECONDS_A_TURN)):
        for name, pace in paces.items():
            record_rows.STATEMENT = _without_waiting(statement) if name == PLAIN else statement  # type: ignore[misc]
            job.pause_or_go(name == COUNTING)
            writer.write(pace, SECONDS_A_TURN, job.pid)
            job.pause_or_go(True)
            seconds_taken, processor = _drain(job.pid)
            if name == COUNTING:
                # What is left at the end of a turn belongs to it.
                lags.append(seconds_taken)
                pace.processor += processor
    record_rows.STATEMENT = statement  # type: ignore[misc]
    job.kill()
    plain = paces[PLAIN]
    print(f"\n{'':<24}{'runs a second':>16}{'share':>8}{'processor time a run':>24}{'share':>8}")
    shares = {}
    for name, pace in paces.items():
        by_clock = pace.runs / pace.seconds / (plain.runs / plain.seconds)
        shares[name] = (plain.processor / plain.runs) / (pace.processor / pace.runs)
        print(
            f"{name:<24}{pace.runs / pace.seconds:>16,.0f}{by_clock:>8.1%}"
            f"{pace.processor / pace.runs * 1e6:>21,.0f} µs{shares[name]:>8.1%}"
        )
    kept = shares[COUNTING]
    return [
        (f"ingest keeps {kept:.1%} of its speed, by processor time", kept >= LEAST_SHARE),
        (f"all was counted {max(lags):.1f} s after a turn's last run at the latest", max(lags) < LONGEST_LAG),
    ]


class Writer:
    """A recorder and 64 callers who each record one run after the other."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.versions = [list(each.values()) for each in cast.versions.values()]
        self.template = make_run_record(project=cast.project, model="openai/gpt-5-mini")
        self.numbers = count()
        with organization_scope(cast.project.organization_id):
            self.key = crypto.data_key(cast.project.organization_id)

    def write(self, pace: Pace, seconds: float, job_pid: int) -> None:
        """Record for so many seconds."""
        asyncio.run(self._write(pace, seconds, job_pid))

    async def _write(self, pace: Pace, seconds: float, job_pid: int) -> None:
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            kwargs=connection_parameters(), min_size=1, max_size=1, open=False
        )
        async with pool:
            recorder = GroupRecorder(connection_parameters(), prepares=True)
            await recorder.open()
            await asyncio.gather(*(self._record(recorder) for _ in range(CALLERS)))
            before, began = await _processor_seconds(pool, job_pid), time.monotonic()
            until = began + seconds
            done = await asyncio.gather(*(self._call(recorder, until) for _ in range(CALLERS)))
            pace.seconds += time.monotonic() - began
            after = await _processor_seconds(pool, job_pid)
            pace.processor += _grown(before, after)
            pace.runs += sum(done)
            await recorder.close()

    async def _call(self, recorder: GroupRecorder, until: float) -> int:
        done = 0
        while time.monotonic() < until:
            await self._record(recorder)
            done += 1
        return done

    async def _record(self, recorder: GroupRecorder) -> None:
        """Submit a run and wait for its commit."""
        told: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()
        recorder.submit(self.record(), self.key, told.set_result)
        outcome = await told
        if isinstance(outcome, Exception):
            raise outcome

    def record(self) -> RunRecord:
        """A finished run of one of a dozen versions, with one of three keys."""
        number = next(self.numbers)
        run_id = uuid7()
        version = self.versions[number % len(self.versions)][number % 2]
        request = replace(
            self.template.request,
            run_id=run_id,
            usage_key=f"run:{run_id}",
            api_key_id=self.cast.keys[number % len(self.cast.keys)],
        )
        result = replace(
            self.template.result,
            run_id=run_id,
            created_at=datetime.now(UTC),
            version_number=version.number,
            latency_ms=200 + number * 37 % 9_000,
        )
        return replace(self.template, request=request, result=result)


def _drain(job_pid: int) -> tuple[float, float]:
    """Wait until the job has counted everything: how long it took, and how much of processors."""
    before, began = _spent(_rows(_BACKENDS), job_pid), time.monotonic()
    while waiting_runs():
        time.sleep(0.1)
    taken, after = time.monotonic() - began, _spent(_rows(_BACKENDS), job_pid)
    # What asking costs is not the job's.
    ours = {os.getpid(), connection.connection.info.backend_pid}
    return taken, _grown(before, {pid: spent for pid, spent in after.items() if pid not in ours})


async def _processor_seconds(pool: AsyncConnectionPool[Any], job_pid: int) -> dict[int, float]:
    async with pool.connection() as pooled:
        return _spent(await (await pooled.execute(_BACKENDS)).fetchall(), job_pid)


def _spent(backends: Sequence[tuple[Any, ...]], job_pid: int) -> dict[int, float]:
    """Seconds of processors that we, the job and the database's processes for us have used, by process."""
    return {pid: _seconds_of(pid) for pid in (os.getpid(), job_pid, *(row[0] for row in backends))}


def _grown(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(spent - before.get(pid, 0.0) for pid, spent in after.items())


def _seconds_of(pid: int) -> float:
    # In nanoseconds, unlike /proc/<pid>/stat; of each thread.
    return (
        sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def _without_waiting(statement: str) -> str:
    """The recorder's statement as it was before there were roll-ups."""
    begin = statement.index("), run_uncounted AS (")
    end = statement.index("), payload_written AS (")
    return (statement[:begin] + statement[end:]).replace("    RETURNING id, organization_id\n", "")


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with system_scope(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10min'")
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
