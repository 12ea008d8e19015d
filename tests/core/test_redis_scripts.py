"""Scripts over a bare connection: what was lost is opened, or sent, again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis as redis_library
from pytest_django import Settings

from apps.core.redis_scripts import RedisScripts

COUNT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


def _with_scripts(use: Callable[[RedisScripts], Awaitable[list[int]]]) -> list[int]:
    async def run() -> list[int]:
        scripts = RedisScripts(COUNT)
        try:
            return await use(scripts)
        finally:
            scripts.drop()
            await asyncio.sleep(0)

    return asyncio.run(run())


def test_run__after_scripts_or_connection_were_lost__goes_on(redis: redis_library.Redis) -> None:
    async def use(scripts: RedisScripts) -> list[int]:
        first = await scripts.run(COUNT, ["n"], [2])
        redis.script_flush()
        second = await scripts.run(COUNT, ["n"], ["3"])
        scripts.drop()
        return [first, second, *await asyncio.gather(*(scripts.run(COUNT, ["n"], [1]) for _ in range(2)))]

    assert _with_scripts(use) == [2, 5, 6, 7]


def test_run__without_redis__raises_what_callers_expect(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def use(scripts: RedisScripts) -> list[int]:
        with pytest.raises(OSError, match=r"."):
            await scripts.run(COUNT, ["n"], [1])
        return []

    assert _with_scripts(use) == []
