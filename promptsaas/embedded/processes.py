"""Pids of the embedded servers: who they are, and stopping only what is ours."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from promptsaas.embedded.places import EmbeddedError

POLL_SECONDS = 0.01


@contextmanager
def file_lock(path: Path, timeout_seconds: float = 60.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`, so that two starts never race. Raises EmbeddedError on timeout."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_lock(descriptor, path, time.monotonic() + timeout_seconds)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"another process holds {path}") from None
            time.sleep(POLL_SECONDS)
        else:
            return


def command_line(pid: int) -> str:
    """The command line of a process, empty when it does not exist or is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    except OSError:
        return ""
    done = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def read_pid(path: Path) -> int | None:
    """The pid on the first line of a pid file."""
    try:
        return int(path.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def running_pid(pid_file: Path, mark: str) -> int | None:
    """The pid in the file if that process is alive and its command line holds `mark`."""
    pid = read_pid(pid_file)
    return pid if pid is not None and mark in command_line(pid) else None


def stop_process(pid_file: Path, mark: str, how: signal.Signals, timeout_seconds: float = 30.0) -> bool:
    """Stop the process named by a pid file; False if it is not running.

    Raises EmbeddedError if the pid now belongs to a program that is not ours, or if it does not end in time.
    """
    pid = read_pid(pid_file)
    if pid is None:
        return False
    line = command_line(pid)
    if not line:
        return False
    if mark not in line:
        raise EmbeddedError(f"pid {pid} in {pid_file} is not ours ({line[:80]!r}); it was left alone")
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    deadline = time.monotonic() + timeout_seconds
    while mark in command_line(pid):
        _reap(pid)
        if time.monotonic() > deadline:
            raise EmbeddedError(f"pid {pid} ({mark}) did not end within {timeout_seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return True


def _reap(pid: int) -> None:
    # Whoever started the server is its parent; a zombie would otherwise look alive to a test of the pid.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
