"""From what a run got to the record of it: status, usage, price, result. Pure."""

from dataclasses import replace
from typing import Any, Final

from apps.billing.allowance import Reservation
from apps.providers.types import CallErrorReason, ChatRequest, ProviderCallError, Usage
from apps.runs import charges
from apps.runs.inputs import clean_text
from apps.runs.outputs import expected_of, parse_output
from apps.runs.overrides import overrides_of
from apps.runs.progress import Progress
from apps.runs.types import (
    OutputRefusal,
    PreparedRun,
    RunError,
    RunRecord,
    RunResult,
    Status,
    UsageOrigin,
)

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
    "breaker_open": ("provider_unavailable", "provider_error", 503),
    "busy": ("connection_busy", "rate_limit_error", 429),
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
    spent = charges.used(prepared, progress)
    text = clean_text(refusal.kept if refusal else progress.text)
    calls = () if refusal else tuple(map(_clean_call, progress.tool_calls))
    verdict = _verdict(prepared.chat, progress, text, cancelled)
    if refusal is not None and progress.answer is not None:
        verdict = "failed", refusal.error, None
    result = _result(prepared, progress, text, verdict, spent, calls)
    target = progress.answered or progress.target or prepared.target
    return RunRecord(
        request=prepared.request,
        result=result,
        prompt=prepared.prompt,
        connection=target.connection,
        address=target.kind,
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
    calls: tuple[dict[str, Any], ...],
) -> RunResult:
    request, prompt, answer = prepared.request, prepared.prompt, progress.answer
    target = progress.answered or progress.target or prepared.target
    asked = prepared.target.asked or prepared.target.reference
    status, error, parsed = verdict
    return RunResult(
        run_id=request.run_id,
        created_at=prepared.created_at,
        status=status,
        text=text,
        parsed=parsed,
        usage=spent[0],
        price=charges.settle(prepared, progress, *spent),
        latency_ms=progress.elapsed_ms(),
        first_token_ms=progress.first_token_ms,
        finish_reason=clean_text(answer.finish_reason) if answer and answer.finish_reason else None,
        error=error,
        model=target.reference,
        asked_model=asked if asked != target.reference else "",
        sandbox=target.sandbox,
        prompt_name=prompt.name if prompt else "",
        version_number=prompt.number if prompt else None,
        label=request.prompt.label if request.prompt else None,
        cached_from=progress.cached_from,
        tool_calls=calls,
        usage_origin=spent[1],
        cache=progress.cache_outcome,
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
    if progress.withheld is not None:
        return "failed", progress.withheld.error, None
    if progress.answer is not None:
        # The schema is for the answer in the end; a call of a tool comes before it.
        schema = None if progress.tool_calls else expected_of(chat)
        parsed, error = progress.checked or parse_output(text, schema)
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
