"""Who waits behind a large batch: `python -m bench.chaos.batch_fairness [rows] [trials]`.

One worker, the smallest there is, works on organization A's batch of 100,000 rows at concurrency 256, against
a provider of 20 to 200 ms. Meanwhile organization B, which has done nothing yet, asks again and again for a
single run through the gateway, for one in the background, and for a batch of 100 rows. From each wish to its
first result may pass 2 seconds (p95), of which the provider takes up to 0.2.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.chaos.checks import Check, tell
from bench.chaos.processes import Processes
from bench.chaos.support import Arena, arena, gateways, prepare
from bench.own_database import BENCH

ROWS: Final = 100_000
TRIALS: Final = 20
CONCURRENCY: Final = 256
SMALL_ROWS: Final = 100
MOST_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.02


@dataclass
class Waits:
    """Seconds from each wish to its first result."""

    runs: list[float] = field(default_factory=list)
    background: list[float] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    whole_batches: list[float] = field(default_factory=list)


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    trials = int(sys.argv[2]) if len(sys.argv) > 2 else TRIALS
    with arena(wait_ms="20-200", profile=BENCH) as place, ExitStack() as stack:
        from bench.chaos.batch_work import Work  # noqa: PLC0415 - needs the settings

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        processes = Processes(Path(os.environ.get("BENCH_LOG") or folder / "log"))
        stack.callback(processes.stop)
        (gateway,) = stack.enter_context(gateways(place, 1))
        processes.start("cron", "cron")
        processes.start("worker", "worker")
        processes.start("worker of runs", "worker", "--queue=interactive")
        large = Work.start(place.project, rows, concurrency=CONCURRENCY)
        large.wait_for(CONCURRENCY, seconds=TIMEOUT_SECONDS)
        waits = Waits()
        for _ in range(trials):
            _one_of_each(place, gateway.url, waits)
        return _report(waits, large, trials)


def _one_of_each(place: Arena, url: str, waits: Waits) -> None:
    """Each trial is an organization that comes for the first time."""
    from bench.chaos.batch_work import Work  # noqa: PLC0415 - needs the settings

    project, _, token = prepare(place.upstream_port)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        waits.runs.append(_timed(lambda: _run(client)))
        waits.background.append(_timed(lambda: _background_run(client, project)))
    work = Work.start(project, SMALL_ROWS, concurrency=16)
    assert work.wait_for_end(seconds=TIMEOUT_SECONDS)
    first, last = work.results_after()
    waits.batches.append(first)
    waits.whole_batches.append(last)


def _run(client: httpx2.Client) -> None:
    body = {"variables": {"word": "hello"}}
    client.post("/api/v1/prompts/chaos/run", json=body).raise_for_status()


def _background_run(client: httpx2.Client, project: Any) -> None:
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.runs.models import BackgroundRun  # noqa: PLC0415

    body = {"variables": {"word": "hello"}, "background": True}
    client.post("/api/v1/prompts/chaos/run", json=body).raise_for_status()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with organization_scope(project.organization_id):
            if BackgroundRun.objects.filter(status="succeeded").exists():
                return
        time.sleep(LOOK_SECONDS)
    raise TimeoutError("the background run did not end")


def _timed(call: Callable[[], None]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def _report(waits: Waits, large: Any, trials: int) -> int:
    job = large.job()
    left = job.total - job.finished
    for name, found in vars(waits).items():
        shares = (
            f"median {_share(found, 0.5):6.3f} s, p95 {_share(found, 0.95):6.3f} s, most {max(found):6.3f} s"
        )
        print(f"{name:<16}{shares}")
    return tell(
        Check("organizations that came", trials, trials >= 1),
        Check("rows of the large batch that were still to come", left, left > 0),
        _in_time("a run", waits.runs),
        _in_time("a run in the background", waits.background),
        _in_time(f"a batch of {SMALL_ROWS} rows", waits.batches),
    )


def _in_time(words: str, found: list[float]) -> Check:
    high = _share(found, 0.95)
    return Check(f"seconds to a result, p95: {words}", high, high < MOST_SECONDS)


def _share(found: list[float], share: float) -> float:
    return sorted(found)[min(len(found) - 1, int(share * len(found)))]


if __name__ == "__main__":
    sys.exit(main())
