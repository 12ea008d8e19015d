"""Jobs for tests of the worker."""

from django.conf import settings
from redis import Redis

WAIT_SECONDS = 30


def begin_and_wait(name: str) -> None:
    """Say that it has begun, wait for a word, say that it is done."""
    with Redis.from_url(settings.REDIS_URL, socket_timeout=2 * WAIT_SECONDS) as client:
        client.rpush(f"{name}:begun", "1")
        client.blpop([f"{name}:go"], WAIT_SECONDS)
        client.rpush(f"{name}:done", "1")
