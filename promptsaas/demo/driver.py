"""The part of the demo that works with rows: seed, start the job, follow it, report."""

from pathlib import Path

from apps.batches.models import BatchJob
from promptsaas import embedded
from promptsaas.demo import job as main_job
from promptsaas.demo import processes, terminal
from promptsaas.demo.model_choice import offer_model
from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.demo.seeding import EMAIL, Seeded, seed
from promptsaas.worker import wait_for_worker


def drive(options: DemoOptions, *, url: str, web_url: str, result: Path) -> int:
    """Seed and run the job against the processes at these addresses; the exit status. Raises DemoError."""
    seeded = seed(embedded.secret("demo_password"))
    processes.wait_until_answering(url, web_url)
    _announce(seeded, url)
    if not options.job:
        return 0
    wait_for_worker()
    job = _run_job(seeded, options)
    result.write_text(terminal.json_line(job))
    if not options.once:
        _announce(seeded, url, job)
    return 0 if terminal.succeeded(job) else 1


def _run_job(seeded: Seeded, options: DemoOptions) -> BatchJob:
    started = main_job.start_job(seeded, options, offer_model(seeded, options))
    progress = terminal.Progress()
    job: BatchJob | None = None
    for job in main_job.follow(seeded, started.job_id):
        if not progress.begun:
            _say("", *terminal.describe_start(started, job.sandbox))
        progress.show(job)
    progress.end()
    if job is None:
        raise DemoError("the batch was not found")
    _say("", *terminal.describe_end(job, main_job.count_answers(seeded, job)), "")
    return job


def _announce(seeded: Seeded, url: str, job: BatchJob | None = None) -> None:
    page = f"{seeded.path}batches/{job.public_id}/" if job is not None else seeded.path
    _say(
        f"Dashboard  {url}{page}",
        f"Sign in    {EMAIL}   password: {seeded.password or 'the one you set'}",
    )


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)
