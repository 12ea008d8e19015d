"""Metrics in words, for pages, mails and files. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from apps.analytics.metrics import METRICS, Metric, Sums, Value
from apps.core.formatting import (
    NO_BREAK_SPACE,
    UNKNOWN,
    format_duration,
    format_money,
    format_number,
    format_percent,
)

Direction: TypeAlias = Literal["up", "down", "same", "unknown"]
Verdict: TypeAlias = Literal["good", "bad", "neutral"]

# A change that rounds to nothing is none.
SMALLEST_CHANGE: Final = 0.0005
NO_DATA: Final = "no data"


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure differs from the one before: "13.6 %" and whether that is more, and better."""

    words: str
    direction: Direction
    verdict: Verdict


def format_value(metric: str, value: Value) -> str:
    """A metric's value in words: "1,234", "2.1 %", "$0.42", "412 ms", "4.31 of 5"; None is "unknown"."""
    if value is None:
        return UNKNOWN
    unit = METRICS[metric].unit
    if unit == "usd":
        return format_money(Decimal(value))
    if unit == "share":
        return format_percent(float(value))
    if unit == "ms":
        return format_duration(float(value))
    if unit == "score":
        return f"{float(value):.2f} of 5"
    return format_number(value)


def missing(metric: str, sums: Sums) -> str:
    """What to write where a metric has no value: "unknown" of what runs used or cost, else "no data"."""
    return UNKNOWN if sums.requests and METRICS[metric].unit in ("usd", "tokens") else NO_DATA


def format_change(metric: str, now: Value, before: Value) -> Change:
    """How much a metric rose or fell against the period before.

    Shares differ in percentage points, everything else by a share of what was before; from nothing to
    something there is no such share.
    """
    if now is None or before is None:
        return Change(UNKNOWN, "unknown", "neutral")
    found = METRICS[metric]
    difference = float(now) - float(before)
    if found.unit == "share":
        words, size = f"{abs(difference) * 100:.1f}{NO_BREAK_SPACE}points", abs(difference)
    elif before:
        size = abs(difference / float(before))
        words = f"{size * 100:.1f}{NO_BREAK_SPACE}%"
    else:
        size = abs(difference)
        words = "from 0"
    if size < SMALLEST_CHANGE:
        return Change("no change", "same", "neutral")
    direction: Direction = "up" if difference > 0 else "down"
    return Change(words, direction, _verdict(found, direction))


def _verdict(metric: Metric, direction: Direction) -> Verdict:
    if metric.better == "neither":
        return "neutral"
    return "good" if (metric.better == "higher") == (direction == "up") else "bad"
