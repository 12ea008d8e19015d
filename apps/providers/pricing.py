"""What a call costs, from the organization's own prices, then from the list that ships with genai-prices.

Unknown is not free, free is not zero. Nothing is looked up on the network. A price belongs to the address
that is called: the same model id on somebody's own server has no known price.
"""

import importlib.metadata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import genai_prices
from genai_prices import types as price_types

from apps.core.records import record
from apps.providers.price_rules import PriceRule
from apps.providers.sandbox import CONNECTION, embedding, find_model
from apps.providers.types import Usage

PriceStatus = Literal["priced", "free", "unknown", "sandbox", "none"]
Processing = Literal["direct", "batch"]
"""How a call is made: by itself, or as a line of the provider's own batch, which most sell for half."""
MILLION: Final = Decimal(1_000_000)
SOURCE: Final = f"genai-prices {importlib.metadata.version('genai-prices')}"
_SHOWN_PRICES: Final = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


@record(frozen=True, slots=True)
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
    connection_kind: str,
    model: str,
    usage: Usage,
    at: datetime,
    rule: PriceRule | None = None,
    processing: Processing = "direct",
) -> Price:
    """The price of a call. `connection_kind` is `Connection.kind`: the sandbox, or the address called.

    `rule` is the organization's own price for it, which stands before the list's. In a provider's batch an
    own price takes the discount that it says, else the list's; where there is neither, it is unknown.
    """
    if connection_kind == CONNECTION:
        return _sandbox_price(model, usage)
    if usage.input_tokens is None or usage.output_tokens is None:
        return Price("unknown", None, {"reason": "the provider reported no usage"})
    if rule is not None:
        own = _own_price(rule, usage.input_tokens, usage.output_tokens, usage.cached_tokens or 0, at)
        return own if processing == "direct" else _discounted(own, connection_kind, model, rule)
    read = min(usage.cached_tokens or 0, usage.input_tokens)
    written = min(usage.cache_write_tokens or 0, usage.input_tokens - read)
    counts = _Counts(usage.input_tokens, usage.output_tokens, read, written)
    rates = _rates(connection_kind, model, processing)
    if isinstance(rates, str):
        return Price("unknown", None, {"source": SOURCE, "reason": rates})
    if rates is None:
        return _listed_price(_calculated(connection_kind, model, counts, at, processing), at, processing)
    return Price(rates.status, rates.amount(counts), {**rates.snapshot, "at": at.isoformat()})


class _Counts(NamedTuple):
    """Tokens by what they cost; those read from and written to a cache are part of the input."""

    given: int
    answered: int
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class _Rates:
    """A listed price that is the same at all times and for any size: US dollars for a million tokens."""

    status: PriceStatus
    per_million: tuple[Decimal, Decimal, Decimal, Decimal]
    snapshot: dict[str, Any]

    def amount(self, counts: _Counts) -> Decimal | None:
        """What a call costs, None where it is unknown."""
        if self.status == "unknown":
            return None
        fresh = counts.given - counts.read - counts.written
        parts = zip(self.per_million, (fresh, counts.answered, counts.read, counts.written), strict=True)
        return sum((rate * count for rate, count in parts if count), Decimal(0)) / MILLION


@lru_cache(maxsize=4096)
def _rates(connection_kind: str, model: str, processing: Processing) -> _Rates | str | None:
    """The rates of a model, or why it has no price; None where each call must be looked up for itself.

    The list's own calculation takes 0.2 ms a call. Its rates are asked of itself, and believed only if they
    give the very same amount for an example: prices by size, by time of day or by request don't.
    """
    at = datetime.now(UTC)
    try:
        found = _calculated(connection_kind, model, _EXAMPLE, at, processing)
    except (LookupError, ValueError) as missing:
        return str(missing)[:200]
    if processing == "batch" and not _has_batch_price(found):
        # Asked for one that it does not know, the list gives the price of direct calls.
        return NO_BATCH_PRICE
    if not isinstance(found.model.prices, price_types.ModelPrice):
        return None
    asked = [_calculated(connection_kind, model, counts, at, processing).total_price for counts in _MILLIONS]
    listed = _listed_price(found, at, processing)
    rates = _Rates(listed.status, (asked[0], asked[1], asked[2], asked[3]), listed.snapshot)
    tiered = any(isinstance(each, price_types.TieredPrices) for each in vars(found.model_price).values())
    return rates if not tiered and rates.amount(_EXAMPLE) == listed.amount else None


_WHOLE: Final = 1_000_000
_MILLIONS: Final = (
    _Counts(_WHOLE, 0),
    _Counts(0, _WHOLE),
    _Counts(_WHOLE, 0, read=_WHOLE),
    _Counts(_WHOLE, 0, written=_WHOLE),
)
_EXAMPLE: Final = _Counts(1234, 567, read=89, written=12)
_SAMPLE: Final = Usage(1000, 1000)
_BATCH: Final = {"processing": "batch"}
NO_BATCH_PRICE: Final = "no price is known for the provider's batch endpoint"


def _has_batch_price(found: price_types.PriceCalculation) -> bool:
    return any(variant.when == _BATCH for variant in found.model.price_variants or ())


def _calculated(
    connection_kind: str, model: str, counts: _Counts, at: datetime, processing: Processing
) -> price_types.PriceCalculation:
    """The list's own calculation. Raises LookupError, ValueError."""
    usage = genai_prices.Usage(
        input_tokens=counts.given,
        output_tokens=counts.answered,
        cache_read_tokens=counts.read or None,
        cache_write_tokens=counts.written or None,
    )
    return genai_prices.calc_price(
        usage,
        model,
        provider_api_url=connection_kind,
        genai_request_timestamp=at,
        price_context=_BATCH if processing == "batch" else None,
    )


def _own_price(rule: PriceRule, given: int, answered: int, cached: int, at: datetime) -> Price:
    cached = min(cached, given)
    for_cached = rule.input_price if rule.cached_input_price is None else rule.cached_input_price
    amount = (given - cached) * rule.input_price + cached * for_cached + answered * rule.output_price
    snapshot = {**rule.snapshot, "at": at.isoformat()}
    return Price("free" if rule.is_free else "priced", amount / MILLION, snapshot)


def _discounted(own: Price, connection_kind: str, model: str, rule: PriceRule) -> Price:
    """An own price in a provider's batch."""
    discount = rule.batch_discount
    if discount is None:
        discount = published_discount(connection_kind, model)
    if own.amount is None or discount is None:
        return Price("unknown", None, {**own.snapshot, "reason": NO_BATCH_PRICE})
    amount = own.amount * (100 - discount) / 100
    free = "free" if discount == 100 else own.status
    return Price(free, amount, {**own.snapshot, "processing": "batch", "batch_discount": str(discount)})


def published_discount(connection_kind: str, model: str) -> Decimal | None:
    """Percent that the list's batch price of a model is below its direct one; None where it has none."""
    now = datetime.now(UTC)
    direct = price(connection_kind, model, _SAMPLE, now).amount
    batch = price(connection_kind, model, _SAMPLE, now, processing="batch").amount
    if not direct or batch is None:
        return None
    return (100 - 100 * batch / direct).quantize(Decimal("0.01"))


def _listed_price(found: price_types.PriceCalculation, at: datetime, processing: Processing) -> Price:
    listed = {name: getattr(found.model_price, name, None) for name in _SHOWN_PRICES}
    snapshot: dict[str, Any] = {
        "source": SOURCE,
        **({"processing": "batch"} if processing == "batch" else {}),
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
