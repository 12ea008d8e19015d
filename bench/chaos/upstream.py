"""Providers that misbehave, before a real gateway: `python -m bench.chaos.upstream`.

One gateway process calls a provider of our own over HTTP that answers 429 with Retry-After (1 to 30 s), 500
in a burst, hangs, closes half-way, breaks its JSON off, answers HTML, and 10 MB. No run may get stuck: each
ends by its call's time limit and 5 s. Nothing is retried earlier than told. The breaker of the failing
connection opens within 10 s and closes after the recovery; a fallback answers meanwhile. Every run is kept.
"""

import asyncio
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from bench.chaos.checks import line
from bench.chaos.faulty_upstream import FaultyUpstream
from bench.chaos.support import Arena, RunningGateway, arena, gateways
from bench.serving.upstreams import free_port

TIMEOUT: Final = 4
GRACE: Final = 5
WAITS: Final = (1, 1, 2, 3, 5, 8, 30)
BURST_SECONDS: Final = 8.0
RATE: Final = 20
OPENS_WITHIN: Final = 10.0
CLOSES_WITHIN: Final = 20.0
MOST_GROWTH_MB: Final = 150
PAUSE_SECONDS: Final = 0.7
FAULTS: Final = ("limited", "burst", "hang", "half", "truncated", "html", "huge", "good")
RETRIES: Final = {"limited": 2, "burst": 2}


@dataclass(frozen=True)
class Heard:
    """What came of one run, as its client saw it."""

    question: str
    status: int
    code: str
    model: str
    seconds: float
    at: float


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    port = free_port()
    with arena() as place:
        prepare(place, port)
        with gateways(place, 1) as running:
            return int(asyncio.run(trouble(place, running[0], port)))


def prepare(place: Arena, port: int) -> None:
    """A connection and a prompt for each fault; `guarded` has the good one as its fallback."""
    import os  # noqa: PLC0415

    from django.conf import settings  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415

    from apps.audit.actor import SYSTEM  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.prompts.services.serving import change_serving  # noqa: PLC0415
    from tests.factories import make_content, make_prompt  # noqa: PLC0415
    from tests.factories.providers import make_connection  # noqa: PLC0415

    allowed = [f"127.0.0.1:{place.upstream_port}", f"127.0.0.1:{port}"]
    os.environ["OUTBOUND_ALLOWED_HOSTS"], settings.OUTBOUND_ALLOWED_HOSTS = ",".join(allowed), allowed
    prompts = {fault: fault for fault in FAULTS} | {"guarded": "burst"}
    for fault in FAULTS:
        base_url = f"http://127.0.0.1:{port}/{fault}/v1"
        make_connection(project=place.project, name=fault, base_url=base_url, models=("*",))
    for name, fault in prompts.items():
        content = make_content("{{ word }}", model=f"{fault}/m")
        prompt = make_prompt(project=place.project, name=name, content=content, labels={"production": 1})
        fallbacks = ["good/m"] if name == "guarded" else []
        calls = {"timeout_seconds": TIMEOUT, "retries": RETRIES.get(fault, 0), "fallbacks": fallbacks}
        with organization_scope(place.project.organization_id):
            change_serving(actor=SYSTEM, project=place.project, prompt=prompt, sections={"calls": calls})
    connections.close_all()


async def trouble(place: Arena, gateway: RunningGateway, port: int) -> bool:
    """Everything, one after the other; whether something failed."""
    upstream = FaultyUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", port)
    headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=90)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        client = Client(session, f"{gateway.url}/v1/chat/completions")
        waiting = asyncio.create_task(limited(client, upstream))
        failed = await burst(client, upstream)
        failed |= await broken(client, gateway)
        failed |= await waiting
        failed |= await soundness(client, place)
    server.close()
    return failed


class Client:
    """Asks the gateway, and remembers every answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url
        self.heard: list[Heard] = []

    async def ask(self, prompt: str, question: str, *, stream: bool = False) -> Heard:
        """One run, to its end."""
        body = {
            "model": f"prompt:{prompt}",
            "messages": [],
            "variables": {"word": question},
            "stream": stream,
        }
        began = time.monotonic()
        async with self._session.post(self._url, data=orjson.dumps(body)) as answer:
            raw = await answer.read()
        told = _told(raw)
        found = Heard(
            question,
            answer.status,
            str((told.get("error") or {}).get("code", "")),
            answer.headers.get("promptsaas-model", str(told.get("model", ""))),
            time.monotonic() - began,
            time.monotonic(),
        )
        self.heard.append(found)
        return found


def _told(raw: bytes) -> dict[str, Any]:
    """The JSON of an answer, or of the last event of a stream that has any."""
    events = [part for part in raw.split(b"data: ") if part.strip() and part.strip() != b"[DONE]"]
    found: Any = orjson.loads(events[-1].split(b"\n\nevent")[0]) if events else {}
    return found if isinstance(found, dict) else {}


async def limited(client: Client, upstream: FaultyUpstream) -> bool:
    """429 with what to wait: asked again, never earlier."""
    questions = [f"limited {seconds} {number}" for number, seconds in enumerate(WAITS)]
    heard = await asyncio.gather(*(client.ask("limited", question) for question in questions))
    early = again = 0
    for question in questions:
        times = upstream.asked[question]
        gaps = [later - sooner for sooner, later in pairwise(times)]
        again += bool(gaps)
        early += bool(gaps and gaps[0] < float(question.split()[1]))
    failed = line("429: answered after the wait", _statuses(heard), _all(heard, {200}))
    failed |= line("429: asked again", again, again == len(questions))
    return line("429: asked again earlier than told", early, early == 0) or failed


async def burst(client: Client, upstream: FaultyUpstream) -> bool:
    """500s for a while, under steady load, with and without a fallback."""
    upstream.bursting, began = True, time.monotonic()
    tasks = await _steadily(client, ("burst", "guarded"), BURST_SECONDS, "burst")
    upstream.bursting, recovered = False, time.monotonic()
    tasks += await _steadily(client, ("burst", "guarded"), CLOSES_WITHIN, "after")
    heard = await asyncio.gather(*tasks)
    plain = [each for prompt, each in zip(_names(len(heard)), heard, strict=True) if prompt == "burst"]
    guarded = [each for prompt, each in zip(_names(len(heard)), heard, strict=True) if prompt == "guarded"]
    rejected = sum(each.code == "provider_unavailable" for each in plain)
    answered = [each.at - recovered for each in plain if each.status == 200]
    opened, closed = _first_pause(upstream.calls["burst"], recovered) - began, min(answered, default=999.0)
    late = [each for each in plain if each.at - recovered > CLOSES_WITHIN - 2 and each.status != 200]
    failed = line("burst of 500: breaker opens after s", f"{opened:.1f}", opened <= OPENS_WITHIN)
    failed |= line("burst of 500: runs that were told so at once", rejected, rejected > 0)
    failed |= line("burst of 500: breaker closes after s", f"{closed:.1f}", closed <= CLOSES_WITHIN)
    failed |= line("burst of 500: failures after the recovery", len(late), not late)
    calls = sum(began + opened < each < recovered for each in upstream.calls["burst"])
    failed |= line("burst of 500: calls while the breaker was open", calls, calls <= BURST_SECONDS)
    return line("burst of 500: with a fallback", _statuses(guarded), _all(guarded, {200})) or failed


async def broken(client: Client, gateway: RunningGateway) -> bool:
    """Faults that end a run at once or by its time limit, each streamed and not."""
    failed = False
    before = _memory_mb(gateway)
    for fault, statuses in (
        ("hang", {503, 504}),
        ("half", {502, 503}),
        ("truncated", {502, 503}),
        ("html", {502, 503}),
        ("huge", {502, 503}),
    ):
        asked = [client.ask(fault, f"{fault} {number}") for number in range(8)]
        asked += [client.ask(fault, f"{fault} stream {number}", stream=True) for number in range(4)]
        heard = await asyncio.gather(*asked)
        slowest = max(each.seconds for each in heard)
        plain = heard[:8]
        failed |= line(f"{fault}: answers", _statuses(plain), _all(plain, statuses))
        errors = sum(bool(each.code) for each in heard)
        failed |= line(f"{fault}: told why, of {len(heard)}", errors, errors == len(heard))
        failed |= line(f"{fault}: slowest, s", f"{slowest:.1f}", slowest <= TIMEOUT + GRACE)
    growth = _memory_mb(gateway) - before
    return line("memory of the gateway grew by MB", f"{growth:.0f}", growth <= MOST_GROWTH_MB) or failed


async def soundness(client: Client, place: Arena) -> bool:
    """The gateway answers as before, and has recorded every run."""
    after = await client.ask("good", "still there?")
    failed = line("a sound provider afterwards", after.status, after.status == 200)
    recorded = await asyncio.to_thread(_recorded, place)
    asked = len(client.heard)
    return line(f"runs recorded of {asked} answered", recorded, recorded == asked) or failed


async def _steadily(
    client: Client, prompts: tuple[str, ...], seconds: float, words: str
) -> "list[asyncio.Task[Heard]]":
    tasks = []
    for number in range(int(seconds * RATE)):
        prompt = prompts[number % len(prompts)]
        tasks.append(asyncio.create_task(client.ask(prompt, f"{words} {number}")))
        await asyncio.sleep(1 / RATE)
    return tasks


def _first_pause(calls: list[float], until: float) -> float:
    """When the calls first pause for most of a second, while twenty runs a second are asked for."""
    return next(
        (one for one, other in pairwise([*calls, 1e12]) if other - one > PAUSE_SECONDS and one < until), 1e12
    )


def _names(count: int) -> Iterable[str]:
    return [("burst", "guarded")[number % 2] for number in range(count)]


def _statuses(heard: Iterable[Heard]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in heard:
        found[each.status] = found.get(each.status, 0) + 1
    return found


def _all(heard: Iterable[Heard], statuses: set[int]) -> bool:
    return all(each.status in statuses for each in heard)


def _memory_mb(gateway: RunningGateway) -> float:
    """Resident memory of the gateway's processes."""
    pid = gateway.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in (pid, *children))
    return pages * 4096 / 1024 / 1024


def _recorded(place: Arena) -> int:
    from django.db import connections  # noqa: PLC0415 - needs the settings

    from apps.core.scope import system_scope  # noqa: PLC0415
    from apps.runs.models import Run  # noqa: PLC0415

    try:
        with system_scope():
            return Run.all_organizations.filter(project_id=place.project.id).count()
    finally:
        connections.close_all()


if __name__ == "__main__":
    sys.exit(main())
