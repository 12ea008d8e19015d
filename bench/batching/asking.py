"""Batches through the API: started, followed, timed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.batching.place import Place
from bench.serving.cores import largest_megabytes, processor_seconds

LOOK_SECONDS = 0.02
ENDED = ("completed", "cancelled", "expired", "failed")


@dataclass
class Timed:
    """Seconds after the last batch was accepted, and what the worker took for it.

    `first` until the API told of a finished row, `whole` until it told of the last; `marks` are (seconds,
    rows finished) of each look. `processor` are seconds of the worker's processes, `megabytes` the most that
    the largest had.
    """

    rows: int
    first: float = 0.0
    whole: float = 0.0
    failed: int = 0
    megabytes: float = 0.0
    processor: float = 0.0
    marks: list[tuple[float, int]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Rows a second behind the first tenth."""
        return self.rate_between(0.1, 1.0)

    def rate_between(self, start: float, end: float) -> float:
        """Rows a second between two shares of the rows."""
        inside = [mark for mark in self.marks if start * self.rows <= mark[1] <= end * self.rows]
        if len(inside) < 2:  # too quick for two looks
            return self.rows / max(self.whole, 1e-9)
        (began, before), (ended, after) = inside[0], inside[-1]
        return (after - before) / max(ended - began, 1e-9)

    def mark(self, seconds: float, finished: int) -> bool:
        """Note a look; whether all rows are through."""
        self.marks.append((seconds, finished))
        if finished and not self.first:
            self.first = seconds
        self.whole = seconds
        return finished >= self.rows


def run_batch(
    found: Place,
    prompt: str,
    dataset: str,
    rows: int,
    *,
    concurrency: int,
    pid: int,
    look: float = LOOK_SECONDS,
) -> Timed:
    """Start a batch and follow it to its end."""
    timed = Timed(rows)
    with _asking(found, timed, pid) as (client, base):
        batch = _start(client, base, prompt, dataset, rows, concurrency)
        accepted = time.perf_counter()
        while True:
            told = client.get(f"{base}/{batch}").raise_for_status().json()
            if timed.mark(time.perf_counter() - accepted, _finished(told)):
                timed.failed = told["counts"]["failed"]
                return timed
            _demand_open(told)
            time.sleep(look)


def run_queued(
    found: Place,
    prompt: str,
    dataset: str,
    rows: int,
    batches: int,
    *,
    concurrency: int,
    pid: int,
    look: float = 0.25,
) -> Timed:
    """Start so many batches at once and follow them all to the end; the clock starts behind the last."""
    timed = Timed(rows * batches)
    with _asking(found, timed, pid) as (client, base):
        left = [_start(client, base, prompt, dataset, rows, concurrency) for _ in range(batches)]
        accepted, ended = time.perf_counter(), 0
        while True:
            finished = ended
            for batch in list(left):
                told = client.get(f"{base}/{batch}").raise_for_status().json()
                _demand_open(told)
                finished += _finished(told)
                if _finished(told) >= rows:
                    left.remove(batch)
                    ended += rows
                    timed.failed += told["counts"]["failed"]
            if timed.mark(time.perf_counter() - accepted, finished):
                return timed
            time.sleep(look)


@contextmanager
def _asking(found: Place, timed: Timed, pid: int) -> Iterator[tuple[httpx2.Client, str]]:
    """A client, and the worker watched meanwhile."""
    base = f"http://{found.web.host}:{found.web.port}/api/v1/batches"
    headers = {"Authorization": f"Bearer {found.token}"}
    with httpx2.Client(headers=headers, timeout=60, trust_env=False) as client:
        client.get(base).raise_for_status()
        watch = _Watch(pid)
        try:
            yield client, base
        finally:
            timed.megabytes, timed.processor = watch.end()


def _start(client: httpx2.Client, base: str, prompt: str, dataset: str, rows: int, concurrency: int) -> str:
    body = {"prompt": prompt, "dataset_version": dataset, "concurrency": concurrency, "row_limit": rows}
    answer = client.post(base, json=body)
    if answer.status_code != 202:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
    return str(answer.json()["id"])


def _finished(told: dict[str, Any]) -> int:
    return int(told["counts"]["succeeded"] + told["counts"]["failed"])


def _demand_open(told: dict[str, Any]) -> None:
    if told["status"] in ENDED and _finished(told) < told["counts"]["total"]:
        raise RuntimeError(f"the batch ended as {told['status']}")


class _Watch:
    """The worker's memory and processor time; a pump's process may be gone before the batch's end is told."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most = pid, 0.0
        self._before = self._latest = processor_seconds(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self._most = max(self._most, largest_megabytes(self._pid))
            self._latest = max(self._latest, processor_seconds(self._pid))

    def end(self) -> tuple[float, float]:
        """Megabytes, and seconds of processor time since the beginning."""
        self._over.set()
        self._thread.join()
        return self._most, self._latest - self._before
