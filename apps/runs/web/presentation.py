"""Runs in the words and shapes of the pages. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from apps.core import ids
from apps.core.chat_content import described
from apps.core.formatting import format_duration
from apps.core.markdown import render_markdown
from apps.runs.bodies import content_state
from apps.runs.models import Run, RunSource
from apps.runs.outputs import parse_json
from apps.runs.queries import Content, Preview

CHART_WIDTH: Final = 1000
SHORT_VALUE: Final = 120
USAGE_NOTES: Final = {
    "provider": "counted by the provider",
    "estimated": "estimated: the call was broken off",
    "cache": "answered from the cache",
    "none": "nothing was answered",
}
_REASONS: Final = {
    "rate_limited": "rate limit",
    "timeout": "time-out",
    "server": "server error",
    "bad_request": "refused",
    "authentication": "key refused",
    "connection": "no connection",
    "content_filter": "content filter",
    "output_invalid": "broke its schema",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list."""

    run: Run
    preview: Preview
    source: str
    price_status: str | None
    score: float | None
    key: str
    content_state: str

    @classmethod
    def of(cls, run: Run, preview: Preview | None, score: float | None = None, key: str = "") -> "RunRow":
        """The row of a run with its preview, if its content is still there."""
        state = content_state(run, kept=preview is not None)
        return cls(
            run, preview or Preview(), RunSource(run.source).label, price_status(run), score, key, state
        )

    @property
    def cost(self) -> str | None:
        """The cost as plain digits; "unknown" is spelled out and never 0."""
        if self.run.price_amount is None:
            return "unknown" if self.price_status == "unknown" else None
        return f"{self.run.price_amount.normalize():f}"


@dataclass(frozen=True, slots=True)
class TimingRow:
    """One bar of the timing chart; x and width in thousandths of the run."""

    label: str
    duration: str
    x: int
    width: int
    kind: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as it was sent."""

    element_id: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownVariable:
    """A variable's name and the beginning of its value."""

    name: str
    value: str


def detail_context(run: Run, content: Content | None, view: str = "") -> dict[str, Any]:
    """Everything that the page of one run shows besides the run's own columns.

    `view` is how the answer is wanted: text, markdown or json; JSON is the first choice where it is JSON.
    """
    output_json = _output_json(content)
    return {
        **_answer(content, output_json, view),
        "run": run,
        "content": content,
        "content_state": content_state(run, kept=content is not None),
        "source": RunSource(run.source).label,
        "batch_id": ids.encode("bat", run.source_id)
        if run.source == RunSource.BATCH and run.source_id
        else "",
        "prompt_id": ids.encode("prm", run.prompt_id) if run.prompt_id else "",
        "cached_from": ids.encode(Run.PREFIX, run.cached_from) if run.cached_from else "",
        "price_status": price_status(run),
        "price_note": _price_note(run),
        "usage_note": USAGE_NOTES.get(run.usage_origin, ""),
        "retries": max(0, len(run.attempts) - 1),
        "timing": timing_rows(run),
        "messages_sent": _messages(content),
        "variables": _variables(content),
        "overrides": _overrides(run),
        "parameters": _pretty(dict(content.parameters)) if content and content.parameters else "",
        "tools": _pretty(list(content.tools)) if content and content.tools else "",
        "output_schema": _pretty(content.output_schema) if content and content.output_schema else "",
        "price_lines": _price_lines(run),
        "tries": _tries(run),
        "metadata": sorted(run.metadata.items()),
    }


def _overrides(run: Run) -> list[dict[str, str]]:
    """Each default of the version that the call went over: its kind and its name."""
    return [dict(zip(("kind", "name"), each.split(":", 1), strict=True)) for each in run.overrides]


def price_status(run: Run) -> str | None:
    """The price status as the cost tag wants it: None where nothing was charged."""
    return None if run.price_status == "none" else run.price_status


def timing_rows(run: Run) -> list[TimingRow]:
    """The attempts, the waits between them and, for the answered one, its first token, on one time line."""
    total = max(run.latency_ms, 1)
    rows = []
    before = 0
    for number, attempt in enumerate(run.attempts, start=1):
        start, length = int(attempt["start_ms"]), int(attempt["duration_ms"])
        if number > 1:
            rows.append(_bar("Wait before retry", before, start - before, total, "wait"))
        rows.extend(_attempt_rows(run, number, attempt, start, length, total))
        before = start + length
    return rows


def _attempt_rows(
    run: Run, number: int, attempt: dict[str, Any], start: int, length: int, total: int
) -> list[TimingRow]:
    name = f"Try {number}" if len(run.attempts) > 1 else "Call"
    if attempt["error"]:
        reason = _REASONS.get(attempt["error"], attempt["error"])
        status = f" {attempt['status']}" if attempt["status"] else ""
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


def _answer(content: Content | None, output_json: str, view: str) -> dict[str, Any]:
    """The answer as it is wanted, and the ways it may be shown."""
    text = content.output if content else ""
    calls = list(content.tool_calls) if content else []
    views = ["text", "markdown", *(["json"] if output_json else [])] if text else []
    chosen = view if view in views else "json" if output_json else "text"
    html = render_markdown(text) if chosen == "markdown" else None
    return {
        "output_view": chosen,
        "output_views": views,
        "output_json": output_json,
        "output_html": html,
        "output_too_long": chosen == "markdown" and html is None,
        "tool_calls": [
            {
                "id": f"tool-call-{number}",
                "name": call["function"]["name"],
                "arguments": _indented(call["function"]["arguments"]),
            }
            for number, call in enumerate(calls, start=1)
        ],
    }


def _indented(text: str) -> str:
    parsed = parse_json(text)
    return text if parsed is None else _pretty(parsed)


def _price_lines(run: Run) -> list[tuple[str, str]]:
    """Where the price is from and what it was, as it was fixed with the run."""
    snapshot = run.price_snapshot
    lines = [("Price list", str(snapshot["source"]))] if snapshot.get("source") else []
    if snapshot.get("price_id"):
        lines.append(("Entry", str(snapshot["price_id"])))
    if snapshot.get("reason"):
        lines.append(("Why unknown", str(snapshot["reason"])))
    rates = snapshot.get("usd_per_million_tokens") or {}
    words = {name: name.replace("_", " ").capitalize() for name in rates}
    return lines + [(words[name], f"${rate} a million tokens") for name, rate in rates.items()]


def _tries(run: Run) -> list[dict[str, Any]]:
    """Every call to the provider with its outcome."""
    return [
        {
            "number": number,
            "start": format_duration(int(attempt["start_ms"])),
            "length": format_duration(int(attempt["duration_ms"])),
            "outcome": _REASONS.get(attempt["error"], attempt["error"]) or "answered",
            "status": attempt.get("status"),
        }
        for number, attempt in enumerate(run.attempts, start=1)
    ]


def _price_note(run: Run) -> str:
    if run.cached_from:
        return "no provider was called"
    if run.price_status == "sandbox":
        return "made-up price, never billed"
    if run.price_status == "priced":
        return "price of the day, fixed"
    return "no price is known for this model" if run.price_status == "unknown" else ""


def _messages(content: Content | None) -> list[ShownMessage]:
    sent: Sequence[Any] = content.messages if content else ()
    return [
        ShownMessage(f"message-{number}", str(message["role"]), _message_text(message))
        for number, message in enumerate(sent, start=1)
    ]


def _message_text(message: Any) -> str:
    text = described(message)
    shown = [text] if text or message.get("content") == "" else []
    if message.get("tool_calls"):
        shown.append(_pretty(message["tool_calls"]))
    return "\n".join(shown)


def _variables(content: Content | None) -> list[ShownVariable]:
    values = content.variables if content else {}
    return [ShownVariable(name, _short(value)) for name, value in values.items()]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHORT_VALUE else text[: SHORT_VALUE - 1] + "…"


def _output_json(content: Content | None) -> str:
    """The answer indented, where it is a JSON object or list."""
    parsed = parse_json(content.output) if content else None
    return _pretty(parsed) if isinstance(parsed, dict | list) else ""


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
