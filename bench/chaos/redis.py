"""Redis away, hanging and forgetful under load: `python -m bench.chaos.redis [seconds] [runs a second]`.

Two gateway processes answer runs at a steady rate while Redis is killed for a minute, comes back empty, hangs
for a while with its socket open, and is flushed. Every run must be answered with 200 all the time, stand in
the database with its one usage record, and be charged once. A second key, of 60 requests a minute, is asked
ten times a second throughout: each process holds it to its own count while Redis is away.
"""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bench.chaos.checks import line, missing
from bench.chaos.steady_load import Outcome, SteadyLoad
from bench.chaos.support import Arena, arena, chat_body, gateways

CALM_SECONDS: Final = 8.0
HANG_SECONDS: Final = 8.0
FLUSHES: Final = 5
LIMIT: Final = 60
LIMITED_RATE: Final = 10


@dataclass(frozen=True)
class Phase:
    """What was done to Redis, from when to when by the monotonic clock."""

    name: str
    began: float
    ended: float


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 100.0
    with arena() as place, gateways(place, 2) as running:
        urls = [f"{each.url}/v1/chat/completions" for each in running]
        body = orjson.dumps(chat_body())
        load = SteadyLoad(urls, place.token, body, rate)
        limited = SteadyLoad(urls, make_limited_key(place), body, LIMITED_RATE)
        phases = asyncio.run(_trouble(place, load, limited, seconds))
        return report(load.outcomes, limited.outcomes, phases)


def make_limited_key(place: Arena) -> str:
    """The token of a key with a limit of its own."""
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.tenants.models import APIKey  # noqa: PLC0415
    from tests.factories import make_api_key  # noqa: PLC0415

    key, token = make_api_key(project=place.project)
    with organization_scope(place.project.organization_id):
        APIKey.objects.filter(id=key.id).update(requests_per_minute=LIMIT)
    return token


async def _trouble(place: Arena, load: SteadyLoad, limited: SteadyLoad, seconds: float) -> list[Phase]:
    phases: list[Phase] = []

    async def phase(name: str, lasts: float, *actions: Any) -> None:
        began = time.monotonic()
        for action in actions:
            await asyncio.to_thread(action)
        await asyncio.sleep(lasts)
        phases.append(Phase(name, began, time.monotonic()))

    redis = place.redis
    async with load.running(), limited.running():
        await phase("calm", CALM_SECONDS)
        await phase("down", seconds, redis.stop)
        await phase("back, empty", CALM_SECONDS, redis.start)
        await phase("hanging", HANG_SECONDS, lambda: redis.hang(True))
        await phase("going on", CALM_SECONDS, lambda: redis.hang(False))
        for _ in range(FLUSHES):
            await phase("flushed", 1.0, redis.flush)
    return phases


def report(outcomes: list[Outcome], limited: list[Outcome], phases: list[Phase]) -> int:
    """Hold what clients were told against what stands in the database."""
    print(f"{'phase':<14}{'runs':>7}{'p50 ms':>9}{'p99 ms':>9}{'longest':>9}   limited key: passed of asked")
    for phase in phases:
        _print_phase(phase, outcomes, limited)
    acknowledged = [outcome.run_id for outcome in [*outcomes, *limited] if outcome.status == 200]
    missing_runs, missing_usage, doubled = missing(acknowledged)
    others = Counter(outcome.status for outcome in outcomes if outcome.status != 200)
    problems = [outcome.problem for outcome in outcomes if outcome.status != 200][:3]
    strange = {outcome.status for outcome in limited} - {200, 429}
    minutes = (phases[-1].ended - phases[0].began) / 60
    # Both processes count for themselves while Redis is away: at most twice the limit, and a burst each.
    most = LIMIT * (2 * minutes + 3)
    passed = sum(outcome.status == 200 for outcome in limited)
    failed = [
        line("runs not answered with 200", f"{dict(others)} {problems}", not others),
        line("acknowledged runs missing in the database", missing_runs, missing_runs == 0),
        line("acknowledged runs without their usage record", missing_usage, missing_usage == 0),
        line("runs charged twice", doubled, doubled == 0),
        line(f"answers to the limited key in {minutes:.1f} minutes", passed, passed <= most),
        line("answers to it other than 200 and 429", sorted(strange), not strange),
    ]
    return 1 if any(failed) else 0


def _print_phase(phase: Phase, outcomes: list[Outcome], limited: list[Outcome]) -> None:
    def during(found: list[Outcome]) -> list[Outcome]:
        return [outcome for outcome in found if phase.began <= outcome.began < phase.ended]

    took = sorted((outcome.ended - outcome.began) * 1000 for outcome in during(outcomes))
    asked = during(limited)
    passed = sum(outcome.status == 200 for outcome in asked)
    if took:
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        figures = f"{p50:>9.1f}{p99:>9.1f}{took[-1]:>9.1f}"
        print(f"{phase.name:<14}{len(took):>7,}{figures}   {passed} of {len(asked)}")


if __name__ == "__main__":
    sys.exit(main())
