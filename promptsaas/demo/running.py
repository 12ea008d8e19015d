"""The course of the demo: start, seed, run the job, serve until Ctrl-C."""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from apps.batches.models import BatchJob
from promptsaas import embedded
from promptsaas.demo import job as main_job
from promptsaas.demo import processes, terminal
from promptsaas.demo.model_choice import offer_model
from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.demo.seeding import EMAIL, Seeded, seed
from promptsaas.embedded.command_line import uses_embedded
from promptsaas.supervisor.supervisor import Supervisor


def run_demo(options: DemoOptions) -> int:
    """The whole demo; the exit status. Raises DemoError."""
    profile = embedded.profile_from_environment() if uses_embedded() else None
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    finished: BatchJob | None = None
    with _only_one(), _servers(profile):
        try:
            finished = _serve(options, profile)
        except KeyboardInterrupt:
            _say("\nStopping; nothing is lost.")
    if not options.once:
        return 0
    if finished is None:
        return 130
    # After everything has ended, so that it is the last line.
    print(terminal.json_line(finished), flush=True)
    return 0 if terminal.succeeded(finished) else 1


def _serve(options: DemoOptions, profile: str | None) -> BatchJob | None:
    if options.job:
        # Before anything starts: a wrong INPUT should be said at once.
        _ = options.path
    processes.migrate_if_needed(profile)
    ports = processes.choose_ports(options.port)
    with processes.supervisor(ports, profile, _say) as running:
        seeded = seed(embedded.secret("demo_password"))
        processes.wait_until_ready(ports, running)
        _announce(seeded, ports)
        finished = _run_job(seeded, options, ports) if options.job else None
        if not options.once:
            _wait(running)
    return finished


def _run_job(seeded: Seeded, options: DemoOptions, ports: processes.Ports) -> BatchJob:
    model = offer_model(seeded, options)
    started = main_job.start_job(seeded, options, model)
    progress = terminal.Progress()
    job = None
    for job in main_job.follow(seeded, started.job_id):
        if not progress.begun:
            _say(*terminal.describe_start(started, job.sandbox))
        progress.show(job)
    progress.end()
    if job is None:
        raise DemoError("the batch was not found")
    _say("", *terminal.describe_end(job, main_job.count_answers(seeded, job)), "")
    if not options.once:
        _announce(seeded, ports, job)
    return job


def _announce(seeded: Seeded, ports: processes.Ports, job: BatchJob | None = None) -> None:
    page = f"{seeded.path}batches/{job.public_id}/" if job is not None else seeded.path
    _say(
        f"Dashboard  {ports.url}{page}",
        f"Sign in    {EMAIL}   password: {seeded.password or 'the one you set'}",
    )


def _wait(running: Supervisor) -> None:
    _say(f"Logs       {processes.log_folder()}", "Ctrl-C stops everything.")
    threading.Event().wait()


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough; a second Ctrl-C must not cut the tidying short.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _servers(profile: str | None) -> Iterator[None]:
    if profile is None:
        yield
        return
    try:
        with embedded.in_use(profile):
            yield
    finally:
        with suppress(embedded.EmbeddedError):
            embedded.stop_if_unused(profile)


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock of the demo. Raises DemoError when another one runs in this checkout."""
    folder = processes.log_folder().parent
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DemoError("the demo runs already in this checkout") from None
    try:
        yield
    finally:
        os.close(descriptor)


def exit_with(error: DemoError) -> int:
    """Say what went wrong; the exit status."""
    print(f"demo: {error}", file=sys.stderr, flush=True)
    return 1
