"""Kills during a batch: `python -m bench.chaos_batch [rows] [kills]`.

A real worker and a real cron process run a batch of the sandbox with 500 ms a call. The worker, the job that
it forked and everything in their process groups get SIGKILL several times, and Redis gets FLUSHALL once. A
stand-in for the supervisor starts a new worker each time. Afterwards every row must have exactly one result
and one usage record, and the batch must have ended by itself within two minutes of the last kill.

It works on a database of its own, a clone of the tests' template, and on a Redis of its own.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from bench.own_database import TEST, own_database
from promptsaas.embedded import Places, programs

ROOT = Path(__file__).resolve().parent.parent
LATENCY_MS = 500
CONCURRENCY = 32
MOST_SECONDS = 120.0
"""Within how much time of the last kill the batch has to end."""


@contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """A Redis of our own: FLUSHALL must not reach anybody else."""
    socket = folder / "redis.sock"
    program = str(programs.valkey_program(Places(TEST)))
    options = f"--port 0 --unixsocket {socket} --dir {folder} --save '' --loglevel warning"
    command = [program, *shlex.split(options)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.02)
        yield f"unix://{socket}?db=0"
    finally:
        process.terminate()
        process.wait()


@dataclass
class Processes:
    """Cron and one worker, each in a process group of its own."""

    log: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Start, or start again after a kill."""
        with self.log.open("ab") as log:
            self.started[name] = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"PROMPTSAAS_PROCESS": name, "LOG_LEVEL": "WARNING"},
                start_new_session=True,
            )

    def kill_worker(self) -> int:
        """SIGKILL to the worker's process group and to the job's, which RQ gives one of its own."""
        worker = self.started["worker"]
        groups = {worker.pid, *children_of(worker.pid)}
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        worker.wait()
        return len(groups)

    def stop(self) -> None:
        """End everything that was started."""
        for process in self.started.values():
            for group in {process.pid, *children_of(process.pid)}:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            process.wait()


def children_of(pid: int) -> set[int]:
    """The pids of a process's children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in listed.read_text().split()} if listed.exists() else set()


def main() -> int:
    """Run, print a table, answer 0 when everything held."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_200
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with ExitStack() as stack:
        stack.enter_context(own_database())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        url = stack.enter_context(own_redis(folder))
        processes = Processes(folder / "log")
        stack.callback(processes.stop)
        return run(processes, url, rows, kills)


def run(processes: Processes, redis_url: str, rows: int, kills: int) -> int:
    """The run itself, on servers that are there."""
    from bench.chaos_rows import Batch  # noqa: PLC0415 - needs the settings

    use_redis(redis_url)
    batch = Batch.start(rows=rows, concurrency=CONCURRENCY, latency_ms=LATENCY_MS)
    processes.start("cron", "cron")
    processes.start("worker", "worker")
    began = time.monotonic()
    events: list[tuple[float, str, int]] = []
    plan = [((number + 1) / (kills + 2), "kill") for number in range(kills)]
    plan.append(((kills // 2 + 1.5) / (kills + 2), "flush"))
    for share, what in sorted(plan):
        batch.wait_for(int(rows * share), seconds=180)
        happen(what, processes, redis_url)
        events.append((time.monotonic() - began, what, batch.finished()))
    last = max(when for when, what, _ in events if what == "kill")
    ended = batch.wait_for_end(seconds=MOST_SECONDS + 60)
    return report(batch, events, last, time.monotonic() - began if ended else None)


def use_redis(url: str) -> None:
    """Point this process and its children at our own Redis."""
    from django.conf import settings  # noqa: PLC0415

    os.environ["REDIS_URL"] = url
    settings.REDIS_URL = url


def happen(what: str, processes: Processes, redis_url: str) -> None:
    """One blow, and the supervisor's answer to it."""
    if what == "flush":
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        return
    processes.kill_worker()
    processes.start("worker", "worker")


def report(batch: object, events: list[tuple[float, str, int]], last_kill: float, end: float | None) -> int:
    """Print what happened and what holds; 0 when all of it does."""
    from bench.chaos_rows import Batch  # noqa: PLC0415

    assert isinstance(batch, Batch)
    print(f"{'second':>8}  {'event':<8}{'rows finished':>15}")
    for when, what, finished in events:
        print(f"{when:>8.1f}  {what:<8}{finished:>15,}")
    if end is not None:
        print(f"{end:>8.1f}  {'end':<8}{batch.finished():>15,}")
    checks = batch.checks()
    after = None if end is None else end - last_kill
    checks.append(
        (f"ended within {MOST_SECONDS:.0f} s of the last kill", after is not None and after <= MOST_SECONDS)
    )
    print()
    for words, holds in checks:
        print(f"{'ok' if holds else 'FAILED':<8}{words}")
    print(f"\nrows claimed more than once: {batch.claimed_again():,}")
    if after is not None:
        print(f"end after the last kill: {after:.1f} s")
    return 0 if all(holds for _, holds in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
