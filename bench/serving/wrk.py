"""Load from wrk: closed loop, keep-alive, one thread."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.serving.cores import OTHER_CORE, SERVER_CORE, busy_seconds, pinned, processor_seconds

SCRIPT = Path(__file__).with_name("wrk.lua")
# A measurement is made again while others use more than this share of the server's core.
FOREIGN_SHARE = 0.10
TRIES = 3


@dataclass(frozen=True)
class Call:
    """One request, sent again and again. `body` is a file."""

    url: str
    method: str = "GET"
    path: str = "/"
    body: Path | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Load:
    """What one measurement gave: answers a second, latencies in milliseconds, failures.

    `server_seconds` is the processor time of the server for each second of the clock, `foreign` what others
    took of its core.
    """

    per_second: float
    p50: float
    p95: float
    p99: float
    failures: int
    server_seconds: float = 0.0
    foreign: float = 0.0


@dataclass
class Rounds:
    """The same measurement several times, reported by its median."""

    loads: list[Load] = field(default_factory=list)

    def middle(self, name: str) -> float:
        """The median of a figure."""
        return float(median(getattr(load, name) for load in self.loads))

    @property
    def failures(self) -> int:
        """Of all rounds together."""
        return sum(load.failures for load in self.loads)

    @property
    def processor_microseconds(self) -> float:
        """Processor time of the server for each answer."""
        return 1e6 * self.middle("server_seconds") / max(self.middle("per_second"), 1e-9)


def measure(call: Call, *, connections: int, seconds: float, pid: int | None = None) -> Load:
    """Load a server; with its `pid` the least disturbed of up to three tries."""
    best: Load | None = None
    for _ in range(TRIES if pid is not None else 1):
        load = _once(call, connections, seconds, pid)
        if best is None or load.foreign < best.foreign:
            best = load
        if best.foreign <= FOREIGN_SHARE:
            break
    assert best is not None
    return best


def _once(call: Call, connections: int, seconds: float, pid: int | None) -> Load:
    busy, own, began = _clocks(pid)
    told = _wrk(call, connections, seconds)
    busy_after, own_after, ended = _clocks(pid)
    took, server = ended - began, (own_after - own) / (ended - began)
    return Load(
        per_second=told["per_second"],
        p50=told["p50"],
        p95=told["p95"],
        p99=told["p99"],
        failures=int(told["failures"]),
        server_seconds=server,
        foreign=max(0.0, (busy_after - busy) / took - server) if pid is not None else 0.0,
    )


def _clocks(pid: int | None) -> tuple[float, float, float]:
    own = processor_seconds(pid) if pid is not None else 0.0
    return busy_seconds(SERVER_CORE), own, time.perf_counter()


def _wrk(call: Call, connections: int, seconds: float) -> dict[str, Any]:
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"),
        *("-s", str(SCRIPT), call.url, "--", call.method, call.path, str(call.body or "-"), *call.headers),
    ]
    done = subprocess.run(pinned(OTHER_CORE, command), capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise RuntimeError(f"wrk failed: {done.stdout[-300:]}{done.stderr[-300:]}")
