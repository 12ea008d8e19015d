"""A batch through the API: started, followed, timed."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.batching.place import Place
from bench.serving.cores import largest_megabytes, processor_seconds

LOOK_SECONDS = 0.02


@dataclass
class Timed:
    """Seconds after the batch was accepted, and what the worker took for it.

    `first` until the API told of a finished row, `whole` until it told of the last, `between` from one to
    the other; `marks` are (seconds, rows finished) of each look.
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
        """Rows a second from the first tenth of the batch to the last look before its end."""
        return self.rate_between(0.1, 1.0)

    def rate_between(self, start: float, end: float) -> float:
        """Rows a second between two shares of the batch."""
        inside = [mark for mark in self.marks if start * self.rows <= mark[1] <= end * self.rows]
        (began, before), (ended, after) = inside[0], inside[-1]
        return (after - before) / max(ended - began, 1e-9)


def run_batch(
    found: Place,
    prompt: str,
    dataset: str,
    rows: int,
    *,
    concurrency: int,
    pid: int,
    most: int | None = None,
    look: float = LOOK_SECONDS,
) -> Timed:
    """Start a batch and follow it to its end, or until `most` rows are through; then it is stopped."""
    timed = Timed(rows)
    base = f"http://{found.web.host}:{found.web.port}/api/v1/batches"
    headers = {"Authorization": f"Bearer {found.token}"}
    with httpx2.Client(headers=headers, timeout=60, trust_env=False) as client:
        client.get(base).raise_for_status()
        processor = processor_seconds(pid)
        body = {"prompt": prompt, "dataset_version": dataset, "concurrency": concurrency, "row_limit": rows}
        answer = client.post(base, json=body)
        if answer.status_code != 202:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
        accepted = time.perf_counter()
        batch = f"{base}/{answer.json()['id']}"
        watch = _Memory(pid)
        told = _follow(client, batch, timed, accepted, most or rows, look)
        timed.megabytes = watch.end()
        timed.processor = processor_seconds(pid) - processor
        timed.failed = told["counts"]["failed"]
        if most is not None and most < rows:
            client.post(f"{batch}/cancel")
    return timed


def _follow(
    client: httpx2.Client, batch: str, timed: Timed, accepted: float, most: int, look: float
) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = client.get(batch).raise_for_status().json()
        now = time.perf_counter() - accepted
        finished = told["counts"]["succeeded"] + told["counts"]["failed"]
        timed.marks.append((now, finished))
        if finished and not timed.first:
            timed.first = now
        if finished >= most:
            timed.whole = now
            return told
        if told["status"] in ("cancelled", "expired", "failed"):
            raise RuntimeError(f"the batch ended as {told['status']}")
        time.sleep(look)


class _Memory:
    """The most memory that the worker's largest process had."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most = pid, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self._most = max(self._most, largest_megabytes(self._pid))

    def end(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most
