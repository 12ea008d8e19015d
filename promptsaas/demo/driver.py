"""The part of the demo that works with rows: seed, start the job, follow it, report."""

from pathlib import Path

from apps.batches.models import BatchJob
from promptsaas import embedded
from promptsaas.demo import job as main_job
from promptsaas.demo import terminal
from promptsaas.demo.model_choice import offer_model
from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.demo.seeding import EMAIL, Seeded, seed
from promptsaas.worker import wait_for_worker


def drive(options: DemoOptions, *, url: str, result: Path) -> int:
    """Seed and run the job, show `url` to people; the exit status. Raises DemoError."""
    seeded = seed(embedded.secret("demo_password"))
    _say(f"Sign in    {EMAIL}   password: {seeded.password or 'the one you set'}")
    if not options.job:
        return 0
    wait_for_worker()
    job = _run_job(seeded, options)
    result.write_text(terminal.json_line(job))
    if not options.once:
        _say(f"Results    {url}{seeded.path}batches/{job.public_id}/")
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


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)
