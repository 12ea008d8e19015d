"""Attempts, retries, deadlines and streams, on providers written out here."""

import asyncio

import pytest

from apps.providers.types import ChatDelta
from apps.runs.calling import RetryPolicy, complete, stream
from apps.runs.progress import Progress
from tests.runs.calls import ANSWER, FAST, ScriptedProvider, target, way
from tests.runs.calls import failure as _failure


def _complete(provider: ScriptedProvider, *, deadline: float = 5, policy: RetryPolicy = FAST) -> Progress:
    async def run() -> Progress:
        progress = Progress(deadline=deadline)
        await complete(way(target(provider), policy=policy), progress)
        return progress

    return asyncio.run(run())


def _stream(provider: ScriptedProvider, *, deadline: float = 5) -> tuple[Progress, list[str]]:
    async def run() -> tuple[Progress, list[str]]:
        progress = Progress(deadline=deadline)
        return progress, [piece.text async for piece in stream(way(target(provider)), progress)]

    return asyncio.run(run())


def test_complete__answered_at_once__has_one_clean_attempt() -> None:
    progress = _complete(ScriptedProvider(ANSWER))
    assert progress.answer == ANSWER
    assert [attempt.error for attempt in progress.attempts] == [""]
    assert progress.error is None


def test_complete__retryable_failures__are_tried_again_and_recorded() -> None:
    progress = _complete(ScriptedProvider(_failure(), _failure(), ANSWER))
    assert progress.answer == ANSWER
    assert [(attempt.error, attempt.status) for attempt in progress.attempts] == [
        ("server", 503),
        ("server", 503),
        ("", None),
    ]


def test_complete__more_failures_than_retries__ends_with_the_last() -> None:
    provider = ScriptedProvider(_failure(), _failure(), _failure(), ANSWER)
    progress = _complete(provider)
    assert provider.calls == 3
    assert progress.answer is None
    assert progress.error is not None


def test_complete__a_final_failure__is_not_tried_again() -> None:
    provider = ScriptedProvider(_failure(retryable=False), ANSWER)
    assert _complete(provider).answer is None
    assert provider.calls == 1


def test_complete__told_to_wait_longer_than_the_deadline__gives_up_at_once() -> None:
    provider = ScriptedProvider(_failure(retry_after=60), ANSWER)
    progress = _complete(provider, deadline=2)
    assert provider.calls == 1
    assert progress.error is not None
    assert progress.error.retry_after == 60


def test_complete__a_provider_that_hangs__ends_at_the_deadline() -> None:
    progress = _complete(ScriptedProvider(None), deadline=0.05)
    assert progress.error is not None
    assert progress.error.reason == "timeout"
    assert len(progress.attempts) == 1


@pytest.mark.parametrize("retry_after", [None, 0.5, 20.0])
def test_wait__always__is_within_the_bound_and_never_earlier_than_told(retry_after: float | None) -> None:
    policy = RetryPolicy(first_wait=1, longest_wait=4)
    waits = [policy.wait(number, retry_after) for number in range(6) for _ in range(50)]
    assert all((retry_after or 0) <= wait <= 4 + (retry_after or 0) for wait in waits)


def test_stream__pieces_then_answer__are_passed_on() -> None:
    progress, pieces = _stream(ScriptedProvider([ChatDelta("Hello "), ChatDelta("there"), ANSWER]))
    assert pieces == ["Hello ", "there"]
    assert progress.answer == ANSWER
    assert progress.first_token_ms is not None


def test_stream__a_failure_before_the_first_piece__is_tried_again() -> None:
    progress, pieces = _stream(ScriptedProvider([_failure()], [ChatDelta("Hi"), ANSWER]))
    assert pieces == ["Hi"]
    assert progress.answer == ANSWER


def test_stream__a_failure_after_the_first_piece__is_final_and_keeps_the_text() -> None:
    provider = ScriptedProvider([ChatDelta("Half"), _failure()], [ANSWER])
    progress, pieces = _stream(provider)
    assert (pieces, progress.text, provider.calls) == (["Half"], "Half", 1)
    assert progress.answer is None
    assert progress.error is not None


def test_stream__that_ends_without_an_answer__is_a_broken_connection() -> None:
    progress, _ = _stream(ScriptedProvider([ChatDelta("Half")]))
    assert progress.error is not None
    assert progress.error.reason == "connection"


def test_stream__that_stalls__ends_at_the_deadline() -> None:
    provider = ScriptedProvider([ChatDelta("Half"), None])
    progress, pieces = _stream(provider, deadline=0.05)
    assert pieces == ["Half"]
    assert progress.error is not None
    assert progress.error.reason == "timeout"
    assert provider.closed_streams == 1


def test_stream__closed_by_its_reader__hangs_up_on_the_provider() -> None:
    provider = ScriptedProvider([ChatDelta("Half"), None])

    async def run() -> None:
        pieces = stream(way(target(provider)), Progress(deadline=5))
        await anext(pieces)
        await pieces.aclose()

    asyncio.run(run())
    assert provider.closed_streams == 1
