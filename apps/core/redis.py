"""Connections to Redis or Valkey.

Redis is a bell, a cache and a counter, never the truth: every caller must live through its absence.
So calls give up fast (half a second) and are not retried.
"""

import asyncio
import threading
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

CONNECT_SECONDS = 0.5
CALL_SECONDS = 0.5
# What a call can raise when Redis is away: redis-py wraps most socket errors, but not all of them.
DEAD_REDIS = (RedisError, OSError)

_lock = threading.Lock()
_clients: dict[str, redis.Redis] = {}
_async_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = (
    weakref.WeakKeyDictionary()
)
_at_close: defaultdict[asyncio.AbstractEventLoop, list[Callable[[], Awaitable[None]]]] = defaultdict(list)


def client() -> redis.Redis:
    """The process's shared client (bytes in, bytes out; safe across threads and forks)."""
    url = settings.REDIS_URL
    with _lock:
        if url not in _clients:
            _clients[url] = redis.Redis.from_url(
                url,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=CALL_SECONDS,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=30,
            )
        return _clients[url]


def async_client() -> redis.asyncio.Redis:
    """The running event loop's client: a connection belongs to the loop that opened it."""
    loop = asyncio.get_running_loop()
    with _lock:
        if loop not in _async_clients:
            _async_clients[loop] = redis.asyncio.Redis.from_url(
                settings.REDIS_URL,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=CALL_SECONDS,
                retry=AsyncRetry(NoBackoff(), 0),
                health_check_interval=30,
            )
        return _async_clients[loop]


def at_close(close: Callable[[], Awaitable[None]]) -> None:
    """Have something closed together with the running loop's client."""
    _at_close[asyncio.get_running_loop()].append(close)


async def close_async_client() -> None:
    """Closes the running loop's client; call it at the end of the loop's life."""
    for close in _at_close.pop(asyncio.get_running_loop(), []):
        await close()
    with _lock:
        found = _async_clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.aclose()
