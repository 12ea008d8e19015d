"""The read-through cache: freshness by tags, one load at a time."""

import asyncio

import pytest

from apps.core.errors import NotFound
from apps.runs.caches import ReadThroughCache


class Source:
    """Something that is loaded: counts, may wait, may refuse."""

    def __init__(self) -> None:
        self.loads = 0
        self.gate: asyncio.Event | None = None
        self.refuses = False

    async def load(self) -> str:
        self.loads += 1
        number = self.loads
        if self.gate is not None:
            await self.gate.wait()
        if self.refuses:
            raise NotFound("There is nothing.")
        return f"value {number}"


def _cache(**options: float) -> ReadThroughCache[str, str]:
    return ReadThroughCache(lambda key, value: (("label", key),), **options)  # type: ignore[arg-type]


def test_get__twice__loads_once() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        assert [await cache.get("a", source.load), await cache.get("a", source.load)] == [
            "value 1",
            "value 1",
        ]

    asyncio.run(run())


def test_get__by_many_at_once__loads_once() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        found = await asyncio.gather(*(cache.get("a", source.load) for _ in range(20)))
        assert (set(found), source.loads) == ({"value 1"}, 1)

    asyncio.run(run())


def test_invalidate__with_the_tag__loads_anew() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        await cache.get("a", source.load)
        cache.invalidate(("label", "b"))
        assert await cache.get("a", source.load) == "value 1"
        cache.invalidate(("label", "a"))
        assert await cache.get("a", source.load) == "value 2"

    asyncio.run(run())


def test_invalidate__while_a_load_runs__keeps_its_value_out() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        source.gate = asyncio.Event()
        loading = asyncio.create_task(cache.get("a", source.load))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cache.invalidate(("label", "a"))
        source.gate.set()
        assert await loading == "value 1"
        assert await cache.get("a", source.load) == "value 2"

    asyncio.run(run())


def test_get__cancelled_by_one_waiter__goes_on_for_the_others() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        source.gate = asyncio.Event()
        first = asyncio.create_task(cache.get("a", source.load))
        second = asyncio.create_task(cache.get("a", source.load))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        source.gate.set()
        assert await second == "value 1"
        assert source.loads == 1

    asyncio.run(run())


def test_get__refused__is_remembered_for_a_moment_only() -> None:
    async def run() -> None:
        cache, source = _cache(), Source()
        source.refuses = True
        for _ in range(3):
            with pytest.raises(NotFound):
                await cache.get("a", source.load)
        assert source.loads == 1
        cache.clear()
        source.refuses = False
        assert await cache.get("a", source.load) == "value 2"

    asyncio.run(run())


def test_get__beyond_the_size__drops_the_oldest() -> None:
    async def run() -> None:
        dropped: list[str] = []
        cache: ReadThroughCache[str, str] = ReadThroughCache(
            lambda key, value: (("label", key),), size=2, dispose=dropped.append
        )
        source = Source()
        for key in ("a", "b", "c"):
            await cache.get(key, source.load)
        assert dropped == ["value 1"]
        assert cache.peek("a") is None
        assert cache.peek("c") == "value 3"

    asyncio.run(run())


def test_get__past_its_seconds__loads_anew() -> None:
    async def run() -> None:
        cache, source = _cache(seconds=-1.0), Source()
        assert await cache.get("a", source.load) == "value 1"
        assert await cache.get("a", source.load) == "value 2"

    asyncio.run(run())
