"""The cron process: one table of periodic jobs, each in a thread of its own.

A job that fails is logged and tried again at its next turn; it never stops the others. Two cron processes do
no harm: every job takes an advisory lock or skips locked rows itself.
"""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import close_old_connections
from django.utils.module_loading import import_string

from apps.core.logs import get_logger
from apps.core.metrics import counter, summed_gauge
from promptsaas.metrics.listening import listen
from promptsaas.metrics.state import StateCollector

# Not "job": Prometheus gives that name to what it asks.
TURNS: Final = counter("promptsaas_cron_job_turns", "Turns of periodic jobs.", ("task", "outcome"))
DURATION: Final = summed_gauge(
    "promptsaas_cron_job_duration_seconds", "How long the last turn of a periodic job took.", ("task",)
)
LAST_SUCCESS: Final = summed_gauge(
    "promptsaas_cron_job_last_success_timestamp_seconds",
    "When a periodic job last succeeded, in Unix time.",
    ("task",),
)
INTERVAL: Final = summed_gauge(
    "promptsaas_cron_job_interval_seconds", "How often a periodic job has its turn.", ("task",)
)

logger = get_logger(__name__)


@dataclass(frozen=True)
class PeriodicJob:
    """What to call (a dotted name of a function without arguments), and every how many seconds."""

    function: str
    every_seconds: float


JOBS: Final = (
    PeriodicJob("apps.analytics.jobs.count", 5),
    PeriodicJob("apps.analytics.jobs.purge", 3600),
    PeriodicJob("apps.analytics.jobs.check", 86400),
    PeriodicJob("apps.audit.jobs.seal", 1),
    PeriodicJob("apps.batches.jobs.sweep", 5),
    PeriodicJob("apps.batches.jobs.tell_streams", 5),
    PeriodicJob("apps.batches.provider_batches.jobs.sweep", 5),
    PeriodicJob("apps.batches.jobs.sweep_openai_batches", 15),
    PeriodicJob("apps.batches.jobs.sweep_scale_tests", 5),
    PeriodicJob("apps.batches.jobs.purge_openai_files", 600),
    PeriodicJob("apps.billing.jobs.sweep", 5),
    PeriodicJob("apps.core.outbox.relay_waiting", 1),
    PeriodicJob("apps.core.mail.deliver", 5),
    PeriodicJob("apps.core.partitions.ensure_all_partitions", 3600),
    PeriodicJob("apps.core.partitions.drop_empty_partitions", 3600),
    PeriodicJob("apps.core.files.purge_expired", 600),
    PeriodicJob("apps.core.idempotency.purge_expired", 600),
    PeriodicJob("apps.core.changes.trim", 600),
    PeriodicJob("apps.core.mail.purge", 3600),
    PeriodicJob("apps.batches.jobs.sweep_rows", 15),
    PeriodicJob("apps.batches.jobs.purge_rows", 3600),
    PeriodicJob("apps.datasets.jobs.purge", 600),
    PeriodicJob("apps.datasets.jobs.sweep", 15),
    PeriodicJob("apps.analytics.alerts.jobs.watch", 60),
    PeriodicJob("apps.analytics.incidents.jobs.look", 60),
    PeriodicJob("apps.runs.jobs.sweep", 5),
    PeriodicJob("apps.runs.jobs.purge", 3600),
    PeriodicJob("apps.notifications.jobs.deliver", 1),
    PeriodicJob("apps.notifications.jobs.purge", 3600),
    PeriodicJob("apps.runs.jobs.purge_cache_entries", 60),
    PeriodicJob("apps.retention.jobs.purge", 10),
    PeriodicJob("apps.retention.jobs.sweep_erasures", 30),
    PeriodicJob("apps.retention.jobs.sweep_exports", 30),
)


class Cron:
    """Runs jobs until it is stopped."""

    def __init__(self, jobs: Sequence[PeriodicJob] = JOBS) -> None:
        self.jobs = jobs
        self._stopping = threading.Event()

    def stop(self) -> None:
        """No further turns; jobs that run now come to their end."""
        self._stopping.set()

    def run(self) -> None:
        """Run until `stop`."""
        functions = [(job, import_string(job.function)) for job in self.jobs]
        threads = [
            threading.Thread(target=self._repeat, args=(job, function), name=job.function)
            for job, function in functions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, job: PeriodicJob, function: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            started_at = time.monotonic()
            run_once(job, function)
            self._stopping.wait(max(0.0, job.every_seconds - (time.monotonic() - started_at)))


def run_once(job: PeriodicJob, function: Callable[[], object]) -> None:
    """One turn of a job, with its database connection checked before and after."""
    close_old_connections()
    started_at = time.monotonic()
    outcome = "failed"
    try:
        function()
        outcome = "succeeded"
    except Exception:
        # Whatever it was, the other jobs and the next turn must not suffer from it.
        logger.exception("cron.job_failed", extra={"job": job.function})
    finally:
        TURNS.labels(job.function, outcome).inc()
        DURATION.labels(job.function).set(time.monotonic() - started_at)
        if outcome == "succeeded":
            LAST_SUCCESS.labels(job.function).set_to_current_time()
        close_old_connections()


def run_cron() -> None:
    """The process: all jobs until SIGTERM or Ctrl-C."""
    cron = Cron()
    for job in cron.jobs:
        INTERVAL.labels(job.function).set(job.every_seconds)
    listen(StateCollector())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: cron.stop())
    logger.info("cron.started", extra={"jobs": len(cron.jobs)})
    cron.run()
