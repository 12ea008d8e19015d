"""Running the real engine in a test: one event loop, real Postgres, the sandbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from apps.core import ids
from apps.runs.calling import RetryPolicy
from apps.runs.runtime import Runtime, open_runtime
from apps.runs.types import PromptReference, RecordCompanion, RunRequest
from apps.tenants.models import Project

Outcome = TypeVar("Outcome")

FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.001)
PATIENT = 5.0


def with_runtime(
    use: Callable[[Runtime], Awaitable[Outcome]], companions: Sequence[RecordCompanion] = ()
) -> Outcome:
    """Open a runtime, use it, close it."""

    async def run() -> Outcome:
        async with open_runtime(companions, retries=FAST, cache_wait_seconds=PATIENT) as runtime:
            return await use(runtime)

    return asyncio.run(run())


def make_request(
    project: Project, *, prompt: str = "", label: str = "production", **values: Any
) -> RunRequest:
    """A request in a project: a prompt at a label, or whatever the values say."""
    run_id = ids.uuid7()
    if prompt:
        values["prompt"] = PromptReference(prompt, label=label)
    return RunRequest(
        **{
            "run_id": run_id,
            "organization_id": project.organization_id,
            "project_id": project.id,
            "source": "gateway",
            "usage_key": f"run:{run_id}",
            "variables": {"review": "It broke at once. Terrible."},
            "timeout_seconds": 10.0,
            **values,
        }
    )


async def within_a_second(
    ask: Callable[[], Awaitable[Outcome]], wanted: Callable[[Outcome], bool] = lambda outcome: False
) -> Outcome:
    """Ask until the outcome is the wanted one (or an error is raised); the last one after a second."""
    until = time.monotonic() + 1.0
    while True:
        outcome = await ask()
        if wanted(outcome) or time.monotonic() > until:
            return outcome
        await asyncio.sleep(0.02)
