"""Limits of an event loop: all or nothing, slots, settling, and what a process knows without Redis."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import redis as redis_library
from pytest_django import Settings

from apps.core import rate_limits
from apps.core.limit_bounds import Bounds, Rate, Slots, Take, Verdict, bounds_of
from apps.core.limit_groups import GroupedLimits
from apps.core.limit_local import LocalLimits
from apps.core.redis import close_async_client

DEAD = "redis://127.0.0.1:1/0"
Outcome = TypeVar("Outcome")
_numbers = itertools.count(1)


def in_loop(use: Callable[[GroupedLimits], Awaitable[Outcome]]) -> Outcome:
    """Use the loop's limits, and close them."""

    async def run() -> Outcome:
        try:
            return await use(rate_limits.grouped())
        finally:
            await close_async_client()

    return asyncio.run(run())


def rate(limit: int, period: float = 1000.0) -> Rate:
    number = next(_numbers)
    return Rate(f"test.rate_{number}", f"rate:test:{number}".encode(), limit, period)


def slots(limit: int) -> Slots:
    number = next(_numbers)
    return Slots(f"test.slots_{number}", f"slots:test:{number}".encode(), limit)


def remaining(verdict: Verdict) -> list[int]:
    return [decision.remaining for decision in verdict.decisions]


def test_take__one_of_several_refuses__charges_none(redis: redis_library.Redis) -> None:
    wide, narrow, places = rate(100), rate(1), slots(5)

    async def use(grouped: GroupedLimits) -> tuple[Verdict, Verdict, Verdict]:
        asked = [Take(wide, 10), Take(narrow), Take(places, 1, b"a")]
        first = await grouped.take(asked)
        second = await grouped.take([Take(wide, 10), Take(narrow), Take(places, 1, b"b")])
        return first, second, await grouped.take([Take(wide, 0), Take(places, 1, b"c")])

    first, second, look = in_loop(use)
    assert (first.allowed, remaining(first)) == (True, [90, 0, 4])
    assert not second.allowed
    refused = second.refused()
    assert refused is not None
    assert refused.name == narrow.name
    assert refused.retry_after == pytest.approx(1000, abs=1)
    assert remaining(look) == [90, 3]


def test_take__hundreds_at_once__never_overshoot(redis: redis_library.Redis) -> None:
    bound = rate(50)

    async def use(grouped: GroupedLimits) -> list[Verdict]:
        return await asyncio.gather(*(grouped.take([Take(bound)]) for _ in range(300)))

    assert sum(verdict.allowed for verdict in in_loop(use)) == 50


def test_take__more_than_a_whole_allowance__passes_when_it_is_full(redis: redis_library.Redis) -> None:
    bound = rate(10)

    async def use(grouped: GroupedLimits) -> list[bool]:
        return [(await grouped.take([Take(bound, 1_000)])).allowed for _ in range(2)]

    assert in_loop(use) == [True, False]


def test_settle__less_or_more_was_used__counts_what_was(redis: redis_library.Redis) -> None:
    bound = rate(1_000)

    async def use(grouped: GroupedLimits) -> list[int]:
        left = remaining(await grouped.take([Take(bound, 500)]))
        grouped.settle(bound, -400)
        left += remaining(await grouped.take([Take(bound, 0)]))
        grouped.settle(bound, 700)
        left += remaining(await grouped.take([Take(bound, 0)]))
        grouped.settle(bound, 10_000_000)
        owing = await grouped.take([Take(bound, 1)])
        assert not owing.allowed
        # A debt never lasts longer than two periods, however large the run was.
        assert owing.decisions[0].retry_after <= 1_001
        return left

    assert in_loop(use) == [500, 900, 200]


def test_slots__freed_or_their_process_is_gone__are_taken_again(redis: redis_library.Redis) -> None:
    places = slots(2)
    redis.zadd(places.place, {b"of a process that is gone": 1.0})

    async def use(grouped: GroupedLimits) -> list[bool]:
        async def take(holder: bytes) -> bool:
            return (await grouped.take([Take(places, 1, holder)])).allowed

        found = [await take(b"a"), await take(b"b"), await take(b"c")]
        grouped.free(places, b"a")
        return [*found, await take(b"c")]

    assert in_loop(use) == [True, True, False, True]
    assert 0 < redis.pttl(places.place) <= 31_000


def test_take__asker_gone_meanwhile__is_given_back(redis: redis_library.Redis) -> None:
    bound = rate(10)

    async def use(grouped: GroupedLimits) -> list[int]:
        await grouped.take([Take(bound, 0)])
        asking = asyncio.ensure_future(grouped.take([Take(bound, 5)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # on its way by now
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await grouped.take([Take(bound, 0)])
        return remaining(await grouped.take([Take(bound, 0)]))

    assert in_loop(use) == [10]


def test_take__asker_leaves_as_the_verdict_comes__is_given_back(redis: redis_library.Redis) -> None:
    bound, places = rate(10), slots(1)

    async def use(grouped: GroupedLimits) -> tuple[int, bool]:
        await grouped.take([Take(bound, 0)])
        asking: asyncio.Task[Verdict]

        async def be_told_first() -> None:
            await grouped.take([Take(rate(5))])
            asking.cancel()  # its verdict is there, and it has not seen it yet

        first = asyncio.ensure_future(be_told_first())
        asking = asyncio.ensure_future(grouped.take([Take(bound, 5), Take(places, 1, b"a")]))
        await asyncio.gather(first, asking, return_exceptions=True)
        assert asking.cancelled()
        after = await grouped.take([Take(bound, 0), Take(places, 1, b"b")])
        return remaining(after)[0], after.allowed

    assert in_loop(use) == (10, True)


def test_redis_flushed__what_the_process_knows__is_told_again(redis: redis_library.Redis) -> None:
    bound, places = rate(10), slots(1)

    async def use(grouped: GroupedLimits) -> tuple[Verdict, Verdict]:
        await grouped.take([Take(bound, 9), Take(places, 1, b"a")])
        redis.flushdb()
        await grouped.take([Take(rate(5))])  # whoever asks first finds out
        await grouped.take([Take(rate(5))])
        return await grouped.take([Take(bound, 2)]), await grouped.take([Take(places, 1, b"b")])

    of_rate, of_slots = in_loop(use)
    assert not of_rate.allowed
    assert not of_slots.allowed


def test_redis_gone__process_goes_on_from_what_it_knows(redis: redis_library.Redis) -> None:
    bound, places = rate(10), slots(1)

    async def use(grouped: GroupedLimits) -> list[Verdict]:
        await grouped.take([Take(bound, 9), Take(places, 1, b"a")])
        alone = GroupedLimits(DEAD, rate_limits._local)
        found = [await alone.take([Take(bound)]), await alone.take([Take(bound)])]
        found.append(await alone.take([Take(places, 1, b"b")]))
        alone.free(places, b"a")
        found.append(await alone.take([Take(places, 1, b"b")]))
        await alone.close()
        return found

    assert [verdict.allowed for verdict in in_loop(use)] == [True, False, False, True]


def test_redis_never_there__all_or_nothing_holds(settings: Settings) -> None:
    settings.REDIS_URL = DEAD
    wide, narrow = rate(100), rate(1)

    async def use(grouped: GroupedLimits) -> list[Verdict]:
        asked = [Take(wide, 10), Take(narrow)]
        return [await grouped.take(asked), await grouped.take(asked), await grouped.take([Take(wide, 0)])]

    first, second, look = in_loop(use)
    assert (first.allowed, second.allowed) == (True, False)
    assert remaining(look) == [90]


def test_redis_answers_nonsense__is_left_alone(redis: redis_library.Redis) -> None:
    bound = rate(3)
    redis.set(bound.place, "nonsense")

    async def use(grouped: GroupedLimits) -> list[bool]:
        return [(await grouped.take([Take(bound)])).allowed for _ in range(4)]

    assert in_loop(use) == [True, True, True, False]


def test_refused_here__known_to_be_used_up__says_so_without_taking() -> None:
    local, bound = LocalLimits(), rate(1)
    assert local.refusal([Take(bound)]) is None
    local.take([Take(bound)])
    assert local.refusal([Take(bound)]) is not None


def test_bounds_of__only_what_is_set__bounds() -> None:
    assert bounds_of("key", "k") == Bounds()
    found = bounds_of("key", "k", requests=5, runs=2) + bounds_of("organization", "o", tokens=7)
    assert [take.bound.name for take in found.requests] == ["key.requests_per_minute"]
    assert [bound.name for bound in found.tokens] == ["organization.tokens_per_minute"]
    assert [bound.limit for bound in found.runs] == [2]
