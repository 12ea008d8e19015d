"""Figures in the words of pages: what something cost, what is unknown, and how it differs from before."""

from decimal import Decimal
from typing import Final

from apps.analytics.metrics import Value
from apps.analytics.queries import Figures
from apps.analytics.wording import Change, format_change, format_value
from apps.core.formatting import UNKNOWN, format_money, format_number

NOTHING: Final = "none"
MADE_UP: Final = "made-up prices of the sandbox, never billed"
FREE: Final = "free"
# What is said behind the size of a change; None where the direction alone says it.
_MORE: Final = {
    "requests": ("more than", "fewer than"),
    "total_tokens": ("more than", "fewer than"),
    "cost": ("more than", "less than"),
    "cost_per_request": ("dearer than", "cheaper than"),
    "latency_p95": ("slower than", "faster than"),
    "error_rate": ("worse than", "better than"),
    "satisfaction": ("better than", "worse than"),
}


def cost_name(figures: Figures, *, sandbox: bool) -> str:
    """What a cost is called: the sandbox's is made up, and one that leaves out calls says so."""
    if sandbox:
        return "Cost, made up"
    return "Cost, known prices" if figures.sums.unknown_price and figures.sums.priced else "Cost"


def known_cost(figures: Figures) -> Value:
    """The cost, or None where no price is known: free calls beside unknown ones don't make it 0."""
    sums = figures.sums
    return None if sums.unknown_price and not sums.priced else figures["cost"]


def cost_words(figures: Figures) -> str:
    """What calls cost: an amount of known prices, "free", "unknown", or "none" where none was asked."""
    sums = figures.sums
    if sums.priced:
        return format_money(sums.cost)
    if sums.unknown_price:
        return UNKNOWN
    return FREE if sums.free else NOTHING


def cost_per_request_words(figures: Figures) -> str:
    """The mean over calls of known price, or why there is none."""
    sums = figures.sums
    if sums.priced:
        return format_money(sums.cost / Decimal(sums.priced + sums.free))
    return cost_words(figures)


def unknown_words(count: int) -> str:
    """How many calls a cost leaves out, or ""."""
    return f"{format_number(count)} call{'s' * (count != 1)} of unknown price" if count else ""


def words(metric: str, figures: Figures) -> str:
    """A metric of figures; where there is nothing to measure, that."""
    if metric == "cost":
        return cost_words(figures)
    if metric == "cost_per_request":
        return cost_per_request_words(figures)
    value = figures[metric]
    if value is None:
        return absence(metric, figures)
    return format_value(metric, value)


def absence(metric: str, figures: Figures) -> str:
    """Why a metric has no value: nothing was called, nobody rated, or it isn't known."""
    if not figures.requests:
        return "no calls"
    if metric == "satisfaction":
        return "no ratings"
    return "no answers" if metric.startswith("latency") else UNKNOWN


def change_of(metric: str, now: Figures, before: Figures | None) -> Change | None:
    """How a figure differs from the period before; None where there is nothing to compare with."""
    if before is None or not before.requests:
        return None
    value = known_cost if metric == "cost" else lambda figures: figures[metric]
    change = format_change(metric, value(now), value(before))
    return None if change.direction == "unknown" else change


def than(metric: str, change: Change) -> str:
    """What stands between a change and what it is compared with: "slower than", "from"."""
    if change.direction == "same":
        return "since"
    up, down = _MORE.get(metric, ("more than", "less than"))
    return up if change.direction == "up" else down


def in_sentence(words: str) -> str:
    """Words of a dimension inside a sentence: "prompts", "API keys"."""
    return words if words[:2].isupper() else words.lower()
