"""One Idempotency-Key, many requests: `python -m bench.chaos.idempotency [rounds]`.

Two gateway processes stand before one project. The same request comes a hundred times at once under one key,
half to each process; then a hundred times again. Afterwards the key must have made one run, one usage record
and one call of the provider, and everybody must have got the same body.

Then the process that carries a keyed request gets SIGKILL in the middle of it. The client sends the request
again to the other one: it is answered as soon as the dead process's lease of the key has ended, and however
often it is sent from then on, there is one run, one usage record and one body.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from bench.chaos.checks import line
from bench.chaos.support import Arena, RunningGateway, arena, gateways

REQUESTS: Final = 100
WAIT_MS: Final = 1_500
KILL_AFTER_SECONDS: Final = 0.5
MOST_SECONDS_AFTER_KILL: Final = 30.0
PATHS: Final = ("/v1/chat/completions", "/v1/responses", "/api/v1/prompts/chaos/run")


@dataclass(frozen=True)
class Heard:
    """What one client heard."""

    status: int
    body: bytes


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    failed = False
    with arena(wait_ms=WAIT_MS) as place:
        with gateways(place, 2) as running:
            for number in range(rounds):
                path = PATHS[number % len(PATHS)]
                failed |= asyncio.run(twins(place, running, path, f"twins-{number}"))
        for number in range(rounds):
            with gateways(place, 2) as running:
                path = PATHS[number % len(PATHS)]
                failed |= asyncio.run(killed(place, running, path, f"killed-{number}"))
    return 1 if failed else 0


async def twins(place: Arena, running: list[RunningGateway], path: str, key: str) -> bool:
    """A hundred at once, and a hundred once more; whether something failed."""
    before = await asyncio.to_thread(counted, place)
    async with client(place, key) as session:
        first = await asyncio.gather(*(ask(session, running, path, number) for number in range(REQUESTS)))
        again = await asyncio.gather(*(ask(session, running, path, number) for number in range(REQUESTS)))
    words = f"{REQUESTS} at once, {REQUESTS} more, {path}"
    return report(words, [*first, *again], before, await asyncio.to_thread(counted, place))


async def killed(place: Arena, running: list[RunningGateway], path: str, key: str) -> bool:
    """The process dies in the middle of the request; whether something failed."""
    before = await asyncio.to_thread(counted, place)
    async with client(place, key) as session:
        doomed = asyncio.create_task(ask(session, running, path, 0))
        await asyncio.sleep(KILL_AFTER_SECONDS)
        kill(running[0])
        died = False
        try:
            await doomed
        except aiohttp.ClientError:
            died = True
        began = time.monotonic()
        heard = [await ask(session, running[1:], path, 0)]
        seconds = time.monotonic() - began
        heard += await asyncio.gather(*(ask(session, running[1:], path, 0) for _ in range(REQUESTS)))
    words = f"killed in the middle, {path}"
    failed = report(words, heard, before, await asyncio.to_thread(counted, place))
    failed |= line(f"{words}: the request broke off with its process", died, died)
    within = seconds <= MOST_SECONDS_AFTER_KILL
    return line(f"{words}: seconds until the next one was answered", f"{seconds:.1f}", within) or failed


def kill(running: RunningGateway) -> None:
    """SIGKILL to a gateway's supervisor and to the workers that it has started."""
    parent = running.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for pid in (parent, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


def report(words: str, heard: list[Heard], before: Counter[str], after: Counter[str]) -> bool:
    """Print what one key has made; whether something failed."""
    statuses = dict(Counter(each.status for each in heard))
    bodies = len({each.body for each in heard})
    runs, usage = after["runs"] - before["runs"], after["usage"] - before["usage"]
    failed = line(f"{words}: answers", statuses, statuses == {200: len(heard)})
    failed |= line(f"{words}: different bodies", bodies, bodies == 1)
    failed |= line(f"{words}: runs", runs, runs == 1)
    return line(f"{words}: usage records", usage, usage == 1) or failed


def client(place: Arena, key: str) -> aiohttp.ClientSession:
    """A client of the project whose every request carries the key."""
    headers = {
        "Authorization": f"Bearer {place.token}",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)


async def ask(session: aiohttp.ClientSession, running: list[RunningGateway], path: str, number: int) -> Heard:
    """One request, in turn to each process."""
    url = running[number % len(running)].url + path
    async with session.post(url, data=orjson.dumps(body_for(path))) as answer:
        return Heard(answer.status, await answer.read())


def body_for(path: str) -> dict[str, Any]:
    """A body that runs the prompt "chaos" at each address."""
    variables = {"word": "hello"}
    if path == "/v1/responses":
        return {"prompt": {"id": "chaos", "variables": variables}}
    if path == "/v1/chat/completions":
        return {"model": "prompt:chaos", "messages": [], "variables": variables}
    return {"variables": variables}


def counted(place: Arena) -> Counter[str]:
    """The project's runs and usage records."""
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from apps.billing.models import UsageEvent  # noqa: PLC0415
    from apps.core.scope import system_scope  # noqa: PLC0415
    from apps.runs.models import Run  # noqa: PLC0415

    try:
        with system_scope():
            runs = Run.all_organizations.filter(project_id=place.project.id).count()
            usage = UsageEvent.all_organizations.filter(
                organization_id=place.project.organization_id, source_kind="run"
            ).count()
    finally:
        connections.close_all()
    return Counter(runs=runs, usage=usage)


if __name__ == "__main__":
    sys.exit(main())
