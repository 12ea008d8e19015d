"""Fallbacks, breakers, budgets and slots, on providers written out in calls.py."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from apps.core.errors import InvalidRequest
from apps.providers.health import FEWEST_CALLS, RETRY_FLOOR, ConnectionHealth
from apps.providers.slots import Slots
from apps.providers.types import ChatDelta, ChatRequest
from apps.providers.windows import Counts, Window
from apps.runs.calling import RetryPolicy, Route, complete, stream
from apps.runs.progress import Progress
from tests.runs.calls import ANSWER, FAST, ScriptedProvider, Targets, failure, health, target, way

NO_RETRIES = RetryPolicy(retries=0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(route: Route, *, deadline: float = 5) -> Progress:
    async def call() -> Progress:
        progress = Progress(deadline=deadline)
        await complete(route, progress)
        return progress

    return asyncio.run(call())


def attempts(progress: Progress) -> list[tuple[str, str, str]]:
    return [(each.model, each.kind, each.error) for each in progress.attempts]


def opened(clock: Clock) -> ConnectionHealth:
    broken = health(clock=clock)
    for _ in range(FEWEST_CALLS):
        assert broken.admit() == 0
        broken.ended(failure())
    return broken


def test_complete__first_model_fails__the_next_answers_and_both_are_recorded() -> None:
    first, second = ScriptedProvider(failure()), ScriptedProvider(ANSWER)
    progress = run(way(target(first), target(second, "second/n"), policy=NO_RETRIES))
    assert progress.answer == ANSWER
    assert attempts(progress) == [("first/m", "call", "server"), ("second/n", "fallback", "")]
    assert progress.answered is not None
    assert progress.answered.reference == "second/n"
    assert second.asked[0].model == "n"


def test_complete__retries_come_before_fallbacks() -> None:
    first, second = ScriptedProvider(failure(), failure(), failure()), ScriptedProvider(failure(), ANSWER)
    progress = run(way(target(first), target(second, "second/n")))
    assert [kind for _, kind, _ in attempts(progress)] == ["call", "retry", "retry", "fallback", "retry"]


def test_complete__told_to_wait_long__goes_to_the_fallback_at_once() -> None:
    first, second = ScriptedProvider(failure("rate_limited", retry_after=30)), ScriptedProvider(ANSWER)
    began = time.monotonic()
    progress = run(way(target(first), target(second, "second/n")), deadline=60)
    assert progress.answer == ANSWER
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(("reason", "status"), [("bad_request", 400), ("content_filter", 400)])
def test_complete__what_every_model_would_refuse__is_not_asked_elsewhere(reason: str, status: int) -> None:
    second = ScriptedProvider(ANSWER)
    first = ScriptedProvider(failure(reason, retryable=False, status=status))
    progress = run(way(target(first), target(second, "second/n")))
    assert (progress.answer, second.calls) == (None, 0)


@pytest.mark.parametrize(
    ("reason", "status"), [("bad_request", 404), ("authentication", 401), ("rate_limited", 402)]
)
def test_complete__model_gone_or_key_refused__falls_back(reason: str, status: int) -> None:
    first = ScriptedProvider(failure(reason, retryable=False, status=status))
    assert run(way(target(first), target(ScriptedProvider(ANSWER), "second/n"))).answer == ANSWER


def test_complete__fallback_that_does_not_exist__is_noted_and_passed_over() -> None:
    first, third = ScriptedProvider(failure()), ScriptedProvider(ANSWER)
    route = way(target(first), target(third, "third/o"), policy=NO_RETRIES)
    route = replace(route, rules=replace(route.rules, fallbacks=("gone/x", "third/o")))
    assert attempts(run(route)) == [
        ("first/m", "call", "server"),
        ("gone/x", "fallback", "connection_not_found"),
        ("third/o", "fallback", ""),
    ]


def test_complete__sandbox_and_real_models__never_stand_in_for_each_other() -> None:
    sandbox = replace(target(ScriptedProvider(ANSWER), "sandbox/standard"), sandbox=True)
    progress = run(way(target(ScriptedProvider(failure())), sandbox, policy=NO_RETRIES))
    assert progress.answer is None
    assert progress.error is not None
    assert progress.error.reason == "server"
    assert attempts(progress)[-1] == ("sandbox/standard", "fallback", "fallback_refused")


class Picky(ScriptedProvider):
    """Knows no seed, and no logprobs either."""

    def check(self, request: ChatRequest) -> None:
        if "logprobs" in request.parameters:
            raise InvalidRequest("No logprobs.", code="unsupported_parameter")

    def adapt(self, request: ChatRequest) -> ChatRequest:
        kept = {name: value for name, value in request.parameters.items() if name != "seed"}
        return replace(request, parameters=kept)


@pytest.mark.parametrize(("parameters", "calls"), [({"seed": 1, "top_p": 1}, 1), ({"logprobs": True}, 0)])
def test_complete__fallback__is_asked_in_its_own_terms(parameters: dict[str, Any], calls: int) -> None:
    second = Picky(ANSWER)
    request = ChatRequest("m", ({"role": "user", "content": "hi"},), parameters)
    first = target(ScriptedProvider(failure()))
    run(way(first, target(second, "second/n"), policy=NO_RETRIES, request=request))
    assert second.calls == calls
    assert all(asked.parameters == {"top_p": 1} for asked in second.asked)


def test_complete__hanging_model__is_left_after_the_calls_own_time() -> None:
    first, second = ScriptedProvider(None), ScriptedProvider(ANSWER)
    route = way(target(first), target(second, "second/n"), policy=NO_RETRIES, timeout_seconds=0.05)
    assert run(route).answer == ANSWER


def test_complete__no_fallback_needed__opens_none() -> None:
    route = way(target(ScriptedProvider(ANSWER)), target(ScriptedProvider(), "second/n"))
    run(route)
    assert isinstance(route.targets, Targets)
    assert route.targets.opened == []


def test_stream__fails_before_the_first_piece__the_fallback_streams() -> None:
    async def call() -> tuple[list[str], Progress]:
        progress = Progress(deadline=5)
        first = ScriptedProvider([failure()])
        second = ScriptedProvider([ChatDelta("Hi"), ANSWER])
        route = way(target(first), target(second, "second/n"), policy=NO_RETRIES)
        return [piece.text async for piece in stream(route, progress)], progress

    pieces, progress = asyncio.run(call())
    assert pieces == ["Hi"]
    assert attempts(progress)[-1] == ("second/n", "fallback", "")


def test_stream__fails_after_the_first_piece__never_goes_elsewhere() -> None:
    async def call() -> Progress:
        progress = Progress(deadline=5)
        first, second = ScriptedProvider([ChatDelta("Half"), failure()]), ScriptedProvider([ANSWER])
        async for _ in stream(way(target(first), target(second, "second/n")), progress):
            pass
        return progress

    progress = asyncio.run(call())
    assert (progress.answer, progress.text, len(progress.attempts)) == (None, "Half", 1)


def test_breaker__half_of_the_calls_fail__opens_tries_one_and_closes() -> None:
    clock = Clock()
    broken = opened(clock)
    assert broken.state == "open"
    assert broken.admit() > 0
    clock.now += broken.admit()
    assert broken.admit() == 0, "one may try"
    assert broken.admit() > 0, "only one"
    broken.ended(failure())
    assert broken.state == "open"
    clock.now += 60
    assert broken.admit() == 0
    broken.ended(None)
    assert (broken.state, broken.admit()) == ("closed", 0)


def test_breaker__trial_that_its_caller_leaves__lets_another_try() -> None:
    clock = Clock()
    broken = opened(clock)
    clock.now += 60
    assert broken.admit() == 0
    broken.abandoned()
    assert broken.admit() == 0


@pytest.mark.parametrize("reason", ["rate_limited", "authentication", "bad_request", "content_filter"])
def test_breaker__failures_that_are_not_the_providers__keep_it_closed(reason: str) -> None:
    sound = health()
    for _ in range(20):
        sound.ended(failure(reason))
    assert sound.state == "closed"
    assert sound.last_error is not None


def test_breaker__few_calls_or_mostly_answers__keep_it_closed() -> None:
    quiet, busy = health(), health()
    for _ in range(FEWEST_CALLS - 1):
        quiet.ended(failure())
    for number in range(60):
        busy.ended(failure() if number % 3 == 0 else None)
    assert (quiet.state, busy.state) == ("closed", "closed")


def test_complete__open_breaker__is_skipped_for_the_fallback() -> None:
    first, second = ScriptedProvider(), ScriptedProvider(ANSWER)
    progress = run(way(target(first, health=opened(Clock())), target(second, "second/n")))
    assert attempts(progress) == [("first/m", "call", "breaker_open"), ("second/n", "fallback", "")]
    assert first.calls == 0


def test_complete__open_breaker_and_no_fallback__fails_at_once_and_says_when() -> None:
    first = ScriptedProvider()
    progress = run(way(target(first, health=opened(Clock()))))
    assert progress.error is not None
    assert (progress.error.reason, first.calls) == ("breaker_open", 0)
    assert progress.error.retry_after is not None
    assert progress.error.retry_after >= 1


def test_complete__a_model_that_rests_and_no_fallback_to_be_had__is_asked_after_all() -> None:
    resting = health()
    resting.rest_model("m", 30)
    first = ScriptedProvider(ANSWER)
    closed = target(ScriptedProvider(), "second/n", health=opened(Clock()))
    progress = run(way(target(first, health=resting), closed, fallbacks=("gone/m", "second/n")))
    assert progress.answer == ANSWER
    assert progress.error is None
    assert [error for _, _, error in attempts(progress)] == [
        "rate_limited",
        "connection_not_found",
        "breaker_open",
        "",
    ]


def test_complete__model_that_was_told_to_rest__is_skipped_only_if_there_is_a_fallback() -> None:
    resting = health()
    resting.rest_model("m", 30)
    first, second = ScriptedProvider(ANSWER), ScriptedProvider(ANSWER)
    run(way(target(first, health=resting), target(second, "second/n")))
    assert (first.calls, second.calls) == (0, 1)
    run(way(target(first, health=resting)))
    assert first.calls == 1


def test_retry_budget__spent__ends_with_the_failure() -> None:
    limited = health()
    for _ in range(RETRY_FLOOR):
        assert limited.may_retry()
    provider = ScriptedProvider(failure(), ANSWER)
    progress = run(way(target(provider, health=limited)))
    assert (progress.answer, provider.calls) == (None, 1)


def test_retry_budget__many_calls__allow_a_fifth_of_them() -> None:
    clock = Clock()
    sound = health(clock=clock)
    for _ in range(1000):
        sound.ended(None)
    granted = 0
    while sound.may_retry():
        granted += 1
    assert granted == RETRY_FLOOR + 200
    clock.now += 30
    assert sound.may_retry()


def test_complete__more_at_a_time_than_the_connection_may_have__waits_its_turn() -> None:
    most = running = 0

    class Slow(ScriptedProvider):
        async def complete(self, request: ChatRequest) -> Any:
            nonlocal most, running
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return ANSWER

    async def call() -> list[Progress]:
        busy = health(concurrent_calls=2)
        found = [Progress(deadline=5) for _ in range(6)]
        route = way(target(Slow(), health=busy))
        await asyncio.gather(*(complete(route, progress) for progress in found))
        assert busy.slots.busy == 0
        return found

    assert all(progress.answer == ANSWER for progress in asyncio.run(call()))
    assert most == 2


def test_complete__no_slot_by_the_deadline__is_told_so_in_time() -> None:
    async def call() -> Progress:
        busy = health(concurrent_calls=1)
        assert busy.slots.take_now()
        progress = Progress(deadline=0.1)
        await complete(way(target(ScriptedProvider(), health=busy)), progress)
        return progress

    progress = asyncio.run(call())
    assert progress.error is not None
    assert (progress.error.reason, progress.error.retry_after) == ("busy", 1.0)


def test_complete__cancelled__gives_its_slot_back_and_counts_for_nothing() -> None:
    async def call() -> ConnectionHealth:
        busy = health(concurrent_calls=1)
        task = asyncio.create_task(
            complete(way(target(ScriptedProvider(None), health=busy)), Progress(deadline=5))
        )
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return busy

    busy = asyncio.run(call())
    assert (busy.slots.busy, busy.counts().calls) == (0, 0)


def test_slots__waiter_that_is_cancelled__is_passed_over() -> None:
    async def use() -> None:
        slots = Slots(1)
        assert slots.take_now()
        gone = asyncio.create_task(slots.take(5))
        waits = asyncio.create_task(slots.take(5))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        slots.give()
        assert await waits
        slots.give()
        assert slots.busy == 0
        slots.resize(0)
        assert not await slots.take(0.01)
        slots.resize(None)
        assert slots.take_now()

    asyncio.run(use())


def test_window__old_buckets__count_no_more() -> None:
    window = Window(buckets=3, seconds=1)
    window.add(10.1, failed=True)
    window.add(11.9, failed=False)
    assert window.counts(12.0) == Counts(2, 1)
    assert window.counts(13.0) == Counts(1, 0)
    assert window.counts(99.0).failure_share == 0


def test_complete__deadline_passed__opens_no_fallback() -> None:
    route = way(target(ScriptedProvider(None)), target(ScriptedProvider(ANSWER), "second/n"), policy=FAST)
    progress = run(route, deadline=0.05)
    assert progress.error is not None
    assert (progress.error.reason, len(progress.attempts)) == ("timeout", 1)
