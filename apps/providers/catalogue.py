"""The models that a project can name, each with its price of now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.providers import queries
from apps.providers.price_rules import PriceRule, rule_for
from apps.providers.pricing import Price, PriceStatus, price
from apps.providers.types import SANDBOX, ModelChoice, Usage

SAMPLE = Usage(1_000, 1_000)


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """What a million tokens cost in US dollars; None where it is not known, "… and tiers" where it varies."""

    status: PriceStatus
    input: str | None
    output: str | None
    cached_input: str | None
    source: str
    price_id: str


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model with the price that holds, and the list's beside the organization's own where there is one."""

    choice: ModelChoice
    current: ListedPrice
    catalogue: ListedPrice
    rule: PriceRule | None


@dataclass(frozen=True, slots=True)
class PriceBook:
    """How a project's models are priced: the address of each connection, and the own prices."""

    kinds: Mapping[str, str]
    rules: tuple[PriceRule, ...]

    def price(self, reference: str, usage: Usage, at: datetime) -> Price:
        """The price of a call of a model, `<connection>/<model id>`."""
        connection, _, model = reference.partition("/")
        kind = SANDBOX if connection == SANDBOX else self.kinds.get(connection, "")
        return price(kind, model, usage, at, rule_for(self.rules, reference, at))

    def catalogue_price(self, reference: str, at: datetime) -> Price:
        """The list's own price of a model for 1,000 tokens each way, whatever the organization says."""
        connection, _, model = reference.partition("/")
        return price(self.kinds.get(connection, "") if connection != SANDBOX else SANDBOX, model, SAMPLE, at)


def price_book(project_id: UUID) -> PriceBook:
    """A project's prices, in two queries. Needs the organization's scope."""
    kinds = {each.name: each.base_url for each in queries.effective_credentials(project_id)}
    return PriceBook(kinds, queries.price_rules(project_id))


def models_with_prices(project_id: UUID, rules: tuple[PriceRule, ...] | None = None) -> list[PricedModel]:
    """Every model of the project, the connections' own first, by these own prices if they are at hand.

    Needs the organization's scope.
    """
    credentials = queries.effective_credentials(project_id)
    held = queries.price_rules(project_id) if rules is None else rules
    book = PriceBook({each.name: each.base_url for each in credentials}, held)
    now = datetime.now(UTC)
    return [_priced(book, choice, now) for choice in queries.choices_from(credentials)]


def _priced(book: PriceBook, choice: ModelChoice, at: datetime) -> PricedModel:
    reference = choice.reference
    return PricedModel(
        choice,
        _listed(book.price(reference, SAMPLE, at)),
        _listed(book.catalogue_price(reference, at)),
        None if choice.sandbox else rule_for(book.rules, reference, at),
    )


def _listed(found: Price) -> ListedPrice:
    listed: dict[str, Any] = found.snapshot.get("usd_per_million_tokens", {})
    return ListedPrice(
        found.status,
        listed.get("input"),
        listed.get("output"),
        listed.get("cache_read"),
        found.snapshot.get("source", ""),
        found.snapshot.get("price_id", ""),
    )
