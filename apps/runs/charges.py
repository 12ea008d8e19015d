"""What a run used and what that costs: every answer by its own model's price, and what helpers cost. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from apps.core.chat_content import text_of
from apps.providers import tokens
from apps.providers.price_rules import held_at
from apps.providers.pricing import Price, PriceStatus, Processing, price
from apps.providers.types import ChatRequest, Usage
from apps.runs.inputs import clean_text
from apps.runs.progress import Progress
from apps.runs.types import Attempt, PreparedRun, Target, UsageOrigin

MOST_TOKENS: Final = 2**31 - 1
CACHED: Final = Price("none", Decimal(0))


def charge_attempt(
    attempt: Attempt, target: Target, usage: Usage, at: datetime, processing: Processing = "direct"
) -> tuple[Attempt, Price]:
    """An attempt with what it used and cost, and that price."""
    counted = clamped(usage)
    found = price_of(target, counted, at, processing)
    return replace(attempt, usage=counted, cost=found.amount), found


def price_of(target: Target, usage: Usage, at: datetime, processing: Processing = "direct") -> Price:
    """The price of a call of a target, by the organization's own prices first."""
    rule = held_at(target.prices, at) if target.prices else None
    return price(target.kind, target.model, usage, at, rule, processing)


def used(prepared: PreparedRun, progress: Progress) -> tuple[Usage, UsageOrigin]:
    """Tokens as reported; counted by us where a call was broken off; none where nothing was answered."""
    if progress.cached_from is not None:
        return Usage(0, 0, 0), "cache"
    if progress.answer is not None:
        return total([attempt.usage for attempt in progress.attempts if _answered(attempt)]), "provider"
    text = clean_text(progress.text + written(progress.tool_calls))
    if not text:
        return Usage(), "none"
    return _estimated(prepared.chat, text), "estimated"


def settle(prepared: PreparedRun, progress: Progress, usage: Usage, origin: UsageOrigin) -> Price | None:
    """The price of the whole run; an estimate is noted on the attempt that it is of."""
    prices = [*progress.prices, *progress.side_costs]
    if origin == "estimated":
        target = progress.target or prepared.target
        broken_off = progress.attempts[-1] if progress.attempts else None
        found = price_of(target, usage, prepared.created_at)
        if broken_off is not None:
            progress.attempts[-1] = replace(broken_off, usage=usage, cost=found.amount)
        prices.append(found)
    if origin == "cache":
        return summed(prices) if prices else CACHED
    return summed(prices) if prices else None


def summed(prices: Sequence[Price]) -> Price:
    """Several prices as one, whose snapshot lists the parts; the sum is unknown where a part is.

    What the sandbox asks is made up: beside real prices, such as a judge's, it is told but not summed.
    """
    if len(prices) == 1:
        return prices[0]
    parts = [{"status": each.status, **each.snapshot} for each in prices]
    counted = [each for each in prices if each.status != "sandbox"] or prices
    amounts = [each.amount for each in counted if each.amount is not None]
    if len(amounts) < len(counted):
        return Price("unknown", None, {"reason": "the price of a part is unknown", "parts": parts})
    snapshot = {**counted[0].snapshot, "parts": parts}
    return Price(_status({each.status for each in counted}), sum(amounts, Decimal(0)), snapshot)


def total(spent: Iterable[Usage | None]) -> Usage:
    """The tokens of all answers, unknown where one's are."""
    known = [usage or Usage() for usage in spent]
    if len(known) == 1:
        return known[0]
    return Usage(
        _sum([usage.input_tokens for usage in known]),
        _sum([usage.output_tokens for usage in known]),
        _sum([usage.cached_tokens for usage in known]),
        _sum([usage.cache_write_tokens for usage in known]),
    )


def clamped(usage: Usage) -> Usage:
    """What fits the columns: providers aren't trusted to."""
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens)
    for count in counts:
        if count is not None and not 0 <= count <= MOST_TOKENS:
            break
    else:
        return usage
    return Usage(*(None if count is None else max(0, min(count, MOST_TOKENS)) for count in counts))


def written(calls: Iterable[dict[str, Any]]) -> str:
    """What a model wrote of tool calls."""
    return "".join(call["function"]["name"] + call["function"]["arguments"] for call in calls)


def _answered(attempt: Attempt) -> bool:
    return attempt.usage is not None and attempt.kind in ("call", "retry", "fallback", "repair", "batch")


def _estimated(chat: ChatRequest, text: str) -> Usage:
    given = sum(tokens.count(text_of(message), chat.model) for message in chat.messages)
    given += sum(
        tokens.count(written(message.get("tool_calls") or ()), chat.model) for message in chat.messages
    )
    given += sum(tokens.count_attachments(message) for message in chat.messages)
    return Usage(input_tokens=given, output_tokens=tokens.count(text, chat.model))


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return min(sum(known), MOST_TOKENS) if len(known) == len(numbers) else None


def _status(statuses: set[PriceStatus]) -> PriceStatus:
    if "sandbox" in statuses:
        return "sandbox"
    return "priced" if "priced" in statuses else "free"
