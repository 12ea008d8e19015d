"""Who runs where: the server under test alone on one core, everything else on the other."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVER_CORE: Final = 0
OTHER_CORE: Final = 1 if (os.cpu_count() or 1) > 1 else 0
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def pinned(core: int, command: list[str]) -> list[str]:
    """The command line that starts a command on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


def pin(pid: int, core: int) -> None:
    """Move a process, its threads and its children to a core; what they start stays there."""
    for each in (pid, *descendants(pid)):
        for thread in Path(f"/proc/{each}/task").glob("*"):
            try:
                os.sched_setaffinity(int(thread.name), {core})
            except ProcessLookupError:
                continue


def descendants(pid: int) -> Iterator[int]:
    """The pids of all children, theirs too."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


def processor_seconds(pid: int) -> float:
    """The processor time of a process and its children."""
    return sum(_own_seconds(each) for each in (pid, *descendants(pid)))


def largest_megabytes(pid: int) -> float:
    """The resident memory of the largest process among a process and its children."""
    return max(_resident_megabytes(each) for each in (pid, *descendants(pid)))


def busy_seconds(core: int) -> float:
    """For how long a core has not been idle since the machine started."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, interrupt, soft, steal = map(int, fields[:8])
            return (user + nice + system + interrupt + soft + steal) / TICKS
    return 0.0


def _own_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident_megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
    except (FileNotFoundError, IndexError):
        return 0.0
