"""The course of the demo: start everything, have the job driven, serve until Ctrl-C. Without Django."""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from promptsaas import embedded
from promptsaas.demo import processes
from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.embedded.command_line import uses_embedded
from promptsaas.schema_state import ROOT
from promptsaas.supervisor.supervisor import Supervisor

INTERRUPTED = 130
DRIVER_SECONDS = 5.0


def demo_main(wanted: argparse.Namespace) -> int:
    """`manage.py demo`; the exit status."""
    try:
        return run_demo(DemoOptions.of(wanted))
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr, flush=True)
        return 1


def run_demo(options: DemoOptions) -> int:
    """The whole demo; the exit status. Raises DemoError."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    if options.job:
        # Before anything starts: a wrong INPUT should be said at once.
        _ = options.path
    profile = embedded.profile_from_environment() if uses_embedded() else None
    with tempfile.TemporaryDirectory(prefix="promptsaas-demo-") as folder:
        result = Path(folder) / "result.json"
        try:
            with _only_one(processes.log_folder(options.logs)), _servers(profile):
                status = _serve(options, profile, result)
        except KeyboardInterrupt:
            status = INTERRUPTED if options.once else 0
        if options.once and result.exists():
            # After everything has ended, so that it is the last line.
            print(result.read_text(), flush=True)
    return status


def _serve(options: DemoOptions, profile: str | None, result: Path) -> int:
    began_at = time.monotonic()
    processes.migrate_if_needed(profile)
    ports = processes.choose_ports(options.port)
    logs = processes.log_folder(options.logs)
    with processes.supervisor(ports, profile, logs, _say) as running:
        # The pages first, alone on the processors; who only waits for work comes after them.
        running.start("web", "gateway")
        processes.wait_until_ready(ports, running)
        _say(f"Dashboard  {ports.url}/  (ready after {time.monotonic() - began_at:.1f} s)")
        running.start_all()
        with _driver(options, ports, result, running.token) as driver:
            status = driver.wait()
        if status or options.once:
            return status
        _say(f"Logs       {logs}", "Ctrl-C stops everything.")
        _wait(running)
    return 0


@contextmanager
def _driver(
    options: DemoOptions, ports: processes.Ports, result: Path, token: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process that seeds, runs the job and reports; the terminal is its own meanwhile."""
    command = processes.manage("demo_job", *options.arguments())
    command += [f"--url={ports.url}", f"--result={result}"]
    environment = os.environ | processes.environment(ports, token)
    driver = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield driver
    finally:
        # It has had the terminal's Ctrl-C as well, or it is told now.
        driver.terminate()
        with suppress(subprocess.TimeoutExpired):
            driver.wait(DRIVER_SECONDS)
        driver.kill()
        driver.wait()


def _wait(running: Supervisor) -> None:
    while running.is_running:
        threading.Event().wait(1)


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough; a second Ctrl-C must not cut the tidying short.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    _say("\nStopping; nothing is lost.")
    raise KeyboardInterrupt


@contextmanager
def _servers(profile: str | None) -> Iterator[None]:
    if profile is None:
        yield
        return
    try:
        with embedded.in_use(profile):
            yield
    except embedded.EmbeddedError as error:
        raise DemoError(str(error)) from error
    finally:
        with suppress(embedded.EmbeddedError):
            embedded.stop_if_unused(profile)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of the demo. Raises DemoError when another one runs with these logs."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("the demo runs already in this checkout") from None
        yield
    finally:
        os.close(descriptor)
