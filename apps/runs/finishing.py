"""From what a run got to the record of it: status, usage, price, result. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from apps.billing.allowance import Reservation
from apps.providers import tokens
from apps.providers.pricing import Price, price
from apps.providers.types import CallErrorReason, ChatRequest, ProviderCallError, Usage
from apps.runs.calling import Progress
from apps.runs.inputs import clean_text
from apps.runs.outputs import parse_output
from apps.runs.types import PreparedRun, RunError, RunRecord, RunResult, Status, Target, UsageOrigin

MOST_TOKENS: Final = 2**31 - 1

# How a provider's failure looks from outside: code, error type, HTTP status.
FAILURES: Final[dict[CallErrorReason, tuple[str, str, int]]] = {
    "rate_limited": ("provider_rate_limited", "rate_limit_error", 429),
    "timeout": ("provider_timeout", "provider_error", 504),
    "server": ("provider_failed", "provider_error", 502),
    "bad_request": ("provider_refused", "invalid_request_error", 400),
    "authentication": ("provider_authentication_failed", "provider_error", 502),
    "connection": ("provider_unreachable", "provider_error", 502),
    "content_filter": ("content_filtered", "invalid_request_error", 400),
}
_CANCELLED: Final = RunError(
    code="cancelled",
    type="api_error",
    message="The caller went away before the answer was complete.",
    status=499,
)


def finished(
    prepared: PreparedRun, reservation: Reservation, progress: Progress, *, cancelled: bool
) -> RunRecord:
    """The record of a run that has ended; a run that was cancelled after its answer came has succeeded."""
    request, prompt, target, chat = prepared.request, prepared.prompt, prepared.target, prepared.chat
    text = clean_text(progress.text)
    status, error, parsed = _verdict(chat, progress, text, cancelled)
    usage, origin = _usage(chat, progress, text)
    answer = progress.answer
    result = RunResult(
        run_id=request.run_id,
        created_at=prepared.created_at,
        status=status,
        text=text,
        parsed=parsed,
        usage=usage,
        price=_price(target, usage, prepared.created_at, origin),
        latency_ms=progress.elapsed_ms(),
        first_token_ms=progress.first_token_ms,
        finish_reason=clean_text(answer.finish_reason) if answer and answer.finish_reason else None,
        error=error,
        model=f"{target.connection}/{target.model}",
        sandbox=target.sandbox,
        prompt_name=prompt.name if prompt else "",
        version_number=prompt.number if prompt else None,
        label=request.prompt.label if request.prompt else None,
    )
    return RunRecord(
        request=request,
        result=result,
        prompt=prompt,
        connection=target.connection,
        messages=chat.messages,
        parameters=chat.parameters,
        attempts=tuple(progress.attempts),
        usage_origin=origin,
        provider_request_id=clean_text(answer.provider_request_id or "") if answer else "",
        reservation=reservation,
    )


def unrecorded(result: RunResult) -> RunResult:
    """The result of a run whose record was dropped because another holder of its fence won."""
    return replace(result, recorded=False)


def _verdict(
    chat: ChatRequest, progress: Progress, text: str, cancelled: bool
) -> tuple[Status, RunError | None, Any]:
    if progress.answer is not None:
        parsed, error = parse_output(text, chat.output_schema)
        return ("failed" if error else "succeeded"), error, parsed
    if cancelled:
        return "cancelled", _CANCELLED, None
    assert progress.error is not None
    return "failed", _run_error(progress.error), None


def _run_error(error: ProviderCallError) -> RunError:
    code, kind, status = FAILURES[error.reason]
    return RunError(
        code=code,
        type=kind,
        message=clean_text(error.message)[:500],
        status=status,
        retry_after=error.retry_after,
    )


def _usage(chat: ChatRequest, progress: Progress, text: str) -> tuple[Usage, UsageOrigin]:
    """Tokens as reported; counted by us where a call was broken off; none where nothing was answered."""
    if progress.answer is not None:
        return _bounded(progress.answer.usage), "provider"
    if not text:
        return Usage(), "none"
    given = sum(tokens.count(content, chat.model) for content in _contents(chat))
    return Usage(input_tokens=given, output_tokens=tokens.count(text, chat.model)), "estimated"


def _bounded(usage: Usage) -> Usage:
    """What a provider reports is not trusted to fit the columns."""
    return Usage(
        *(_count(number) for number in (usage.input_tokens, usage.output_tokens, usage.cached_tokens))
    )


def _count(number: int | None) -> int | None:
    return None if number is None else max(0, min(number, MOST_TOKENS))


def _contents(chat: ChatRequest) -> Iterable[str]:
    return (message["content"] for message in chat.messages)


def _price(target: Target, usage: Usage, at: datetime, origin: UsageOrigin) -> Price | None:
    return price(target.kind, target.model, usage, at) if origin != "none" else None
