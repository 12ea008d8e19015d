"""Bounds on the time of a block: late, in time, and cancelled from elsewhere."""

import asyncio

import pytest

from apps.core.deadlines import Deadline


def test_deadline__that_passes__raises_timeout_and_leaves_the_task_alive() -> None:
    async def run() -> str:
        with pytest.raises(TimeoutError), Deadline(0.001):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "on"

    assert asyncio.run(run()) == "on"


def test_deadline__kept__does_nothing() -> None:
    async def run() -> int:
        with Deadline(60):
            await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(run()) == 0


def test_deadline__of_a_task_that_is_cancelled__lets_the_cancellation_through() -> None:
    async def wait() -> None:
        with Deadline(60):
            await asyncio.Event().wait()

    async def run() -> bool:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(run())


def test_deadline__around_another__tells_which_of_them_passed() -> None:
    async def run() -> str:
        try:
            with Deadline(0.001):
                try:
                    with Deadline(60):
                        await asyncio.Event().wait()
                except TimeoutError:
                    return "inner"
        except TimeoutError:
            return "outer"
        return "none"

    assert asyncio.run(run()) == "outer"
