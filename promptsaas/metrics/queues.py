"""The queues of Redis in figures."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job

from apps.core.queue import QUEUES, get_queue
from apps.core.redis import DEAD_REDIS


def queue_figures() -> tuple[list[Metric], bool]:
    """What waits in each queue, and whether Redis told all of it; a dead one costs half a second."""
    found: list[Metric] = []
    try:
        for name, help_text, value in _FIGURES:
            found.append(_family(name, help_text, value))
    except DEAD_REDIS:
        return found, False
    return found, True


def _family(name: str, help_text: str, value: Callable[[Queue], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=("queue",))
    for queue in QUEUES:
        family.add_metric([queue], value(get_queue(queue)))
    return family


def _oldest_age(queue: Queue) -> float:
    ids: Iterable[str] = queue.get_job_ids(0, 1)
    for job_id in ids:
        try:
            job = Job.fetch(job_id, connection=queue.connection, serializer=queue.serializer)
        except NoSuchJobError:
            return 0.0
        since = job.enqueued_at or job.created_at
        if since is not None:
            return max(0.0, (datetime.now(UTC) - since.replace(tzinfo=UTC)).total_seconds())
    return 0.0


_FIGURES: tuple[tuple[str, str, Callable[[Queue], float]], ...] = (
    ("promptsaas_queue_depth", "Jobs that wait in a queue.", lambda queue: queue.count),
    (
        "promptsaas_queue_oldest_job_age_seconds",
        "How long the first job of a queue has waited; 0 when none waits.",
        _oldest_age,
    ),
    (
        "promptsaas_queue_failed_jobs",
        "Jobs that failed for good within the last day.",
        lambda queue: queue.failed_job_registry.get_job_count(cleanup=False),
    ),
    ("promptsaas_queue_workers", "Workers that listen on a queue.", lambda queue: Worker.count(queue=queue)),
)
