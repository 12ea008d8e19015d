"""A hard quota under concurrency: `python -m bench.chaos.quota [rounds]`.

Two gateway processes share a month's quota of which ten runs are left. Two hundred requests come at once,
half to each process: exactly ten may succeed, the others are told 429 `quota_exceeded`. Every second round
Redis is flushed in the middle. Afterwards ten runs and ten usage records more must stand in the database.
"""

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import orjson

from bench.chaos.checks import line
from bench.chaos.support import Arena, RunningGateway, arena, chat_body, gateways

REQUESTS: Final = 200
LEFT: Final = 10
WAIT_MS: Final = 200
FLUSH_AFTER_SECONDS: Final = 0.05


def main() -> int:
    """Run the rounds and print; 1 when a line says FAILED."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    failed = False
    with arena(wait_ms=WAIT_MS) as place, gateways(place, 2) as running:
        cap = 0
        for number in range(rounds):
            used = used_now(place)
            cap = set_left(place, used)
            is_flushed = number % 2 == 1
            statuses = asyncio.run(ask_at_once(place, running, flush=is_flushed))
            failed |= report(number + 1, is_flushed, statuses, used_now(place) - used)
        used = quota_row(place)
        failed |= line("the quota's row at the end, of its cap", f"{used} of {cap}", used <= cap)
    return 1 if failed else 0


def report(number: int, is_flushed: bool, statuses: Counter[tuple[int, str]], charged: int) -> bool:
    """Print a round; whether something failed."""
    words = f"round {number}{', Redis flushed' if is_flushed else ''}"
    succeeded = statuses[(200, "")]
    others = {f"{status} {code}": count for (status, code), count in statuses.items() if status != 200}
    refused = statuses[(429, "quota_exceeded")]
    failed = line(f"{words}: succeeded of {REQUESTS} with {LEFT} left", succeeded, succeeded == LEFT)
    failed |= line(f"{words}: refused", others, refused == REQUESTS - LEFT)
    return line(f"{words}: usage records written", charged, charged == LEFT) or failed


async def ask_at_once(
    place: Arena, running: list[RunningGateway], *, flush: bool
) -> Counter[tuple[int, str]]:
    """Every request at the same time, in turn to each process; how each ended."""
    headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        asked = [
            asyncio.create_task(_ask(session, running[number % len(running)].url))
            for number in range(REQUESTS)
        ]
        if flush:
            await asyncio.sleep(FLUSH_AFTER_SECONDS)
            await asyncio.to_thread(place.redis.flush)
        return Counter(await asyncio.gather(*asked))


async def _ask(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.post(f"{url}/v1/chat/completions", data=orjson.dumps(chat_body())) as answer:
        told = orjson.loads(await answer.read())
        return answer.status, told.get("error", {}).get("code", "")


def set_left(place: Arena, used: int) -> int:
    """Leave so many runs of this month, as an operator would by hand; the new cap."""
    from apps.billing import plans  # noqa: PLC0415 - needs the settings
    from apps.billing.models import Quota  # noqa: PLC0415
    from apps.core.scope import system_scope  # noqa: PLC0415

    with system_scope():
        Quota.all_organizations.update_or_create(
            organization_id=place.project.organization_id,
            meter=plans.RUNS,
            period_start=plans.period_start(datetime.now(UTC)),
            defaults={"cap": used + LEFT},
        )
    return used + LEFT


def used_now(place: Arena) -> int:
    """The runs that were charged so far."""
    from apps.billing import plans  # noqa: PLC0415 - needs the settings
    from apps.billing.models import UsageEvent  # noqa: PLC0415
    from apps.core.scope import system_scope  # noqa: PLC0415

    with system_scope():
        found = UsageEvent.all_organizations.filter(
            organization_id=place.project.organization_id, meter=plans.RUNS
        )
        return found.count()


def quota_row(place: Arena) -> Any:
    """What the quota's row says is used and reserved."""
    from apps.billing.models import Quota  # noqa: PLC0415 - needs the settings
    from apps.core.scope import system_scope  # noqa: PLC0415

    with system_scope():
        row = Quota.all_organizations.get(organization_id=place.project.organization_id)
        return row.used + row.reserved


if __name__ == "__main__":
    sys.exit(main())
