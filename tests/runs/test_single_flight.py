"""Identical runs at the same time: one call of the provider, its answer for all, what its failure does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis as redis_library

from apps.core.ids import uuid7
from apps.core.scope import organization_scope
from apps.runs.answers import CachedAnswer
from apps.runs.models import Run
from apps.runs.runtime import Runtime, open_runtime
from apps.runs.single_flight import Flight, Flights
from apps.runs.types import CacheWish, RunDelta, RunRequest, RunResult
from apps.tenants.models import Project
from tests.factories import make_connection, make_project
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import FAST, PATIENT, make_request, with_runtime

__all__ = ["fake_provider"]

ANSWER = CachedAnswer(uuid7(), "An answer.")


def _together(scene: Callable[[Flights], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await scene(Flights())

    return asyncio.run(run())


def test_join__while_another_asks__gets_its_answer() -> None:
    async def scene(flights: Flights) -> list[Any]:
        leading = await flights.join("a", 1)
        assert isinstance(leading, Flight)
        followers = [asyncio.create_task(flights.join("a", 1)) for _ in range(3)]
        await asyncio.sleep(0)
        assert isinstance(await flights.join("b", 1), Flight)
        leading.land(ANSWER)
        leading.fail()
        assert isinstance(await flights.join("a", 1), Flight), "the next one asks anew"
        return list(await asyncio.gather(*followers))

    assert _together(scene) == [ANSWER] * 3


def test_join__when_the_one_that_asks_fails__one_asks_anew_and_then_each_for_itself() -> None:
    async def scene(flights: Flights) -> list[Any]:
        first = await flights.join("a", 1)
        assert isinstance(first, Flight)
        followers = [asyncio.create_task(flights.join("a", 1)) for _ in range(3)]
        await asyncio.sleep(0)
        first.fail()
        done, waiting = await asyncio.wait(followers, return_when=asyncio.FIRST_COMPLETED)
        [second] = done
        assert len(waiting) == 2
        leading = second.result()
        assert isinstance(leading, Flight)
        leading.fail()
        return [await each for each in waiting]

    assert _together(scene) == [None, None]


def test_join__of_an_answer_for_nobody_else__goes_on_alone_at_once() -> None:
    async def scene(flights: Flights) -> Any:
        leading = await flights.join("a", 1)
        assert isinstance(leading, Flight)
        follower = asyncio.create_task(flights.join("a", 1))
        await asyncio.sleep(0)
        leading.land(None)
        return await follower

    assert _together(scene) is None


def test_join__beyond_its_time__goes_on_alone_and_leaves_the_others_waiting() -> None:
    async def scene(flights: Flights) -> list[Any]:
        leading = await flights.join("a", 1)
        assert isinstance(leading, Flight)
        patient = asyncio.create_task(flights.join("a", 1))
        hurried = await flights.join("a", 0.01)
        leading.land(ANSWER)
        return [hurried, await patient]

    assert _together(scene) == [None, ANSWER]


@pytest.fixture
def project(transactional_db: None, fake_provider: FakeProvider) -> Project:
    """A project with the connection `local`."""
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    return project


def _request(project: Project, model: str = "local/late", **values: Any) -> RunRequest:
    messages = ({"role": "user", "content": "the same question"},)
    asked = {"model": model, "messages": messages, "cache": CacheWish(seconds=60)}
    return make_request(project, **{**asked, **values})


async def _until_asked(provider: FakeProvider) -> None:
    async with asyncio.timeout(20):
        while True:
            if provider.calls:
                return
            await asyncio.sleep(0.005)


def _execute_at_once(*requests: RunRequest) -> list[RunResult]:
    async def use(runtime: Runtime) -> list[RunResult]:
        return list(await asyncio.gather(*(runtime.engine.execute(request) for request in requests)))

    return with_runtime(use)


def test_execute__ten_at_once__is_one_call_and_ten_runs(
    project: Project, fake_provider: FakeProvider
) -> None:
    results = _execute_at_once(*(_request(project) for _ in range(10)))
    assert fake_provider.calls["late"] == 1
    [leader] = [result for result in results if result.cached_from is None]
    followers = [result for result in results if result.cached_from is not None]
    assert {result.cached_from for result in followers} == {leader.run_id}
    assert {(result.cache, result.cache_kind, result.text) for result in followers} == {
        ("hit", "exact", leader.text)
    }
    with organization_scope(project.organization_id):
        assert Run.objects.filter(usage_origin="cache", price_amount=0).count() == 9


def test_execute__at_once_without_a_cache__is_a_call_each(
    project: Project, fake_provider: FakeProvider
) -> None:
    _execute_at_once(*(_request(project, cache=None) for _ in range(3)))
    assert fake_provider.calls["late"] == 3


def test_execute__at_once_with_other_wishes__does_not_take_what_it_would_not_have_taken(
    project: Project, fake_provider: FakeProvider
) -> None:
    results = _execute_at_once(
        _request(project),
        _request(project, cache=CacheWish(seconds=5)),
        _request(project, cache=CacheWish(on=False)),
    )
    # In another process's way: through Redis, which knows how old an answer is.
    assert sorted(result.cache or "" for result in results) == ["hit", "miss", "off"]
    assert fake_provider.calls["late"] == 2


def test_execute__behind_one_that_was_cancelled__asks_anew(
    project: Project, fake_provider: FakeProvider
) -> None:
    async def use(runtime: Runtime) -> list[RunResult]:
        first = asyncio.create_task(runtime.engine.execute(_request(project, "local/hang-once")))
        await _until_asked(fake_provider)
        others = [
            asyncio.create_task(runtime.engine.execute(_request(project, "local/hang-once")))
            for _ in range(3)
        ]
        await asyncio.sleep(0.01)
        first.cancel()
        return list(await asyncio.gather(*others))

    results = with_runtime(use)
    assert [result.status for result in results] == ["succeeded"] * 3
    assert fake_provider.calls["hang-once"] == 2
    assert len({result.cached_from for result in results}) == 2


def test_stream__behind_one_that_is_asked__replays_its_answer_whole(
    project: Project, fake_provider: FakeProvider
) -> None:
    async def read(runtime: Runtime) -> list[Any]:
        return [item async for item in runtime.engine.stream(_request(project, "local/echo"))]

    async def use(runtime: Runtime) -> list[list[Any]]:
        return list(await asyncio.gather(read(runtime), read(runtime)))

    streams = with_runtime(use)
    assert fake_provider.calls["echo"] == 1
    [follower] = [items for items in streams if items[0].cache == "hit"]
    assert follower[1] == RunDelta("the same question", cached=True)


def test_execute__in_two_processes__waits_for_the_other_ones_answer(
    project: Project, fake_provider: FakeProvider, redis: redis_library.Redis
) -> None:
    async def run() -> list[RunResult]:
        # Two engines know nothing of each other but through Redis.
        async with (
            open_runtime(retries=FAST, cache_wait_seconds=PATIENT) as one,
            open_runtime(retries=FAST, cache_wait_seconds=PATIENT) as other,
        ):
            first = asyncio.create_task(one.engine.execute(_request(project)))
            await _until_asked(fake_provider)
            return [await other.engine.execute(_request(project)), await first]

    second, first = asyncio.run(run())
    assert (second.cached_from, fake_provider.calls["late"]) == (first.run_id, 1)
    assert redis.keys("asking:*") == []


def test_execute__a_run_that_failed__lets_others_ask(project: Project, redis: redis_library.Redis) -> None:
    [result] = _execute_at_once(_request(project, "sandbox/fast", overrides={"sandbox_error_rate": 1}))
    assert result.status == "failed"
    assert redis.keys("asking:*") == []
