"""From what a run got to the record of it: status, usage, price, result. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from apps.billing.allowance import Reservation
from apps.core.chat_content import text_of
from apps.providers import tokens
from apps.providers.price_rules import rule_for
from apps.providers.pricing import Price, price
from apps.providers.types import CallErrorReason, ChatRequest, ProviderCallError, Usage
from apps.runs.inputs import clean_text
from apps.runs.outputs import parse_output
from apps.runs.overrides import overrides_of
from apps.runs.progress import Progress
from apps.runs.types import (
    OutputRefusal,
    PreparedRun,
    RunError,
    RunRecord,
    RunResult,
    Status,
    Target,
    UsageOrigin,
)

MOST_TOKENS: Final = 2**31 - 1
_Verdict = tuple[Status, RunError | None, Any]

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
    prepared: PreparedRun,
    reservation: Reservation,
    progress: Progress,
    *,
    cancelled: bool,
    refusal: OutputRefusal | None = None,
) -> RunRecord:
    """The record of a run that has ended; a run that was cancelled after its answer came has succeeded."""
    spent = _usage(prepared.chat, progress)
    text = clean_text(refusal.kept if refusal else progress.text)
    calls = () if refusal else tuple(map(_clean_call, progress.tool_calls))
    verdict = _verdict(prepared.chat, progress, text, cancelled)
    if refusal is not None and progress.answer is not None:
        verdict = "failed", refusal.error, None
    return RunRecord(
        request=prepared.request,
        result=replace(_result(prepared, progress, text, verdict, spent), tool_calls=calls),
        prompt=prepared.prompt,
        connection=prepared.target.connection,
        messages=prepared.chat.messages,
        parameters=prepared.chat.parameters,
        attempts=tuple(progress.attempts),
        usage_origin=spent[1],
        provider_request_id=clean_text(_provider_request_id(progress)),
        reservation=reservation,
        output_schema=prepared.chat.output_schema,
        tools=prepared.chat.tools,
        overrides=overrides_of(prepared),
        own_since=prepared.request.arrived + progress.away,
    )


def unrecorded(result: RunResult) -> RunResult:
    """The result of a run whose record was dropped because another holder of its fence won."""
    return replace(result, recorded=False)


def _result(
    prepared: PreparedRun,
    progress: Progress,
    text: str,
    verdict: _Verdict,
    spent: tuple[Usage, UsageOrigin],
) -> RunResult:
    request, prompt, target, answer = prepared.request, prepared.prompt, prepared.target, progress.answer
    status, error, parsed = verdict
    return RunResult(
        run_id=request.run_id,
        created_at=prepared.created_at,
        status=status,
        text=text,
        parsed=parsed,
        usage=spent[0],
        price=_price(target, spent[0], prepared.created_at, spent[1]),
        latency_ms=progress.elapsed_ms(),
        first_token_ms=progress.first_token_ms,
        finish_reason=clean_text(answer.finish_reason) if answer and answer.finish_reason else None,
        error=error,
        model=target.reference,
        sandbox=target.sandbox,
        prompt_name=prompt.name if prompt else "",
        version_number=prompt.number if prompt else None,
        label=request.prompt.label if request.prompt else None,
        cached_from=progress.cached_from,
        usage_origin=spent[1],
        cache_kind=progress.cache_kind,
        cache_distance=progress.cache_distance,
        guardrail_hits=tuple(progress.hits),
    )


def _clean_call(call: dict[str, Any]) -> dict[str, Any]:
    function = {name: clean_text(call["function"][name]) for name in ("name", "arguments")}
    return {"id": clean_text(call["id"]), "type": "function", "function": function}


def _provider_request_id(progress: Progress) -> str:
    """The provider's own id of the call, of one that failed too."""
    found = progress.answer or progress.error
    return (found.provider_request_id or "") if found else ""


def _verdict(chat: ChatRequest, progress: Progress, text: str, cancelled: bool) -> _Verdict:
    if progress.refusal is not None:
        return "failed", progress.refusal, None
    if progress.answer is not None:
        # The schema is for the answer in the end; a call of a tool comes before it.
        schema = None if progress.tool_calls else chat.output_schema
        parsed, error = parse_output(text, schema)
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


def _usage(chat: ChatRequest, progress: Progress) -> tuple[Usage, UsageOrigin]:
    """Tokens as reported; counted by us where a call was broken off; none where nothing was answered."""
    if progress.answer is not None:
        spent = _sum([*progress.earlier, progress.answer.usage])
        return spent, "cache" if progress.cached_from else "provider"
    text = clean_text(progress.text + _written(progress.tool_calls))
    if not text:
        return Usage(), "none"
    given = sum(tokens.count(content, chat.model) for content in _contents(chat))
    given += sum(tokens.count_attachments(message) for message in chat.messages)
    return Usage(input_tokens=given, output_tokens=tokens.count(text, chat.model)), "estimated"


def _sum(spent: list[Usage]) -> Usage:
    """The tokens of all answers, unknown where one's are; providers aren't trusted to fit the columns."""
    return Usage(
        _total([usage.input_tokens for usage in spent]),
        _total([usage.output_tokens for usage in spent]),
        _total([usage.cached_tokens for usage in spent]),
        _total([usage.cache_write_tokens for usage in spent]),
    )


def _total(numbers: list[int | None]) -> int | None:
    counted = [_count(number) for number in numbers]
    known = [number for number in counted if number is not None]
    return _count(sum(known)) if len(known) == len(counted) else None


def _count(number: int | None) -> int | None:
    return None if number is None else max(0, min(number, MOST_TOKENS))


def _contents(chat: ChatRequest) -> Iterable[str]:
    for message in chat.messages:
        yield text_of(message)
        yield _written(message.get("tool_calls", ()))


def _written(calls: Iterable[dict[str, Any]]) -> str:
    """What a model wrote of tool calls."""
    return "".join(call["function"]["name"] + call["function"]["arguments"] for call in calls)


def _price(target: Target, usage: Usage, at: datetime, origin: UsageOrigin) -> Price | None:
    if origin == "cache":
        return Price("none", Decimal(0))
    if origin == "none":
        return None
    rule = rule_for(target.prices, f"{target.connection}/{target.model}", at)
    return price(target.kind, target.model, usage, at, rule)
