"""A server's processes as the kernel sees them, and what code they run: read when asked, nothing is counted.

Names and units are those that Prometheus's clients use for a single process; here they add up over all
processes of the server.
"""

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

PROC: Final = Path("/proc")
# Of /proc/<pid>/stat after the program's name, which may hold anything, blanks too.
PARENT, USER_TICKS, SYSTEM_TICKS, CHILD_USER_TICKS, CHILD_SYSTEM_TICKS = 1, 11, 12, 13, 14
STARTED_TICKS, RESIDENT_PAGES = 19, 21


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process: its parent, processor time of its own and of children that have ended, memory."""

    pid: int
    parent: int
    own_ticks: int
    ended_ticks: int
    started_ticks: int
    resident_bytes: int


class ProcessCollector(Collector):
    """Processor time, memory and open files of a process and all that descend from it."""

    def __init__(self, root: int | None = None) -> None:
        """`root` is the server's first process, this one unless given."""
        self._root = root or os.getpid()

    def collect(self) -> Iterable[Metric]:
        """Nothing where there is no /proc."""
        states = _family(self._root)
        if not states:
            return
        ticks = os.sysconf("SC_CLK_TCK")
        spent = sum(state.own_ticks + state.ended_ticks for state in states)
        started = _boot_time() + min(state.started_ticks for state in states) / ticks
        yield CounterMetricFamily("process_cpu_seconds", "Processor time, in seconds.", spent / ticks)
        yield _gauge(
            "process_resident_memory_bytes",
            "Resident memory.",
            sum(state.resident_bytes for state in states),
        )
        yield _gauge("process_open_fds", "Open files.", sum(_open_files(state.pid) for state in states))
        yield _gauge("process_start_time_seconds", "When the server was started, in Unix time.", started)
        yield _gauge("promptsaas_processes", "Processes of this server.", len(states))


class BuildCollector(Collector):
    """Which code runs, as labels of a constant 1."""

    def collect(self) -> Iterable[Metric]:
        """One sample."""
        family = GaugeMetricFamily(
            "promptsaas_build_info",
            "What runs here; always 1.",
            labels=("process", "version", "python"),
        )
        family.add_metric([settings.PROCESS, settings.VERSION, platform.python_version()], 1)
        yield family


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value)


def _family(root: int) -> list[ProcessState]:
    everything = {state.pid: state for state in _states()}
    found = [everything[root]] if root in everything else []
    for parent in found:
        # Grows while it is walked: children of children come too.
        found.extend(state for state in everything.values() if state.parent == parent.pid)
    return found


def _states() -> Iterator[ProcessState]:
    page = os.sysconf("SC_PAGE_SIZE")
    for folder in PROC.glob("[0-9]*"):
        # Processes end while they are looked at.
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            numbers = [int(field) for field in fields[1 : RESIDENT_PAGES + 1]]
            yield ProcessState(
                pid=int(folder.name),
                parent=numbers[PARENT - 1],
                own_ticks=numbers[USER_TICKS - 1] + numbers[SYSTEM_TICKS - 1],
                ended_ticks=numbers[CHILD_USER_TICKS - 1] + numbers[CHILD_SYSTEM_TICKS - 1],
                started_ticks=numbers[STARTED_TICKS - 1],
                resident_bytes=numbers[RESIDENT_PAGES - 1] * page,
            )


def _open_files(pid: int) -> int:
    with suppress(OSError):
        return sum(1 for _ in (PROC / str(pid) / "fd").iterdir())
    return 0


def _boot_time() -> float:
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
