"""Deleting content while runs are recorded: `python -m bench.retention [contents] [a second] [seconds]`.

So many old contents (200,000 by default) are due. Runs arrive at a steady rate (100 a second) and wait for
their commit, while a process of its own carries out the purge as cron does, by turns: some seconds (10) with
the purge, some without, so that whatever else the machine does falls on both. The 99th percentile of a run's
recording with the purge must stay under twice the one without, no piece of the purge may take longer than a
second, and exactly what was due must be gone.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.own_database import own_database

ROOT = Path(__file__).resolve().parent.parent
DAYS = 30
CONTENT_BYTES = 2_000
AT_ONCE = 20_000
WARM_SECONDS = 8.0
PURGE = """
import sys, time, pathlib, django; django.setup()
from apps.retention import services
while True:
    if pathlib.Path(sys.argv[1]).exists():
        services.work(0.5)
    else:
        time.sleep(0.02)
"""
# As the recorder writes them, but with made-up content: nobody reads it before it is deleted.
_OLD = """
WITH made AS (
    SELECT (lpad(to_hex((extract(epoch FROM %(first)s::timestamptz) * 1000)::bigint + n), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id, n
    FROM generate_series(%(from)s, %(to)s) AS n
), runs AS (
    INSERT INTO runs_run (id, organization_id, project_id, created_at, source, prompt_name, label, connection,
        model, request_id, status, error_code, error_type, error_message, usage_origin, price_status,
        price_snapshot, latency_ms, finish_reason, attempts, provider_request_id, sandbox, livemode, metadata,
        end_user, input_tokens, output_tokens)
    SELECT id, %(organization)s, %(project)s, %(first)s::timestamptz, 'gateway', '', '', 'openai',
        'openai/gpt-5-mini', '', 'succeeded', '', '', '', 'provider', 'priced', '{}', 420, 'stop', '[]', '',
        FALSE, TRUE, '{}', '', 100, 50
    FROM made
)
INSERT INTO runs_runpayload (id, organization_id, content, preview)
SELECT id, %(organization)s, substring(%(noise)s::bytea FROM 1 + n * 37 %% 60000 FOR %(bytes)s), '\\x00'
FROM made
"""


def main(arguments: Sequence[str]) -> int:
    """Run, print, answer 0 when everything held."""
    given = [int(each) for each in arguments] + [200_000, 100, 10][len(arguments) :]
    with own_database():
        lines = measure(*given)
    print()
    for words, holds in lines:
        print(f"{'ok' if holds else 'FAILED':<8}{words}")
    return 0 if all(holds for _, holds in lines) else 1


def measure(contents: int, rate: int, seconds: int) -> list[tuple[str, bool]]:
    """Fill, record by turns with and without the purge until it is through; what held and what did not."""
    from apps.retention.models import DataClass  # noqa: PLC0415 - needs the settings
    from tests.factories import make_policy, make_project  # noqa: PLC0415

    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=DAYS)
    young = fill(project, contents)
    without, during, purge = asyncio.run(record_by_turns(project, rate, seconds))
    left = contents_left(project, datetime.now(UTC) - timedelta(days=DAYS - 1))
    for name, found in (("without", without), ("with purge", during)):
        print(
            f"{name:<12}{len(found):>8,} runs   p50 {percentile(found, 0.5):6.1f}   "
            f"p95 {percentile(found, 0.95):6.1f}   p99 {percentile(found, 0.99):6.1f}   "
            f"longest {max(found):6.1f} ms"
        )
    gone, pieces, longest = purge["gone"], purge["chunks"], purge["longest_ms"]
    print(f"purge       {gone:>8,} contents, {pieces:,} pieces, {purge['seconds']:.0f} s with their rests")
    ratio = percentile(during, 0.99) / percentile(without, 0.99)
    stayed = contents_left(project, datetime.now(UTC)) >= young
    return [
        (f"p99 with the purge is {ratio:.2f} of the one without, under 2", ratio < 2),
        (f"the longest piece, and so the longest lock, took {longest} ms, under 1,000", longest < 1_000),
        (f"{gone:,} of {contents:,} due contents went, {left} are left", gone == contents and left == 0),
        (f"{young:,} younger contents stayed", stayed),
    ]


def fill(project: Any, contents: int) -> int:
    """Old runs with content, and some that are a day too young; returns how many of those."""
    from django.db import connection, connections  # noqa: PLC0415

    from apps.core.scope import system_scope  # noqa: PLC0415
    from bench.history import make_past_partitions  # noqa: PLC0415

    first = datetime.now(UTC) - timedelta(days=DAYS + 6)
    make_past_partitions(first)
    # What can't be compressed, as sealed content can't.
    young, noise = 1_000, os.urandom(65_536)
    moments = [(first, contents), (datetime.now(UTC) - timedelta(days=DAYS - 2), young)]
    for moment, rows in moments:
        for start in range(0, rows, AT_ONCE):
            with system_scope(), connection.cursor() as cursor:
                cursor.execute(
                    _OLD,
                    {
                        "first": moment,
                        "from": start,
                        "to": min(start + AT_ONCE, rows) - 1,
                        "organization": project.organization_id,
                        "project": project.pk,
                        "noise": noise,
                        "bytes": CONTENT_BYTES,
                    },
                )
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE runs_run, runs_runpayload")
    return young


async def record_by_turns(
    project: Any, rate: int, seconds: int
) -> tuple[list[float], list[float], dict[str, Any]]:
    """Latencies in ms of runs recorded without and with the purge, and what the purge says of itself."""
    from apps.runs.runtime import open_runtime  # noqa: PLC0415

    without: list[float] = []
    during: list[float] = []
    worked = 0.0
    with TemporaryDirectory() as folder:
        flag = Path(folder) / "go"
        process = start_purge(flag)
        try:
            async with open_runtime() as runtime:
                load = Load(runtime, project, rate)
                await load.run(WARM_SECONDS)
                await asyncio.to_thread(closing, begin, project)
                while True:
                    without += await load.run(seconds)
                    flag.touch()
                    started = time.monotonic()
                    during += await load.run(seconds)
                    worked += time.monotonic() - started
                    flag.unlink()
                    purge = await asyncio.to_thread(closing, state, project)
                    if purge is not None:
                        return without, during, {**purge, "seconds": worked}
                    await load.run(1)
        finally:
            process.kill()
            process.wait()


class Load:
    """Runs that arrive at a steady rate, whether or not the earlier ones are through."""

    def __init__(self, runtime: Any, project: Any, rate: int) -> None:
        self._recorder = runtime.engine._dependencies.recorder
        self._project = project
        self._rate = rate

    async def run(self, seconds: float) -> list[float]:
        """Record for so long; how long each took, in ms."""
        took: list[float] = []
        going: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        until = due + seconds
        while due < until:
            task = asyncio.create_task(self._record(took))
            going.add(task)
            task.add_done_callback(going.discard)
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*going)
        return took

    async def _record(self, took: list[float]) -> None:
        from tests.factories import make_run_record  # noqa: PLC0415

        record = make_run_record(project=self._project)
        started = time.monotonic()
        await self._recorder.record(record)
        took.append((time.monotonic() - started) * 1000)


def closing(function: Any, project: Any) -> Any:
    """Call it in a thread, whose connection must not outlive the bench's database."""
    from django.db import connection  # noqa: PLC0415

    try:
        return function(project)
    finally:
        connection.close()


def begin(project: Any) -> None:
    """Ask for the purge, as "Delete now" does."""
    from apps.audit.actor import SYSTEM  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.retention.services import request_purge  # noqa: PLC0415

    with organization_scope(project.organization_id):
        request_purge(actor=SYSTEM, organization=project.organization)


def start_purge(flag: Path) -> "subprocess.Popen[bytes]":
    """What cron does, in a process of its own, for as long as the flag stands."""
    environment = os.environ | {"PROMPTSAAS_PROCESS": "cron", "LOG_LEVEL": "WARNING"}
    return subprocess.Popen([sys.executable, "-c", PURGE, str(flag)], cwd=ROOT, env=environment)


def state(project: Any) -> dict[str, Any] | None:
    """What the purge did, once it has finished."""
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.retention.models import PurgeRun  # noqa: PLC0415

    with organization_scope(project.organization_id):
        purge = PurgeRun.objects.filter(state="finished", night=None).first()
    if purge is None:
        return None
    gone = purge.counts.get("run_payloads", 0)
    return {"gone": gone, "chunks": purge.chunks, "longest_ms": purge.longest_ms}


def contents_left(project: Any, before: datetime) -> int:
    """Contents of runs from before a moment."""
    from apps.core.ids import first_of  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.runs.models import RunPayload  # noqa: PLC0415

    with organization_scope(project.organization_id):
        return RunPayload.objects.filter(pk__lt=first_of(before)).count()


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so many lie at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
