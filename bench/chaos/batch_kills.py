"""A batch while everything under it dies: `python -m bench.chaos.batch_kills [what] [rows]`.

kills      4 workers, a provider of 20 to 200 ms over HTTP; every five seconds, until the end, a random worker
           and all its children get SIGKILL and a new one is started in its place (100,000 rows)
flushes    the same workers; Redis forgets everything at ten random points (20,000 rows)
postgres   the same workers; Postgres is stopped as by a power cut, five times (20,000 rows)

Without a name all three, one after the other. Nobody else helps: cron sweeps, the workers work, and this
script starts anew what it has killed, as a supervisor does. Afterwards every row must have exactly one
result and be charged once, and the provider must not have been called more often than a kill can explain.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.chaos.checks import Check, tell
from bench.chaos.processes import Processes
from bench.chaos.support import Arena, arena
from bench.own_database import BENCH
from promptsaas.embedded import ensure_running, status

WORKERS: Final = 4
CONCURRENCY: Final = 256
WAIT_MS: Final = "20-200"
KILL_SECONDS: Final = float(os.environ.get("KILL_SECONDS") or 5)
FLUSHES: Final = 10
STOPS: Final = 5
DOWN_SECONDS: Final = 2.0
RECOVERY_SECONDS: Final = 30.0
MOST_SECONDS: Final = 3600.0
ROWS: Final = {"kills": 100_000, "flushes": 20_000, "postgres": 20_000}


@dataclass
class Story:
    """What was done to the batch: when, and how many rows were through."""

    began: float = field(default_factory=time.monotonic)
    events: list[tuple[float, str, int]] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    """Seconds from each blow to the next result."""

    def add(self, what: str, finished: int) -> None:
        """Note an event."""
        self.events.append((time.monotonic() - self.began, what, finished))
        print(f"{self.events[-1][0]:8.1f} s  {what:<24}{finished:>10,} rows", flush=True)


def main() -> int:
    """Run what is asked for; 1 when a line says FAILED."""
    names = [name for name in sys.argv[1:] if name in ROWS] or list(ROWS)
    numbers = [int(word) for word in sys.argv[1:] if word not in ROWS]
    return max(run(name, numbers[0] if numbers else ROWS[name]) for name in names)


def run(name: str, rows: int) -> int:
    """One batch from its start to its end."""
    print(f"{name}: {rows:,} rows, {WORKERS} workers, {CONCURRENCY} at a time")
    with arena(wait_ms=WAIT_MS, profile=BENCH) as place, ExitStack() as stack:
        from bench.chaos.batch_work import Work, calls_made  # noqa: PLC0415 - needs the settings

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        processes = Processes(Path(os.environ.get("BENCH_LOG") or folder / "log"))
        stack.callback(processes.stop)
        processes.start("cron", "cron")
        for number in range(WORKERS):
            processes.start(f"worker {number}", "worker")
        work = Work.start(place.project, rows, concurrency=CONCURRENCY)
        story = Story()
        BLOWS[name](place, processes, work, story)
        ended = work.wait_for_end(seconds=MOST_SECONDS)
        story.add("end" if ended else "not ended", work.finished())
        spent = calls_made(place.upstream_port) - rows
        return tell(*work.checks(), *_told(name, story, spent))


def _told(name: str, story: Story, spent: int) -> list[Check]:
    blows = [event for event in story.events if event[1] in ("kill", "flush", "postgres")]
    allowed = 0 if name == "flushes" else len(blows) * CONCURRENCY
    found = [
        Check("blows", len(blows), bool(blows)),
        Check(f"calls beyond one a row, at most {allowed:,}", spent, 0 <= spent <= allowed),
    ]
    if story.recoveries:
        slowest = max(story.recoveries)
        found.append(
            Check("seconds from a blow to the next result, at most", slowest, slowest <= RECOVERY_SECONDS)
        )
    return found


def _kills(place: Arena, processes: Processes, work: Any, story: Story) -> None:
    chance = random.Random(6)
    while True:
        due = time.monotonic() + KILL_SECONDS
        while time.monotonic() < due:
            if work.job().is_terminal:
                return
            time.sleep(0.2)
        name = f"worker {chance.randrange(WORKERS)}"
        processes.kill(name)
        processes.start(name, "worker")
        story.add("kill", work.finished())


def _flushes(place: Arena, processes: Processes, work: Any, story: Story) -> None:
    chance = random.Random(6)
    for point in sorted(chance.randrange(1, work.rows * 19 // 20) for _ in range(FLUSHES)):
        work.wait_for(point, seconds=MOST_SECONDS)
        place.redis.flush()
        _note_recovery("flush", work, story)


def _stops(place: Arena, processes: Processes, work: Any, story: Story) -> None:
    for number in range(STOPS):
        work.wait_for(work.rows * (number + 1) // (STOPS + 2), seconds=MOST_SECONDS)
        pid = status(BENCH)["postgres"]
        assert pid is not None
        # Postgres' immediate shutdown, which `pg_ctl stop -m immediate` asks for by SIGQUIT.
        os.kill(pid, signal.SIGQUIT)
        while status(BENCH)["postgres"] is not None:
            time.sleep(0.05)
        time.sleep(DOWN_SECONDS)
        ensure_running(BENCH)
        _note_recovery("postgres", work, story)


def _note_recovery(what: str, work: Any, story: Story) -> None:
    blow, before = time.monotonic(), work.finished()
    story.add(what, before)
    work.wait_for(min(before + 1, work.rows), seconds=MOST_SECONDS)
    story.recoveries.append(time.monotonic() - blow)


BLOWS: Final[dict[str, Callable[[Arena, Processes, Any, Story], None]]] = {
    "kills": _kills,
    "flushes": _flushes,
    "postgres": _stops,
}


if __name__ == "__main__":
    sys.exit(main())
