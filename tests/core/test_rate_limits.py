import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis as redis_library
from pytest_django import Settings

from apps.core import rate_limits
from apps.core.errors import RateLimited
from apps.core.redis import close_async_client

DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    rate_limits._breaker.reset()
    yield
    rate_limits._breaker.reset()


def test_check__limit_used_up__refuses_with_the_time_to_wait(redis: redis_library.Redis) -> None:
    allowed = [rate_limits.check("api", "k", 5, 100) for _ in range(5)]
    assert [decision.remaining for decision in allowed] == [4, 3, 2, 1, 0]
    assert all(decision.allowed for decision in allowed)
    refused = rate_limits.check("api", "k", 5, 100)
    assert not refused.allowed
    assert refused.remaining == 0
    assert 18 < refused.retry_after <= 20
    assert 98 < refused.reset_after <= 100
    assert refused.headers()["RateLimit-Remaining"] == "0"
    assert refused.headers()["Retry-After"] == "20"


def test_check__refused__takes_nothing(redis: redis_library.Redis) -> None:
    for _ in range(3):
        rate_limits.check("api", "k", 1, 1000)
    assert rate_limits.check("api", "k", 1, 1000).retry_after <= 1000


def test_check__time_passes__gives_back_one(redis: redis_library.Redis) -> None:
    start = time.monotonic()
    assert [rate_limits.check("api", "k", 2, 0.4).allowed for _ in range(3)] == [True, True, False]
    while not rate_limits.check("api", "k", 2, 0.4).allowed:
        assert time.monotonic() - start < 2
    assert time.monotonic() - start > 0.19
    assert not rate_limits.check("api", "k", 2, 0.4).allowed


def test_check__other_key_or_name__counts_apart(redis: redis_library.Redis) -> None:
    assert rate_limits.check("api", "a", 1, 100).allowed
    assert rate_limits.check("api", "b", 1, 100).allowed
    assert rate_limits.check("login", "a", 1, 100).allowed
    assert not rate_limits.check("api", "a", 1, 100).allowed


def test_check__cost__takes_as_much(redis: redis_library.Redis) -> None:
    assert rate_limits.check("api", "k", 10, 100, cost=8).remaining == 2
    assert not rate_limits.check("api", "k", 10, 100, cost=3).allowed
    assert rate_limits.check("api", "k", 10, 100, cost=2).allowed


def test_check__limit_of_nothing__refuses() -> None:
    decision = rate_limits.check("api", "nothing", 0, 60)
    assert not decision.allowed
    assert decision.headers()["Retry-After"] == "60"


def test_check__many_threads__never_overshoots(redis: redis_library.Redis) -> None:
    with ThreadPoolExecutor(16) as pool:
        decisions = list(pool.map(lambda _: rate_limits.check("api", "k", 50, 10_000), range(200)))
    assert sum(decision.allowed for decision in decisions) == 50


def test_check__key_forgotten__when_full_again(redis: redis_library.Redis) -> None:
    rate_limits.check("api", "k", 10, 100)
    assert 0 < redis.pttl("rate:api:k") <= 10_001


def test_acheck__shares_the_count(redis: redis_library.Redis) -> None:
    async def scenario() -> list[bool]:
        found = [(await rate_limits.acheck("api", "k", 2, 100)).allowed for _ in range(2)]
        await close_async_client()
        return found

    assert rate_limits.check("api", "k", 2, 100).allowed
    assert asyncio.run(scenario()) == [True, False]


def test_check__redis_dead__counts_in_the_process(settings: Settings) -> None:
    settings.REDIS_URL = DEAD
    decisions = [rate_limits.check("api", "dead-local", 2, 1000) for _ in range(3)]
    assert [decision.allowed for decision in decisions] == [True, True, False]
    assert decisions[2].retry_after > 400


def test_check__redis_dead_and_fail_closed__refuses(settings: Settings) -> None:
    settings.REDIS_URL = DEAD
    decision = rate_limits.check("login", "dead-closed", 5, 60, fail_closed=True)
    assert not decision.allowed
    with pytest.raises(RateLimited):
        decision.enforce()


def test_acheck__redis_dead__counts_in_the_process(settings: Settings) -> None:
    settings.REDIS_URL = DEAD

    async def scenario() -> list[bool]:
        found = [(await rate_limits.acheck("api", "dead-async", 1, 1000)).allowed for _ in range(2)]
        await close_async_client()
        return found

    assert asyncio.run(scenario()) == [True, False]


def test_check__redis_failed_just_now__is_left_alone(settings: Settings) -> None:
    settings.REDIS_URL = DEAD
    rate_limits.check("api", "breaker", 5, 60)
    assert not rate_limits._breaker.is_closed()
