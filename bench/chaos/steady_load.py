"""Requests at a steady rate, whoever answers: an open loop, so that a stall does not make the load wait."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson

LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of one request; times of the monotonic clock. `status` 0: no answer, `problem` says why."""

    began: float
    ended: float
    status: int
    run_id: str = ""
    retry_after: str | None = None
    problem: str = ""
    whole: bool = True


@dataclass
class SteadyLoad:
    """POSTs of one body to addresses in turn, `rate` a second."""

    urls: Sequence[str]
    token: str
    body: bytes
    rate: float
    outcomes: list[Outcome] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load while inside; leaving waits for what is under way."""
        timeout = aiohttp.ClientTimeout(total=LONGEST_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers) as session:
            under_way: set[asyncio.Task[None]] = set()
            asking = asyncio.create_task(self._ask_forever(session, under_way))
            try:
                yield
            finally:
                asking.cancel()
                if under_way:
                    await asyncio.wait(under_way)

    async def _ask_forever(self, session: aiohttp.ClientSession, under_way: set[asyncio.Task[None]]) -> None:
        began = time.monotonic()
        for number, url in enumerate(itertools.cycle(self.urls)):
            wait = began + number / self.rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._ask(session, url))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    async def _ask(self, session: aiohttp.ClientSession, url: str) -> None:
        began = time.monotonic()
        try:
            async with session.post(url, data=self.body) as answer:
                outcome = _outcome(began, answer, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = Outcome(began, time.monotonic(), 0, problem=f"{type(error).__name__}: {error}")
        self.outcomes.append(outcome)


def _outcome(began: float, answer: aiohttp.ClientResponse, content: bytes) -> Outcome:
    is_stream = answer.content_type == "text/event-stream"
    first = content.partition(b"\n\n")[0].removeprefix(b"data: ") if is_stream else content
    told = orjson.loads(first) if first else {}
    return Outcome(
        began,
        time.monotonic(),
        answer.status,
        run_id=told.get("id", ""),
        retry_after=answer.headers.get("Retry-After"),
        problem=str(told.get("error", ""))[:300],
        whole=not is_stream or content.rstrip().endswith(b"[DONE]"),
    )
