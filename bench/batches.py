"""How fast batches are: `python -m bench.batches`, with PEERS=1 beside promptfoo in the same run.

One worker with its real command, alone on one core; a provider over HTTP, web, cron, Postgres that writes
through and Valkey on the other. Batches are started and followed through the API. Everything is on that a
customer would have on: four guardrail rules, the monthly quota, prices, content stored and sealed. `SMALL=1`
takes a tenth of the rows, for a look.
"""

import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import batch_pages
from bench.batching import promptfoo
from bench.batching.asking import Timed, run_batch, run_queued
from bench.batching.place import Place, place
from bench.serving.table import Line, print_lines, write_lines

SMALL: Final = os.environ.get("SMALL", "") not in ("", "0")
ROWS: Final = 10_000 if SMALL else 100_000
FEW_ROWS: Final = 1_000
FEW_BATCHES: Final = 5 if SMALL else 30
ROUNDS: Final = 3
ROUND_ROWS: Final = 4_000 if SMALL else 20_000
CONCURRENCY: Final = 256
CASES, CASES_CONCURRENCY = 1_000, 50
MEAN_SECONDS: Final = 0.05
PAGE_ROWS: Final = 100_000 if SMALL else 1_000_000


@dataclass
class Figures:
    """Everything that was measured."""

    rounds: list[Timed] = field(default_factory=list)
    cases: list[Timed] = field(default_factory=list)
    promptfoo: list[float] = field(default_factory=list)
    large: Timed = field(default_factory=lambda: Timed(ROWS))
    few: Timed = field(default_factory=lambda: Timed(FEW_ROWS * FEW_BATCHES))


def main() -> int:
    """Measure and print; 1 when a bar does not hold or a row failed."""
    with_peers = os.environ.get("PEERS", "") not in ("", "0")
    if with_peers:
        promptfoo.install()
    figures = Figures()
    with place() as found, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if with_peers:
            seconds = [_evaluate(found, Path(folder)) for _ in range(ROUNDS)]
            figures.promptfoo = seconds
        measure(found, figures)
    return report(figures, _pages())


def _evaluate(found: Place, folder: Path) -> float:
    return promptfoo.evaluate(found.ports["fixed"], CASES, CASES_CONCURRENCY, folder)


def measure(found: Place, figures: Figures) -> None:
    """Cold first, then what is in step: many rows, the same in small batches, then all of the large one."""
    large, round_, few = (found.dataset(rows) for rows in (ROWS, ROUND_ROWS, FEW_ROWS))
    with found.worker() as pid:
        # The worker's process forks for each job: the first batch finds nothing open, as after a pause.
        run_batch(found, "uniform", few, FEW_ROWS, concurrency=CONCURRENCY, pid=pid)
        for _ in range(ROUNDS):
            _rest()
            figures.cases.append(
                run_batch(found, "fixed", few, CASES, concurrency=CASES_CONCURRENCY, pid=pid)
            )
        for _ in range(ROUNDS):
            _rest()
            timed = run_batch(
                found, "uniform", round_, ROUND_ROWS, concurrency=CONCURRENCY, pid=pid, look=0.25
            )
            figures.rounds.append(timed)
        _rest()
        figures.few = run_queued(
            found, "uniform", few, FEW_ROWS, FEW_BATCHES, concurrency=CONCURRENCY, pid=pid
        )
        _rest()
        figures.large = run_batch(found, "uniform", large, ROWS, concurrency=CONCURRENCY, pid=pid, look=0.5)


def _rest() -> None:
    """Longer than an idle pump lives: the next batch begins with a new one."""
    time.sleep(4.0)


def _pages() -> list[Line]:
    """In a process of its own, since it has a database of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(batch_pages.measure, PAGE_ROWS, ROWS).result()


def lines_of(figures: Figures) -> list[Line]:
    """The table of the issue: what must hold, and the goals."""
    rate = statistics.median(timed.rate for timed in figures.rounds)
    whole = statistics.median(timed.whole for timed in figures.cases)
    large = figures.large
    # The same stretch of both: in the middle, with every slot in use and nothing being started or ended.
    growth = large.rate_between(0.1, 0.95) / figures.few.rate_between(0.1, 0.95)
    lines = [
        Line(
            f"rows, concurrency {CONCURRENCY}, provider 0–100 ms",
            rate,
            "/s",
            1200,
            2500,
            peer="the ideal, concurrency over latency",
            peer_value=CONCURRENCY / MEAN_SECONDS,
        )
    ]
    if figures.promptfoo:
        theirs = statistics.median(figures.promptfoo)
        ideal = CASES / CASES_CONCURRENCY * MEAN_SECONDS
        words = f"{CASES:,} cases, concurrency {CASES_CONCURRENCY}, 50 ms: wall time"
        lines.append(
            Line(words, whole, "s", theirs / 2, 1.3 * ideal, False, peer="promptfoo", peer_value=theirs)
        )
    return [
        *lines,
        Line(f"{ROWS:,} rows: accepted to first result", large.first, "s", 3, 1, at_least=False),
        Line(f"{ROWS:,} rows: memory of the worker", large.megabytes, "MB", 250, 150, at_least=False),
        Line(f"rows/s of one batch of {ROWS:,} over batches of {FEW_ROWS:,}", growth, "×", 0.9, 1.0),
    ]


def report(figures: Figures, pages: list[Line]) -> int:
    """Print everything and write the file."""
    lines = lines_of(figures) + pages
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {machine}\n")
    print_lines(lines)
    print("\n| measured | rows/s | first s | whole s | worker µs a row | worker MB | failed |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    measured = [
        *((f"{CASES:,} rows at {CASES_CONCURRENCY}", timed) for timed in figures.cases),
        *((f"{ROUND_ROWS:,} rows at {CONCURRENCY}", timed) for timed in figures.rounds),
        (f"{FEW_BATCHES} batches of {FEW_ROWS:,}", figures.few),
        (f"{ROWS:,} rows", figures.large),
    ]
    for name, timed in measured:
        print(
            f"| {name} | {timed.rate:,.0f} | {timed.first:.2f} | {timed.whole:.2f} "
            f"| {1e6 * timed.processor / timed.rows:,.0f} | {timed.megabytes:,.0f} | {timed.failed} |"
        )
    if figures.promptfoo:
        print(f"promptfoo: {', '.join(f'{seconds:.2f}' for seconds in figures.promptfoo)} s")
    if not SMALL:
        write_lines("batches", lines)
    failed = sum(timed.failed for _, timed in measured)
    if failed:
        print(f"FAILED: {failed} rows")
    return 0 if not failed and all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
