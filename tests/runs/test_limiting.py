"""Limits of runs through the engine: prompt, end user, organization, key; tokens settled; patience."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from apps.core import rate_limits
from apps.core.errors import PromptsaasError, RateLimited, Unavailable
from apps.core.limit_bounds import Bounds, Rate, Take, Verdict, bounds_of
from apps.core.scope import organization_scope
from apps.prompts.models import ServingPolicy
from apps.providers.types import ChatRequest
from apps.runs.limiting import input_tokens
from apps.runs.models import Run
from apps.runs.runtime import Runtime
from apps.runs.types import RunRequest, RunResult
from apps.tenants.models import Organization, Project
from tests.factories import make_project, make_prompt
from tests.runs.calls import ScriptedProvider
from tests.runs.support import make_request, with_runtime

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = Bounds()


def make_limited(**limits: int) -> Project:
    """A project whose prompt "sentiment" has these limits."""
    project = make_project()
    prompt = make_prompt(project=project, name="sentiment", labels={"production": 1})
    with organization_scope(project.organization_id):
        ServingPolicy.objects.create(
            organization_id=project.organization_id, project=project, prompt=prompt, limits=limits
        )
    return project


def ask(project: Project, **values: Any) -> RunRequest:
    return make_request(project, prompt="sentiment", **{"limits": NOTHING, **values})


async def run_each(runtime: Runtime, *requests: RunRequest) -> list[RunResult | PromptsaasError]:
    """One after the other; what came of each."""
    found: list[RunResult | PromptsaasError] = []
    for request in requests:
        try:
            found.append(await runtime.engine.execute(request))
        except PromptsaasError as refusal:
            found.append(refusal)
    return found


async def left_of(bound: Rate) -> int:
    return (await rate_limits.take_all([Take(bound, 0)])).decisions[0].remaining


def names(found: list[RunResult | PromptsaasError]) -> list[str]:
    return [each.extra["limit"] if isinstance(each, RateLimited) else "" for each in found]


def test_prompt_limit__reached__refuses_and_charges_no_other_limit() -> None:
    project = make_limited(requests_per_minute=1)
    key = bounds_of("key", str(project.id), requests=10)
    told: list[Verdict] = []

    async def use(runtime: Runtime) -> tuple[list[RunResult | PromptsaasError], int]:
        asked = [ask(project, limits=key, tell_limits=told.append) for _ in range(3)]
        found = await run_each(runtime, *asked)
        bound = key.requests[0].bound
        assert isinstance(bound, Rate)
        return found, await left_of(bound)

    found, left = with_runtime(use)
    assert names(found) == ["", "prompt.requests_per_minute", "prompt.requests_per_minute"]
    refusal = found[1]
    assert isinstance(refusal, RateLimited)
    assert (refusal.code, refusal.status) == ("rate_limit_exceeded", 429)
    assert refusal.retry_after == pytest.approx(60, abs=2)
    assert left == 9
    assert [verdict.allowed for verdict in told] == [True, False, False]
    with organization_scope(project.organization_id):
        assert Run.objects.count() == 1


def test_user_limit__reached__holds_for_that_user_only() -> None:
    project = make_limited(user_requests_per_minute=1)
    asked = [ask(project, user=user) for user in ("ada", "ada", "bob", "", "")]
    found = with_runtime(lambda runtime: run_each(runtime, *asked))
    assert names(found) == ["", "user.requests_per_minute", "", "", ""]


def test_token_limit__after_runs__holds_what_they_really_used() -> None:
    project = make_limited()
    limits = bounds_of("key", str(project.id), tokens=6_000)

    async def use(runtime: Runtime) -> tuple[list[RunResult | PromptsaasError], int]:
        found = await run_each(runtime, *(ask(project, limits=limits) for _ in range(3)))
        return found, await left_of(limits.tokens[0])

    found, left = with_runtime(use)
    used = [
        (each.usage.input_tokens or 0) + (each.usage.output_tokens or 0)
        for each in found
        if isinstance(each, RunResult)
    ]
    assert len(used) == 3
    # A hundred a second come back meanwhile.
    assert left in range(6_000 - sum(used), 6_000 - sum(used) + 60)


def test_token_limit__failed_run__is_given_all_back() -> None:
    project = make_limited()
    limits = bounds_of("key", str(project.id), tokens=1_000)
    failing = ask(project, limits=limits, overrides={"sandbox_error_rate": 1})

    async def use(runtime: Runtime) -> tuple[list[RunResult | PromptsaasError], int]:
        return await run_each(runtime, failing), await left_of(limits.tokens[0])

    [result], left = with_runtime(use)
    assert isinstance(result, RunResult)
    assert result.status == "failed"
    assert left == 1_000


def test_concurrency__all_taken__refuses_until_one_has_ended() -> None:
    project = make_limited(concurrent_runs=2)
    slow = {"sandbox_latency_ms": 150}

    async def use(
        runtime: Runtime,
    ) -> tuple[list[RunResult | BaseException], list[RunResult | PromptsaasError]]:
        asked = [ask(project, overrides=slow) for _ in range(5)]
        at_once = await asyncio.gather(
            *(runtime.engine.execute(each) for each in asked), return_exceptions=True
        )
        return at_once, await run_each(runtime, ask(project))

    at_once, later = with_runtime(use)
    refused = [each for each in at_once if isinstance(each, RateLimited)]
    assert [each.extra["limit"] for each in refused] == ["prompt.concurrent_runs"] * 3
    assert isinstance(later[0], RunResult)


def test_concurrency__a_run_ends_in_a_fault__its_place_is_free_again() -> None:
    project = make_limited(concurrent_runs=1)

    async def use(runtime: Runtime) -> list[RunResult | PromptsaasError]:
        prepared = await runtime.engine.prepare(ask(project))
        faulty = replace(prepared.target, provider=ScriptedProvider(RuntimeError("a fault")))
        with pytest.raises(RuntimeError):
            await runtime.engine.carry_out(replace(prepared, target=faulty))
        return await run_each(runtime, ask(project))

    assert names(with_runtime(use)) == [""]


def test_organization_limit__of_a_run_without_a_key__is_looked_up_and_changed_at_once() -> None:
    project = make_limited()
    set_organization(project, requests_per_minute=1)

    async def use(runtime: Runtime) -> list[RunResult | PromptsaasError]:
        asked = [ask(project, limits=None, source="playground") for _ in range(2)]
        return await run_each(runtime, *asked)

    assert names(with_runtime(use)) == ["", "organization.requests_per_minute"]


def test_batch_run__over_a_limit__waits_instead_of_failing() -> None:
    project = make_limited(concurrent_runs=1)
    slow = {"sandbox_latency_ms": 50}

    async def use(runtime: Runtime) -> list[RunResult]:
        rows = [ask(project, source="batch", overrides=slow) for _ in range(2)]
        return await asyncio.gather(*(runtime.engine.execute(row) for row in rows))

    assert [result.status for result in with_runtime(use)] == ["succeeded", "succeeded"]


def test_batch_run__would_wait_for_long__goes_back_to_its_queue() -> None:
    project = make_limited(requests_per_minute=1)
    asked = [ask(project, source="batch") for _ in range(2)]
    first, second = with_runtime(lambda runtime: run_each(runtime, *asked))
    assert isinstance(first, RunResult)
    assert isinstance(second, Unavailable)
    assert (second.code, second.extra["limit"]) == ("rate_limit_exceeded", "prompt.requests_per_minute")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a" * 400, 104),
        ("", 4),
        ([{"type": "text", "text": "a" * 40}, {"type": "image_url", "image_url": {"url": "data:"}}], 1_014),
    ],
)
def test_input_tokens__by_length__is_about_right(content: Any, expected: int) -> None:
    chat = ChatRequest(model="m", messages=({"role": "user", "content": content},), parameters={})
    assert input_tokens(chat) == expected


def set_organization(project: Project, **limits: int) -> None:
    with organization_scope(project.organization_id):
        Organization.objects.filter(id=project.organization_id).update(**limits)
