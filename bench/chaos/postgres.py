"""Postgres stopped hard under load: `python -m bench.chaos.postgres [stops] [runs a second]`.

One gateway process answers runs of a model behind HTTP at a steady rate while Postgres is stopped five times
as by a power cut of its own (`pg_ctl stop -m immediate`: no checkpoint, recovery from the log) and started
again. Postgres writes through to the disk. Every answer that a client got with 200 must stand in the database
afterwards with its run and its usage row, whatever else came must be a 503 with Retry-After, and runs must be
answered again within five seconds of Postgres' return.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import orjson

from bench.chaos.checks import Check, missing, tell
from bench.chaos.steady_load import Outcome, SteadyLoad
from bench.own_database import BENCH, own_database
from bench.serving import ours
from bench.serving.upstreams import upstreams
from promptsaas.embedded import ensure_running, status

BEFORE_SECONDS: Final = 4.0
DOWN_SECONDS: Final = 2.0
BETWEEN_SECONDS: Final = 8.0
BACK_WITHIN_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Stop:
    """When Postgres was stopped and when it answered again, by the load's clock."""

    at: float
    back: float


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    stops = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with ExitStack() as stack:
        stack.enter_context(own_database(BENCH))
        ports = stack.enter_context(upstreams())
        prepared = ours.prepare(ports)
        address, _ = stack.enter_context(ours.gateway(ports, core=None, LOG_LEVEL="CRITICAL"))
        url = f"http://{address.host}:{address.port}/v1/chat/completions"
        load = SteadyLoad([url], prepared.token, orjson.dumps(ours.chat_body("instant")), rate)
        found = asyncio.run(_stop_under_load(load, stops))
        return report(load.outcomes, found)


async def _stop_under_load(load: SteadyLoad, stops: int) -> list[Stop]:
    found = []
    async with load.running():
        await asyncio.sleep(BEFORE_SECONDS)
        for _ in range(stops):
            at = time.monotonic()
            await asyncio.to_thread(_stop_at_once)
            await asyncio.sleep(DOWN_SECONDS)
            await asyncio.to_thread(ensure_running, BENCH)
            found.append(Stop(at, time.monotonic()))
            await asyncio.sleep(BETWEEN_SECONDS)
    return found


def _stop_at_once() -> None:
    """Postgres' immediate shutdown, which `pg_ctl stop -m immediate` asks for by SIGQUIT."""
    pid = status(BENCH)["postgres"]
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    until = time.monotonic() + 30
    while status(BENCH)["postgres"] is not None and time.monotonic() < until:
        time.sleep(0.05)


def report(outcomes: list[Outcome], stops: list[Stop]) -> int:
    """Hold what clients were told against what stands in the database."""
    acknowledged = [outcome.run_id for outcome in outcomes if outcome.status == 200]
    missing_runs, missing_usage, doubled = missing(acknowledged)
    statuses = Counter(outcome.status for outcome in outcomes)
    untold = [outcome for outcome in outcomes if outcome.status != 200 and not _is_told(outcome)]
    slowest = max((_seconds_until_answer(outcomes, stop.back) for stop in stops), default=0.0)
    print(f"{len(outcomes):,} requests, {len(stops)} stops; statuses {dict(sorted(statuses.items()))}")
    return tell(
        Check("acknowledged runs missing in the database", missing_runs, missing_runs == 0),
        Check("acknowledged runs without their usage row", missing_usage, missing_usage == 0),
        Check("runs charged twice", doubled, doubled == 0),
        Check("failures other than 503 with Retry-After", len(untold), not untold),
        Check("seconds until answers after a return, at most", slowest, slowest < BACK_WITHIN_SECONDS),
    )


def _is_told(outcome: Outcome) -> bool:
    return outcome.status == 503 and outcome.retry_after is not None


def _seconds_until_answer(outcomes: list[Outcome], back: float) -> float:
    later = [outcome.ended for outcome in outcomes if outcome.status == 200 and outcome.began >= back]
    return min(later, default=float("inf")) - back


if __name__ == "__main__":
    sys.exit(main())
