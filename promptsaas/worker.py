"""The RQ worker of this product."""

import os
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import Final

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string
from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from apps.core.collector import spare_the_collector
from apps.core.logs import get_logger
from apps.core.metrics import take_slot
from apps.core.queue import get_queue
from apps.core.redis import DEAD_REDIS
from apps.providers.naming import load_price_list
from promptsaas.metrics.listening import listen

# An idle worker blocks for this minus 15 s before it looks after itself, so it is kept short.
WORKER_SECONDS = 30
CONNECT_SECONDS = 2
# What a queue carries all the time: loaded once, so that each job's process is there within milliseconds.
USUAL_JOBS: Final = {"default": "apps.batches.jobs.pump", "interactive": "apps.runs.jobs.pump"}

logger = get_logger(__name__)


class ProductWorker(Worker):
    """Forks one process per job, as RQ does, without handing it open database connections.

    Asked to end, it passes the wish on to the job: a pump then hands its rows over at once, and a job that
    knows nothing of it comes to its own end.
    """

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Close what must not be shared by two processes, then fork."""
        connections.close_all()
        super().execute_job(job, queue)

    def setup_work_horse_signals(self) -> None:
        """In the job's process: by default the wish to end is ignored, a job may set a handler of its own."""
        take_slot("job")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal to the worker; the second one kills the job."""
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def wait_for_worker(queue_name: str = "default", seconds: float = 30.0) -> bool:
    """Wait until a worker listens on the queue; False if none does. The jobs themselves wait either way."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Worker.count(queue=get_queue(queue_name)):
                return True
        except DEAD_REDIS:
            pass
        time.sleep(0.1)
    return False


def run_worker(queue_name: str, *, burst: bool = False) -> None:
    """Work until a signal says stop: the first lets the job end, the second ends it."""
    # Not core.redis: its half-second timeout would cut the blocking read of an idle worker.
    connection = Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=WORKER_SECONDS + 10,
        health_check_interval=30,
    )
    queue = Queue(queue_name, connection=connection, serializer=JSONSerializer)
    worker = ProductWorker(
        [queue],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_SECONDS,
        job_monitoring_interval=10,
        log_job_description=False,
    )
    if queue_name in USUAL_JOBS:
        import_string(USUAL_JOBS[queue_name])
        load_price_list()
    spare_the_collector()
    listen()
    logger.info("worker.started", extra={"queue": queue_name, "pid": os.getpid()})
    # Without RQ's scheduler process: retries are immediate, and periodic work belongs to cron.
    worker.work(burst=burst, with_scheduler=False)
