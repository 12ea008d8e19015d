"""Ringing a worker. Postgres holds the truth; a job is only "look at this row now".

A dead Redis never fails the caller: the sweeper finds the row a few seconds later.
"""

import functools

from django.db import transaction
from rq import Queue
from rq.job import Retry
from rq.serializers import JSONSerializer

from apps.core import redis
from apps.core.logs import get_logger

QUEUES = ("default", "interactive", "bulk")
"""`default` carries the batches' pumps, `interactive` background runs, `bulk` what takes minutes."""

JOB_SECONDS = 120
RESULT_SECONDS = 60
FAILURE_SECONDS = 24 * 3600
LOOKED_AT = 50

logger = get_logger(__name__)


def get_queue(name: str = "default") -> Queue:
    """The RQ queue of that name (JSON serializer, so that write access to Redis is not code execution)."""
    if name not in QUEUES:
        raise ValueError(f"unknown queue {name!r}")
    return Queue(name, connection=redis.client(), serializer=JSONSerializer, default_timeout=JOB_SECONDS)


def enqueue(function: str, *arguments: str | int, queue: str = "default", timeout: int = JOB_SECONDS) -> None:
    """Rings `function` (a dotted name) on a worker after the transaction commits.

    Arguments are ids only. `timeout` in seconds. A dead Redis is logged and swallowed.
    """
    if queue not in QUEUES:
        raise ValueError(f"unknown queue {queue!r}")
    transaction.on_commit(functools.partial(_push, function, arguments, queue, timeout))


def _push(function: str, arguments: tuple[str | int, ...], queue: str, timeout: int) -> None:
    try:
        get_queue(queue).enqueue_call(
            function,
            args=arguments,
            timeout=timeout,
            result_ttl=RESULT_SECONDS,
            failure_ttl=FAILURE_SECONDS,
            retry=Retry(max=3),
        )
    except redis.DEAD_REDIS as error:
        logger.warning(
            "queue.redis_is_away", extra={"function": function, "queue": queue, "error": str(error)}
        )


def others_wait(function: str, name: str = "default") -> bool:
    """Whether a queue holds a job that calls something else than `function`. False when Redis is away."""
    try:
        return any(job.func_name != function for job in get_queue(name).get_jobs(0, LOOKED_AT))
    except redis.DEAD_REDIS:
        return False


def queue_depth(name: str = "default") -> int | None:
    """How many jobs wait, or None when Redis is away."""
    try:
        return get_queue(name).count
    except redis.DEAD_REDIS:
        return None
