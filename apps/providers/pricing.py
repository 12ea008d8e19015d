"""What a call costs, from the organization's own prices, then from the list that ships with genai-prices.

Unknown is not free, free is not zero. Nothing is looked up on the network. A price belongs to the address
that is called: the same model id on somebody's own server has no known price.
"""

import importlib.metadata
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import genai_prices
from genai_prices import types as price_types

from apps.providers.price_rules import PriceRule
from apps.providers.sandbox import CONNECTION, embedding, find_model
from apps.providers.types import Usage

PriceStatus = Literal["priced", "free", "unknown", "sandbox", "none"]
MILLION: Final = Decimal(1_000_000)
SOURCE: Final = f"genai-prices {importlib.metadata.version('genai-prices')}"
OWN: Final = "own price"
_SHOWN_PRICES: Final = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs in US dollars; `amount` is None when the price is unknown.

    "none" is the price of what no provider was called for.
    A sandbox amount is made up and never summed with the others. `snapshot` says where the price is from,
    so that a later price list changes nothing that is past.
    """

    status: PriceStatus
    amount: Decimal | None
    snapshot: dict[str, Any] = field(default_factory=dict)


def price(
    connection_kind: str, model: str, usage: Usage, at: datetime, rule: PriceRule | None = None
) -> Price:
    """The price of a call. `connection_kind` is `Connection.kind`: the sandbox, or the address called.

    `rule` is the organization's own price for it, which stands before the list's.
    """
    if connection_kind == CONNECTION:
        return _sandbox_price(model, usage)
    if usage.input_tokens is None or usage.output_tokens is None:
        return Price("unknown", None, {"reason": "the provider reported no usage"})
    if rule is not None:
        return _own_price(rule, usage.input_tokens, usage.output_tokens, usage.cached_tokens or 0, at)
    read = min(usage.cached_tokens or 0, usage.input_tokens)
    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=read or None,
        cache_write_tokens=min(usage.cache_write_tokens or 0, usage.input_tokens - read) or None,
    )
    try:
        found = genai_prices.calc_price(
            counted, model, provider_api_url=connection_kind, genai_request_timestamp=at
        )
    except (LookupError, ValueError) as missing:
        return Price("unknown", None, {"source": SOURCE, "reason": str(missing)[:200]})
    return _listed_price(found, at)


def _own_price(rule: PriceRule, given: int, answered: int, cached: int, at: datetime) -> Price:
    cached = min(cached, given)
    for_cached = rule.input_price if rule.cached_input_price is None else rule.cached_input_price
    amount = (given - cached) * rule.input_price + cached * for_cached + answered * rule.output_price
    listed = {"input": rule.input_price, "output": rule.output_price, "cache_read": rule.cached_input_price}
    snapshot = {
        "source": OWN,
        "price_id": rule.id,
        "pattern": rule.pattern,
        "at": at.isoformat(),
        "usd_per_million_tokens": {
            name: plain_amount(each) for name, each in listed.items() if each is not None
        },
    }
    return Price("free" if rule.is_free else "priced", amount / MILLION, snapshot)


def plain_amount(amount: Decimal) -> str:
    """An amount without zeros at its end, as in 2.5."""
    return f"{amount.normalize():f}"


def _listed_price(found: price_types.PriceCalculation, at: datetime) -> Price:
    listed = {name: getattr(found.model_price, name, None) for name in _SHOWN_PRICES}
    snapshot = {
        "source": SOURCE,
        "price_id": f"{found.provider.id}/{found.model.id}",
        "at": at.isoformat(),
        "usd_per_million_tokens": {
            name.removesuffix("_mtok"): _text(each) for name, each in listed.items() if each is not None
        },
    }
    if not snapshot["usd_per_million_tokens"]:
        # The list marks OpenRouter's free models by an empty price; any other empty price is a gap.
        known_free = found.model.id.endswith(":free")
        return Price("free", Decimal(0), snapshot) if known_free else Price("unknown", None, snapshot)
    if all(each == 0 for each in listed.values() if each is not None):
        return Price("free", Decimal(0), snapshot)
    return Price("priced", found.total_price, snapshot)


def _sandbox_price(model: str, usage: Usage) -> Price:
    if model == embedding.MODEL:
        return _sandbox_embedding_price(usage)
    found = find_model(model)
    if found is None:
        return Price("unknown", None)
    amount = (usage.input_tokens or 0) * found.input_price + (usage.output_tokens or 0) * found.output_price
    listed = {"input": str(found.input_price), "output": str(found.output_price)}
    snapshot = {"source": "sandbox, made up", "price_id": found.reference, "usd_per_million_tokens": listed}
    return Price("sandbox", amount / MILLION, snapshot)


def _sandbox_embedding_price(usage: Usage) -> Price:
    listed = {"input": str(embedding.INPUT_PRICE)}
    snapshot = {
        "source": "sandbox, made up",
        "price_id": f"{CONNECTION}/{embedding.MODEL}",
        "usd_per_million_tokens": listed,
    }
    return Price("sandbox", (usage.input_tokens or 0) * embedding.INPUT_PRICE / MILLION, snapshot)


def _text(listed: Decimal | price_types.TieredPrices) -> str:
    return f"{listed.base} and tiers" if isinstance(listed, price_types.TieredPrices) else str(listed)
