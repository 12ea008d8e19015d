"""The models that a project can name, each with its listed price."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from apps.providers import queries
from apps.providers.pricing import PriceStatus, price
from apps.providers.types import SANDBOX, ModelChoice, Usage


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model with what a million tokens cost in US dollars; None where that is not known."""

    choice: ModelChoice
    status: PriceStatus
    input_price: str | None
    output_price: str | None
    source: str


def models_with_prices(project_id: UUID) -> list[PricedModel]:
    """Every model of the project, the connections' own first. Needs the organization's scope."""
    addresses = dict(queries.credentials_of(project_id).values_list("name", "base_url"))
    now = datetime.now(UTC)
    return [
        _priced(choice, addresses.get(choice.connection, SANDBOX), now)
        for choice in queries.model_choices(project_id)
    ]


def _priced(choice: ModelChoice, connection_kind: str, at: datetime) -> PricedModel:
    model = choice.reference.partition("/")[2]
    found = price(connection_kind, model, Usage(1_000, 1_000), at)
    listed = found.snapshot.get("usd_per_million_tokens", {})
    return PricedModel(
        choice, found.status, listed.get("input"), listed.get("output"), found.snapshot.get("source", "")
    )
