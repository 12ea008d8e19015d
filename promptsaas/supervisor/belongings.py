"""Finding every process that descends from a supervisor, by a token in its environment.

Process groups and sessions are not enough: RQ's children leave their group, and a killed parent's children
are adopted by init. The environment stays with them all.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "PROMPTSAAS_SUPERVISOR"
POLL_SECONDS = 0.05


def belonging_pids(token: str) -> list[int]:
    """Pids of the living processes that carry the token, except this one. Needs /proc (Linux)."""
    mark = f"{VARIABLE}={token}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and mark in _environment(pid)]


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except FileNotFoundError:
        return []


def _environment(pid: int) -> list[bytes]:
    # A zombie's environment reads empty, so zombies never count.
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def send_signal(token: str, how: signal.Signals) -> None:
    """Signal every process that carries the token."""
    for pid in belonging_pids(token):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, how)


def wait_until_gone(token: str, seconds: float) -> bool:
    """Wait until no process carries the token; False when some still do after `seconds`."""
    deadline = time.monotonic() + seconds
    while belonging_pids(token):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end_all(token: str, grace_seconds: float) -> None:
    """Ask all to end, then kill. Loops, because a process may fork while it is being killed."""
    send_signal(token, signal.SIGTERM)
    if wait_until_gone(token, grace_seconds):
        return
    for _ in range(20):
        send_signal(token, signal.SIGKILL)
        if wait_until_gone(token, 0.2):
            return
