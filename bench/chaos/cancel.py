"""Stopping batches and holding their caps: `python -m bench.chaos.cancel [what] [number]`.

stops   batches of 300 rows, four at a time, are stopped half-way, one hundred in all: each must have ended
        within five seconds, keep what was finished, add up, and be charged nothing more afterwards
cap     a batch of 2,000 rows under a cost cap that ends it half-way and is raised once meanwhile; the job's
        row is read all the time: spent and set aside together never exceed the cap of that moment

Without a name both. Four workers and a provider of 20 to 200 ms over HTTP; nobody helps.
"""

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.chaos.checks import Check, tell
from bench.chaos.processes import Processes
from bench.chaos.support import MODEL, Arena, arena
from bench.own_database import BENCH

if TYPE_CHECKING:
    from bench.chaos.batch_work import Work

WORKERS: Final = 4
WAIT_MS: Final = "20-200"
LANES: Final = 4
ROWS: Final = {"stops": 300, "cap": 2_000}
NUMBERS: Final = {"stops": 100, "cap": 2_000}
MOST_SECONDS: Final = 5.0
AFTERWARDS_SECONDS: Final = 10.0
"""How long after the last stop the money is looked at again: longer than any call."""


@dataclass
class Stopped:
    """How one stop went."""

    work: "Work"
    seconds: float
    finished: int
    spent: Decimal


@dataclass
class Watched:
    """What was read of a capped job."""

    looks: int = 0
    over: int = 0
    dearest: Decimal = Decimal(0)
    caps: list[Decimal] = field(default_factory=list)


def main() -> int:
    """Run what is asked for; 1 when a line says FAILED."""
    names = [name for name in sys.argv[1:] if name in NUMBERS] or list(NUMBERS)
    numbers = [int(word) for word in sys.argv[1:] if word not in NUMBERS]
    return max(run(name, numbers[0] if numbers else NUMBERS[name]) for name in names)


def run(name: str, number: int) -> int:
    """One part, with processes of its own."""
    print(f"{name}: {number:,}, {WORKERS} workers")
    with arena(wait_ms=WAIT_MS, profile=BENCH) as place, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        processes = Processes(Path(os.environ.get("BENCH_LOG") or folder / "log"))
        stack.callback(processes.stop)
        processes.start("cron", "cron")
        for each in range(WORKERS):
            processes.start(f"worker {each}", "worker")
        return tell(*(stops(place, number) if name == "stops" else cap(place, number)))


def stops(place: Arena, number: int) -> list[Check]:
    """Stop so many batches, and look at all of them afterwards."""
    with ThreadPoolExecutor(LANES) as lanes:
        stopped = list(lanes.map(lambda _: _stop_one(place), range(number)))
    time.sleep(AFTERWARDS_SECONDS)
    return [*_told(stopped), *_afterwards(stopped)]


def cap(place: Arena, rows: int) -> list[Check]:
    """Run one batch into its cap, raise it, and let it run into it again."""
    from apps.audit.actor import SYSTEM  # noqa: PLC0415 - needs the settings
    from apps.batches.services import BatchChanges, change_batch  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from bench.chaos.batch_work import Work  # noqa: PLC0415
    from tests.factories.providers import make_price  # noqa: PLC0415

    make_price(project=place.project, pattern=MODEL)
    whole = _cost_of_row(place) * rows
    work = Work.start(place.project, rows, concurrency=64, cost_cap=whole / 4)
    watched, ended = Watched(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(work, watched, ended))
    watcher.start()
    work.wait_for(rows // 8, seconds=120)
    with organization_scope(work.organization_id):
        change_batch(actor=SYSTEM, job=work.job(), changes=BatchChanges(cost_cap=whole / 2))
    over = not work.wait_for_end(seconds=300)
    ended.set()
    watcher.join()
    job = work.job()
    return [
        Check("looks at the job while it ran", watched.looks, watched.looks > 100),
        Check("looks at which spent and set aside exceeded the cap", watched.over, not watched.over),
        Check("caps that were seen", len(set(watched.caps)), len(set(watched.caps)) == 2),
        Check("share of the cap that was spent at the end", float(job.cost_used / whole * 2), not over),
        Check("set aside at the end, in dollars", float(job.cost_reserved), job.cost_reserved == 0),
        Check(f"rows through when it was {job.status}", job.finished, job.stop_reason == "cost_cap"),
        Check(
            "spent beyond the cap, in dollars",
            float(max(job.cost_used - whole / 2, Decimal(0))),
            job.cost_used <= whole / 2,
        ),
    ]


def _stop_one(place: Arena) -> Stopped:
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from apps.audit.actor import SYSTEM  # noqa: PLC0415
    from apps.batches.services import cancel_batch  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from bench.chaos.batch_work import Work  # noqa: PLC0415

    try:
        rows = ROWS["stops"]
        work = Work.start(place.project, rows, concurrency=32)
        work.wait_for(random.randint(1, rows // 2), seconds=120)
        with organization_scope(work.organization_id):
            cancel_batch(actor=SYSTEM, job=work.job())
        began = time.monotonic()
        while not work.job().is_terminal and time.monotonic() - began < 60:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        job = work.job()
        return Stopped(work, seconds, job.finished, job.cost_used)
    finally:
        connections.close_all()


def _told(stopped: list[Stopped]) -> list[Check]:
    seconds = sorted(each.seconds for each in stopped)
    in_time = sum(each <= MOST_SECONDS for each in seconds)
    return [
        Check("batches stopped", len(stopped), bool(stopped)),
        Check("seconds from the stop to the end, median", statistics.median(seconds), True),
        Check("seconds from the stop to the end, longest", seconds[-1], seconds[-1] <= MOST_SECONDS),
        Check(f"ended within {MOST_SECONDS:.0f} s", in_time, in_time == len(stopped)),
    ]


def _afterwards(stopped: list[Stopped]) -> list[Check]:
    """Nothing may have changed since each batch's end, and its figures must be those of its rows."""
    jobs = [(each, each.work.job(), counted(each.work)) for each in stopped]
    kept = sum(job.finished == each.finished == found["results"] for each, job, found in jobs)
    charged = sum(found["charges"] == found["results"] for _, _, found in jobs)
    later = sum(job.cost_used != each.spent or job.cost_used != found["cost"] for each, job, found in jobs)
    adds_up = sum(
        job.total == job.succeeded + job.failed + job.cancelled and not job.running and not job.cost_reserved
        for _, job, _ in jobs
    )
    halfway = sum(bool(job.succeeded and job.cancelled) for _, job, _ in jobs)
    number = len(stopped)
    return [
        Check("batches whose finished rows were kept", kept, kept == number),
        Check("batches with one charge for each result", charged, charged == number),
        Check("batches charged after their end, or not as their rows", later, later == 0),
        Check("batches whose counters add up", adds_up, adds_up == number),
        Check("of them stopped in the middle", halfway, halfway > number / 2),
    ]


def counted(work: "Work") -> dict[str, Decimal]:
    """Results, charges and cost of one batch's rows."""
    from django.db import connection  # noqa: PLC0415 - needs the settings

    from apps.core.scope import system_scope  # noqa: PLC0415

    with system_scope(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE item.status IN ('succeeded', 'failed')), count(event.id),
                   coalesce(sum(item.cost), 0)
            FROM batches_batchitem AS item
            LEFT JOIN billing_usageevent AS event ON event.organization_id = item.organization_id
                AND event.key = 'item:' || item.id || ':0'
            WHERE item.organization_id = %s AND item.batch_id = %s
            """,
            [work.organization_id, work.job_id],
        )
        return dict(zip(("results", "charges", "cost"), cursor.fetchone(), strict=True))


def _cost_of_row(place: Arena) -> Decimal:
    """What a row costs, by a batch of a few."""
    from bench.chaos.batch_work import Work  # noqa: PLC0415 - needs the settings

    work = Work.start(place.project, 20, concurrency=20)
    work.wait_for_end(seconds=120)
    job = work.job()
    return job.cost_used / job.succeeded


def _watch(work: "Work", watched: Watched, ended: threading.Event) -> None:
    """Read the job's money again and again, each time as it was committed at one moment."""
    from django.db import connections  # noqa: PLC0415 - needs the settings

    while not ended.is_set():
        job = work.job()
        if job.cost_cap is None:
            continue
        money = job.cost_used + job.cost_reserved
        watched.looks += 1
        watched.over += money > job.cost_cap
        watched.dearest = max(watched.dearest, money)
        watched.caps.append(job.cost_cap)
    connections.close_all()


if __name__ == "__main__":
    sys.exit(main())
