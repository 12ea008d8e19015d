"""From what a run got to its record."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from apps.billing.allowance import Reservation
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import ChatRequest, ChatResult, ProviderCallError, Usage
from apps.runs.charges import charge_attempt
from apps.runs.finishing import finished
from apps.runs.progress import Progress
from apps.runs.types import Attempt, PreparedRun, RunRecord, RunRequest, Target

ANSWER = ChatResult(text="fine", finish_reason="stop", usage=Usage(3, 1, 0), model="fast")
FAILURE = ProviderCallError("Overloaded.", reason="rate_limited", retryable=True, retry_after=7, status=429)
CHAT = ChatRequest(model="fast", messages=({"role": "user", "content": "Hello you"},))


TARGET = Target("sandbox", "sandbox", "fast", SandboxProvider(), sandbox=True)


def _answered(answer: ChatResult = ANSWER) -> Progress:
    attempt, price = charge_attempt(Attempt(0, 5), TARGET, answer.usage, datetime.now(UTC))
    return Progress(deadline=5, answer=answer, answered=TARGET, attempts=[attempt], prices=[price])


def _finished(progress: Progress, *, cancelled: bool = False, **chat: Any) -> RunRecord:
    organization_id = uuid4()
    request = RunRequest(
        run_id=uuid4(), organization_id=organization_id, project_id=uuid4(), source="gateway", usage_key="k"
    )
    prepared = PreparedRun(request, None, TARGET, replace(CHAT, **chat), datetime.now(UTC))
    return finished(prepared, Reservation(organization_id, "sandbox_runs"), progress, cancelled=cancelled)


def test_finished__answered__succeeds_with_the_providers_usage() -> None:
    record = _finished(_answered())
    assert (record.result.status, record.usage_origin, record.charged) == ("succeeded", "provider", True)
    assert record.result.usage == ANSWER.usage


def test_finished__an_answer_that_breaks_the_schema__fails_charged_with_its_text() -> None:
    record = _finished(_answered(), output_schema={"type": "object"})
    assert record.result.error is not None
    assert (record.result.status, record.result.error.code) == ("failed", "output_invalid")
    assert record.result.text == "fine"
    assert record.charged


def test_finished__cancelled_after_the_answer__has_succeeded() -> None:
    assert _finished(_answered(), cancelled=True).result.status == "succeeded"


def test_finished__broken_off__counts_what_came_and_says_that_it_is_estimated() -> None:
    record = _finished(Progress(deadline=5, parts=["Once upon", " a time"]), cancelled=True)
    assert (record.result.status, record.usage_origin, record.charged) == ("cancelled", "estimated", True)
    assert record.result.text == "Once upon a time"
    assert record.result.usage.output_tokens


def test_finished__cancelled_before_anything_came__is_not_charged() -> None:
    record = _finished(Progress(deadline=5), cancelled=True)
    assert (record.usage_origin, record.charged, record.result.price) == ("none", False, None)


def test_finished__failed__names_the_failure_for_the_caller() -> None:
    record = _finished(Progress(deadline=5, error=FAILURE))
    assert record.result.error is not None
    assert (record.result.error.code, record.result.error.status) == ("provider_rate_limited", 429)
    assert record.result.error.retry_after == 7
    assert not record.charged


def test_finished__text_that_postgres_cannot_store__is_made_storable() -> None:
    record = _finished(_answered(replace(ANSWER, text="a\x00b")))
    assert record.result.text == "a\ufffdb"


def test_finished__counts_that_no_column_holds__are_bounded() -> None:
    usage = Usage(-5, 10**12, None)
    record = _finished(_answered(replace(ANSWER, usage=usage)))
    assert record.result.usage == Usage(0, 2**31 - 1, None)


def test_finished__two_answers__costs_what_both_cost_and_says_so() -> None:
    progress = _answered()
    attempt, price = charge_attempt(Attempt(9, 5, kind="repair"), TARGET, Usage(1, 1), datetime.now(UTC))
    progress.attempts.append(attempt)
    progress.prices.append(price)
    record = _finished(progress)
    assert record.result.usage == Usage(4, 2, None)
    assert record.result.price is not None
    assert record.result.price.amount == sum(each.cost or 0 for each in record.attempts)
    assert len(record.result.price.snapshot["parts"]) == 2


def test_finished__another_model_answered__is_recorded_with_what_was_asked_for() -> None:
    progress = _answered()
    progress.answered = replace(TARGET, model="standard")
    record = _finished(progress)
    assert (record.result.model, record.result.asked_model) == ("sandbox/standard", "sandbox/fast")
