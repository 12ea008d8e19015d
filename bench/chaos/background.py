"""Background runs while their worker dies: `python -m bench.chaos.background [runs] [kills]`.

A gateway accepts runs of a prompt that is answered after half a second; a worker of the interactive queue
carries them out beside a cron process. Meanwhile the worker, its job and everything in their process groups
get SIGKILL several times, and Redis is flushed once. A receiver of webhooks on loopback answers every third
message with 503 at first. Afterwards each accepted run must have ended with exactly one run, one usage
record, and one webhook that was taken, and nothing may be left in line.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from bench.chaos.checks import line
from bench.chaos.processes import Processes
from bench.chaos.support import Arena, arena, gateways

WAIT_MS: Final = 500
MOST_SECONDS: Final = 120.0
"""Within how much time of the last kill every run has to end and be told of."""
FLAKY_EVERY: Final = 3


class Receiver:
    """Counts the webhooks that it has taken, by their id; every third one is refused at first."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.refused = 0
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        """As the operator's list of exceptions names it."""
        return f"127.0.0.1:{self.server.server_port}"

    def take(self, message_id: str, body: bytes) -> int:
        """Take a message or refuse it; the status to answer with."""
        with self._lock:
            if message_id not in self._seen:
                self._seen.add(message_id)
                if len(self._seen) % FLAKY_EVERY == 0:
                    self.refused += 1
                    return 503
            self.taken[message_id] += 1
            self.told[orjson.loads(body)["data"]["object"]["id"]] += 1
            return 204


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with arena(wait_ms=WAIT_MS) as place, ExitStack() as stack:
        receiver = Receiver()
        _listen(place, receiver)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        processes = Processes(folder / "log")
        stack.callback(processes.stop)
        running = stack.enter_context(gateways(place, 1))
        processes.start("cron", "cron")
        processes.start("worker", "worker", "--queue=interactive")
        accepted = asyncio.run(ask(f"{running[0].url}/api/v1/prompts/chaos/run", place.token, runs))
        last = _blows(place, processes, runs, kills)
        until = last + MOST_SECONDS
        while time.monotonic() < until and (_open(place) or len(receiver.told) < len(accepted)):
            time.sleep(0.5)
        return report(place, receiver, accepted, time.monotonic() - last)


async def ask(url: str, token: str, runs: int) -> list[str]:
    """Ask for so many runs, 32 at a time; returns the ids that were accepted."""
    headers = {"Authorization": f"Bearer {token}"}
    gate = asyncio.Semaphore(32)
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one() -> str:
            body = {"variables": {"word": "hello"}, "background": True}
            async with gate, session.post(url, json=body) as answer:
                return str((await answer.json())["id"]) if answer.status == 202 else ""

        return [run for run in await asyncio.gather(*(one() for _ in range(runs))) if run]


def report(place: Arena, receiver: Receiver, accepted: list[str], seconds: float) -> int:
    """Print what became of the runs; 1 when something is not as it must be."""
    statuses, runs, usage, again = _found(place)
    told = receiver.told
    failed = line("accepted", len(accepted), bool(accepted))
    failed |= line("background runs by status", dict(statuses), statuses == {"succeeded": len(accepted)})
    failed |= line("runs recorded", runs, runs == len(accepted))
    failed |= line("usage records", usage, usage == len(accepted))
    failed |= line("runs that were claimed more than once", again, True)
    failed |= line("runs that the receiver was told of", len(told), set(told) == set(accepted))
    twice = sum(1 for count in receiver.taken.values() if count > 1)
    failed |= line("webhooks taken twice, with the same id", twice, len(receiver.taken) == len(accepted))
    failed |= line("webhooks refused and sent again", receiver.refused, True)
    failed |= line("seconds from the last kill to the end", f"{seconds:.1f}", seconds < MOST_SECONDS)
    return int(failed)


def _blows(place: Arena, processes: Processes, runs: int, kills: int) -> float:
    """Kill the worker at equal shares of the work, and flush Redis once; when the last kill was."""
    last = time.monotonic()
    for number in range(kills):
        wanted = runs * (number + 1) // (kills + 2)
        while runs - _open(place) < wanted:
            time.sleep(0.1)
        if number == kills // 2:
            place.redis.flush()
        processes.kill("worker")
        last = time.monotonic()
        processes.start("worker", "worker", "--queue=interactive")
    return last


def _listen(place: Arena, receiver: Receiver) -> None:
    from django.conf import settings  # noqa: PLC0415 - needs the settings

    from tests.factories import make_webhook  # noqa: PLC0415

    settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, receiver.host]
    os.environ["OUTBOUND_ALLOWED_HOSTS"] = ",".join(settings.OUTBOUND_ALLOWED_HOSTS)
    make_webhook(
        project=place.project, url=f"http://{receiver.host}/hook", event_types=["run.completed", "run.failed"]
    )


def _open(place: Arena) -> int:
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.runs.models import BackgroundRun  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        return BackgroundRun.objects.filter(finished_at=None).count()


def _found(place: Arena) -> tuple[Counter[str], int, int, int]:
    from apps.billing.models import UsageEvent  # noqa: PLC0415 - needs the settings
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.runs.models import BackgroundRun, Run  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        statuses = Counter(BackgroundRun.objects.values_list("status", flat=True))
        again = BackgroundRun.objects.filter(attempts__gt=1).count()
        return statuses, Run.objects.count(), UsageEvent.objects.count(), again


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(receiver.take(self.headers["webhook-id"], body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return None

    return Handler


if __name__ == "__main__":
    sys.exit(main())
