"""Bounds on the time of a block: late, in time, and cancelled from elsewhere."""

import asyncio

import pytest

from apps.core.deadlines import Alarm, Deadline


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


class _Bell(Alarm):
    """Rings into a list, and tells when that holds enough."""

    __slots__ = ("enough", "name", "rung", "wanted")

    def __init__(self, name: str, rung: list[str], enough: asyncio.Event, wanted: int) -> None:
        self.name, self.rung, self.enough, self.wanted = name, rung, enough, wanted

    def ring(self) -> None:
        self.rung.append(self.name)
        if len(self.rung) == self.wanted:
            self.enough.set()


def test_alarms__a_sooner_one_after_a_later__rings_first_and_one_called_off_never() -> None:
    async def run() -> list[str]:
        loop, enough, rung = asyncio.get_running_loop(), asyncio.Event(), list[str]()
        late, soon, off = (_Bell(name, rung, enough, 2) for name in ("late", "soon", "off"))
        late.set(loop, 0.03)
        soon.set(loop, 0.005)
        off.set(loop, 0.001)
        off.call_off()
        await asyncio.wait_for(enough.wait(), 5)
        return rung

    assert asyncio.run(run()) == ["soon", "late"]


def test_alarms__set_while_another_rings__is_not_forgotten() -> None:
    class Again(_Bell):
        __slots__ = ()

        def ring(self) -> None:
            super().ring()
            if not self.enough.is_set():
                self.set(asyncio.get_running_loop(), 0.001)

    async def run() -> list[str]:
        enough, rung = asyncio.Event(), list[str]()
        Again("again", rung, enough, 3).set(asyncio.get_running_loop(), 0.001)
        await asyncio.wait_for(enough.wait(), 5)
        return rung

    assert asyncio.run(run()) == ["again"] * 3
