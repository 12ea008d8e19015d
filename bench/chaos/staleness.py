"""Stale answers after a change: `python -m bench.chaos.staleness [changes]`.

Two gateway processes are asked without a pause: for a prompt by its label, and with a key. The label is moved
to and fro, keys are revoked, each in a transaction of a process of its own. No answer that began more than a
second after the change was acknowledged may be stale. Half of the changes are made while Redis is stopped.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import aiohttp

from apps.audit.actor import SYSTEM
from bench.chaos.checks import line
from bench.chaos.support import Arena, RunningGateway, arena, gateways

ALLOWED_SECONDS: Final = 1.0
WATCHED_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.005


@dataclass
class Watch:
    """What was answered after a change: the fresh, the stale, the latest stale one in seconds after it."""

    fresh: int = 0
    stale: int = 0
    unavailable: int = 0
    latest: float = 0.0
    too_late: int = 0
    others: list[str] = field(default_factory=list)

    def take(self, kind: str, began: float, changed: float) -> None:
        """One answer: "fresh", "stale", "unavailable" or what else it was."""
        if kind == "fresh":
            self.fresh += 1
        elif kind == "unavailable":
            self.unavailable += 1
        elif kind == "stale":
            self.stale += 1
            self.latest = max(self.latest, began - changed)
            self.too_late += began - changed > ALLOWED_SECONDS
        else:
            self.others.append(kind)


Judge = Callable[[int, dict[str, Any]], str]


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    failed = False
    with arena() as place, gateways(place, 2) as running:
        for is_down in (False, True):
            if is_down:
                place.redis.stop()
                time.sleep(1)
            words = "Redis down" if is_down else "Redis up"
            failed |= report(f"promote, {words}", asyncio.run(promotes(place, running, changes)))
            failed |= report(f"revocation, {words}", asyncio.run(revocations(place, running, changes)))
        place.redis.start()
    return 1 if failed else 0


def report(words: str, watch: Watch) -> bool:
    """Print what came of a kind of change; whether something failed."""
    told = f"{watch.fresh:,} fresh, {watch.stale:,} stale, the latest {watch.latest * 1000:.0f} ms after it"
    failed = line(f"{words}: {told}; later than a second", watch.too_late, watch.too_late == 0)
    wrong = watch.unavailable + len(watch.others)
    return line(f"{words}: answers of another kind", f"{wrong} {watch.others[:3]}", not wrong) or failed


async def promotes(place: Arena, running: list[RunningGateway], changes: int) -> Watch:
    """Move the label to and fro between two versions."""
    await asyncio.to_thread(_publish_second, place)
    watch = Watch()
    for _, number in zip(range(changes), itertools.cycle((2, 1)), strict=False):
        await _watch_change(
            running,
            "/api/v1/prompts/chaos?label=production",
            place.token,
            partial(_promote, place, number),
            partial(_judge_version, number),
            watch,
        )
    return watch


async def revocations(place: Arena, running: list[RunningGateway], changes: int) -> Watch:
    """Make a key, use it, revoke it."""
    watch = Watch()
    for _ in range(changes):
        key, token = await asyncio.to_thread(_make_key, place)
        await _watch_change(running, "/v1/models", token, partial(_revoke, place, key), _judge_key, watch)
    return watch


async def _watch_change(
    running: list[RunningGateway],
    path: str,
    token: str,
    change: Callable[[], None],
    judge: Judge,
    watch: Watch,
) -> None:
    """Ask every gateway all the time, change in between, judge what began after the change was committed."""
    headers = {"Authorization": f"Bearer {token}"}
    changed: list[float] = []
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask_forever(url: str) -> None:
            while not changed or time.monotonic() < changed[0] + WATCHED_SECONDS:
                began = time.monotonic()
                async with session.get(url) as answer:
                    told = await answer.json()
                    if changed and began > changed[0]:
                        watch.take(judge(answer.status, told), began, changed[0])
                await asyncio.sleep(PAUSE_SECONDS)

        asking = [asyncio.create_task(ask_forever(each.url + path)) for each in running]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(change)
        changed.append(time.monotonic())
        await asyncio.gather(*asking)


def _judge_version(number: int, status: int, told: dict[str, Any]) -> str:
    if status == 200:
        return "fresh" if told["version"] == number else "stale"
    return "unavailable" if status == 503 else f"{status} {told}"


def _judge_key(status: int, told: dict[str, Any]) -> str:
    # A revoked key's failures are limited by address: that answer is a refusal as well.
    if status in (401, 429):
        return "fresh"
    return "stale" if status == 200 else "unavailable" if status == 503 else f"{status} {told}"


def _publish_second(place: Arena) -> None:
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.prompts import services  # noqa: PLC0415
    from apps.prompts.models import Prompt  # noqa: PLC0415
    from tests.factories import make_content  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        prompt = Prompt.objects.get(name="chaos")
        if prompt.latest_number == 1:
            content = make_content("Shout {{ word }}.", model="upstream/gpt-4o-mini")
            services.publish_version(actor=SYSTEM, prompt=prompt, content=content, message="Second")


def _promote(place: Arena, number: int) -> None:
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.prompts import services  # noqa: PLC0415
    from apps.prompts.models import Prompt  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        prompt = Prompt.objects.get(name="chaos")
        services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=number)


def _make_key(place: Arena) -> tuple[Any, str]:
    from tests.factories import make_api_key  # noqa: PLC0415 - needs the settings

    return make_api_key(project=place.project)


def _revoke(place: Arena, key: Any) -> None:
    from apps.core.scope import organization_scope  # noqa: PLC0415 - needs the settings
    from apps.tenants import services  # noqa: PLC0415

    with organization_scope(place.project.organization_id):
        services.revoke_api_key(actor=SYSTEM, key=key)


if __name__ == "__main__":
    sys.exit(main())
