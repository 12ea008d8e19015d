"""A run's calls of providers in the words and shapes of its page: a time line, and what each used. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from apps.core.formatting import NO_BREAK_SPACE, format_duration, format_number
from apps.runs.models import Run

CHART_WIDTH: Final = 1000
REASONS: Final = {
    "rate_limited": "rate limit",
    "timeout": "time-out",
    "server": "server error",
    "bad_request": "refused",
    "authentication": "key refused",
    "connection": "no connection",
    "content_filter": "content filter",
    "output_invalid": "broke its schema",
    "cancelled": "cancelled",
    "breaker_open": "not called: the connection was failing",
    "busy": "not called: the connection was full",
}
KINDS: Final = {
    "call": "Call",
    "retry": "Retry",
    "fallback": "Fallback",
    "repair": "Repair",
    "judge": "Judge",
    "embedding": "Embedding",
    "batch": "Provider batch",
}
# Before these a run waits; older runs don't tell.
WAITING: Final = frozenset({None, "retry", "fallback"})
# Calls that give the run's own answer; the others serve caches and guardrails.
ANSWERING: Final = frozenset({"call", "retry", "fallback", "repair", "batch"})
_TINY: Final = 10_000


@dataclass(frozen=True, slots=True)
class TimingRow:
    """One bar of the timing chart; x and width in thousandths of the run."""

    label: str
    duration: str
    x: int
    width: int
    kind: str


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One call: what it was for, whom it asked, what became of it. Costs of None are not known."""

    number: int
    kind: str
    model: str
    outcome: str
    failed: bool
    status: int | None
    start: str
    length: str
    tokens: str
    cost_status: str | None
    cost: Decimal | None


def shown_attempts(run: Run) -> list[ShownAttempt]:
    """Every call to a provider, in the order of their starts."""
    return [_shown(number, attempt, run) for number, attempt in enumerate(run.attempts, start=1)]


def _shown(number: int, attempt: Mapping[str, Any], run: Run) -> ShownAttempt:
    error = attempt["error"]
    cost = _amount(attempt.get("cost"))
    return ShownAttempt(
        number=number,
        kind=kind_words(attempt, number),
        model=attempt.get("model") or run.model,
        outcome=REASONS.get(error, error) or "answered",
        failed=bool(error),
        status=attempt.get("status"),
        start=format_duration(int(attempt["start_ms"])),
        length=format_duration(int(attempt["duration_ms"])),
        tokens=_tokens(attempt.get("usage")),
        cost_status=_cost_status(attempt, cost, run),
        cost=cost,
    )


def kind_words(attempt: Mapping[str, Any], number: int) -> str:
    """What a call was for. Older runs don't say: theirs are numbered."""
    kind = attempt.get("kind")
    return KINDS.get(kind, kind) if kind else f"Try {number}"


def _cost_status(attempt: Mapping[str, Any], cost: Decimal | None, run: Run) -> str | None:
    """As the cost tag wants it; None where the call used nothing that is charged."""
    if "cost" not in attempt or (cost is None and not attempt.get("usage")):
        return None
    if run.sandbox:
        return "sandbox"
    if cost is None:
        return "unknown"
    return "priced" if cost else "free"


def _amount(text: Any) -> Decimal | None:
    try:
        return None if text is None else Decimal(str(text))
    except InvalidOperation:
        return None


def _tokens(usage: Any) -> str:
    if not isinstance(usage, Mapping):
        return ""
    counts = (usage.get("input_tokens"), usage.get("output_tokens"))
    return " / ".join("unknown" if count is None else format_number(count) for count in counts)


def retries(run: Run) -> int:
    """How often a model was asked again for the answer, for whatever reason."""
    asked = [each for each in run.attempts if each.get("kind", "call") in ANSWERING]
    return max(0, len(asked) - 1)


def model_words(run: Run) -> str:
    """How what was asked for led to what answered; empty where it is the same."""
    if not run.asked_model or run.asked_model == run.model:
        return ""
    if any(attempt.get("kind") == "fallback" for attempt in run.attempts):
        done = "answered" if run.status == "succeeded" else "was called last"
        return f"{run.asked_model} was asked for and did not answer; the fallback {run.model} {done}."
    return f"{run.asked_model} was asked for, an alias of {run.model}."


def timing_rows(run: Run) -> list[TimingRow]:
    """The attempts, the waits between them and, for the answered one, its first token, on one time line."""
    total = max(run.latency_ms, 1)
    rows: list[TimingRow] = []
    before = 0
    for number, attempt in enumerate(run.attempts, start=1):
        start, length = int(attempt["start_ms"]), int(attempt["duration_ms"])
        if number > 1 and start > before and _waited(attempt):
            rows.append(_bar(_wait_words(attempt), before, start - before, total, "wait"))
        rows.extend(_attempt_rows(run, number, attempt, start, length, total))
        before = max(before, start + length)
    return rows


def _waited(attempt: Mapping[str, Any]) -> bool:
    """Whether the time before a call was a wait: before other kinds we were at work."""
    return attempt.get("kind") in WAITING


def _wait_words(attempt: Mapping[str, Any]) -> str:
    kind = attempt.get("kind")
    return f"Wait before {KINDS[kind].lower()}" if kind else "Wait"


def _attempt_rows(
    run: Run, number: int, attempt: Mapping[str, Any], start: int, length: int, total: int
) -> list[TimingRow]:
    name = kind_words(attempt, number) if attempt.get("kind") or len(run.attempts) > 1 else "Call"
    if attempt["error"]:
        reason = REASONS.get(attempt["error"], attempt["error"])
        status = f" {attempt['status']}" if attempt.get("status") else ""
        return [_bar(f"{name}, {reason}{status}", start, length, total, "bad")]
    if run.first_token_ms is None or not start <= run.first_token_ms <= start + length:
        return [_bar(name, start, length, total, "call")]
    first = run.first_token_ms - start
    return [
        _bar(f"{name}, first token", start, first, total, "call"),
        _bar("Stream", run.first_token_ms, length - first, total, "stream"),
    ]


def _bar(label: str, start: int, length: int, total: int, kind: str) -> TimingRow:
    x = min(CHART_WIDTH - 3, start * CHART_WIDTH // total)
    width = max(3, min(CHART_WIDTH - x, length * CHART_WIDTH // total))
    return TimingRow(label, format_duration(length), x, width, kind)


def time_facts(run: Run) -> list[tuple[str, str]]:
    """Where a run's time went: with providers, waiting to ask again, and with us."""
    away, waited = _away_and_waited(run)
    facts = [("At providers", format_duration(away))] if run.attempts else []
    if waited:
        facts.append(("Waits between calls", format_duration(waited)))
    return [*facts, ("Our own time", own_time(run.own_microseconds))]


def _away_and_waited(run: Run) -> tuple[int, int]:
    """Milliseconds in which at least one call was open, and in which the next one was waited for."""
    until = away = waited = 0
    for attempt in sorted(run.attempts, key=lambda each: int(each["start_ms"])):
        start, length = int(attempt["start_ms"]), int(attempt["duration_ms"])
        if until and _waited(attempt):
            waited += max(0, start - until)
        away += max(0, start + length - max(start, until))
        until = max(until, start + length)
    return away, waited


def own_time(microseconds: int | None) -> str:
    """The time that a run took beside providers and waits; older runs don't know theirs."""
    if microseconds is None:
        return "unknown"
    if microseconds < _TINY:
        return f"{microseconds / 1000:.2f}{NO_BREAK_SPACE}ms"
    return format_duration(microseconds / 1000)
