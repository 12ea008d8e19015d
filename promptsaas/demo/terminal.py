"""What the demo writes on the terminal: the progress bar, the report, the last line of JSON."""

import json
import shutil
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

from apps.batches.models import BatchJob, JobStatus
from apps.core.formatting import format_duration, format_money, format_number, format_percent
from promptsaas.demo.job import Answers, StartedJob

BAR = 28
# Between two lines where the output is no terminal.
LINE_SECONDS = 2.0


class Progress:
    """One line that is written over on a terminal; a line now and then into a file or pipe."""

    def __init__(self, output: TextIO = sys.stdout) -> None:
        self.output = output
        self.live = output.isatty()
        self.begun = False
        self._last_line_at = 0.0

    def show(self, job: BatchJob) -> None:
        """Show where the job stands."""
        self.begun = True
        text = progress_text(job, datetime.now(UTC))
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            self.output.write("\r\x1b[2K" + text[:width])
            self.output.flush()
        elif job.is_terminal or time.monotonic() - self._last_line_at > LINE_SECONDS:
            self._last_line_at = time.monotonic()
            print(text, file=self.output, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self.live:
            print(file=self.output, flush=True)


def progress_text(job: BatchJob, now: datetime) -> str:
    """Bar, rows, share, rate, time left, failures."""
    share = job.finished / job.total if job.total else 1.0
    bar = "█" * int(share * BAR)
    rate = job.finished / max(elapsed_seconds(job, now), 0.001)
    parts = [
        f"[{bar:░<{BAR}}]",
        f"{format_number(job.finished)}/{format_number(job.total)} rows",
        f"{int(share * 100)} %",
        f"{rate:.0f} rows/s",
    ]
    if not job.is_terminal and rate:
        parts.append(f"{format_duration((job.total - job.finished) / rate * 1000)} left")
    if job.failed:
        parts.append(f"{format_number(job.failed)} failed")
    return "  ".join(parts)


def elapsed_seconds(job: BatchJob, now: datetime) -> float:
    """From the start of the job to its end, or to now."""
    return ((job.completed_at or now) - job.created_at).total_seconds()


def agreement(job: BatchJob) -> float | None:
    """The share of compared rows whose answer agrees; None when nothing is expected."""
    return job.matched / job.compared if job.compared else None


def describe_start(started: StartedJob, sandbox: bool) -> list[str]:
    """What is about to run, and what was guessed."""
    columns = started.columns
    guess = f" (guessed: {columns.column_reason})" if columns.column_reason else ""
    lines = [
        f"Prompt   {started.prompt.name} v{started.prompt.number}",
        f"Model    {started.model}" + (" (sandbox: no real model, no real money)" if sandbox else ""),
        f"Column   {columns.column}{guess}",
        f"Expected {columns.expected or 'none given, so no agreement is counted'}",
    ]
    if started.bad_rows:
        lines.append(f"Left out {format_number(started.bad_rows)} rows that could not be read")
    return lines


def describe_end(job: BatchJob, answers: Answers) -> list[str]:
    """The report: answers, agreement, tokens, cost, rate, failures."""
    seconds = elapsed_seconds(job, datetime.now(UTC))
    lines = [f"{answers.field.replace('_', ' ').capitalize() or 'Answer'} counts"] if answers.counts else []
    lines += [
        f"  {name:<12} {format_number(count):>8}  {format_percent(count / max(job.succeeded, 1))}"
        for name, count in answers.counts
    ]
    share = agreement(job)
    if share is not None:
        of = f"{format_number(job.matched)} of {format_number(job.compared)} rows"
        lines.append(f"Agreement  {format_percent(share)} ({of})")
    lines += [
        f"Tokens     {format_number(job.input_tokens)} in, {format_number(job.output_tokens)} out",
        f"Cost       {cost_text(job)}",
        f"Time       {seconds:.1f} s, {job.finished / max(seconds, 0.001):.0f} rows/s",
        f"Rows       {format_number(job.succeeded)} succeeded, {format_number(job.failed)} failed"
        + (f", {format_number(job.cancelled)} stopped" if job.cancelled else ""),
    ]
    lines += [f"  {reason:<24} {format_number(count)}" for reason, count in answers.failures]
    return lines


def cost_text(job: BatchJob) -> str:
    """The cost, with what it means: sandbox money is made up, an unknown price is not zero."""
    amount = format_money(Decimal(job.cost_used))
    if job.sandbox:
        return f"{amount} of sandbox money (made up; nothing was spent)"
    if job.cost_unknown:
        return f"{amount} and {format_number(job.cost_unknown)} rows whose price is unknown"
    return amount


def json_line(job: BatchJob) -> str:
    """The last line of `ONCE=1`."""
    share = agreement(job)
    return json.dumps(
        {
            "rows": job.total,
            "succeeded": job.succeeded,
            "failed": job.failed,
            "agreement": None if share is None else round(share, 4),
            "seconds": round(elapsed_seconds(job, datetime.now(UTC)), 2),
        }
    )


def succeeded(job: BatchJob) -> bool:
    """Whether the job came to its own end."""
    return job.status == JobStatus.COMPLETED
