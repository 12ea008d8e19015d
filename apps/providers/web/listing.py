"""The lists of connections, aliases and own prices: their columns, filters and files."""

from dataclasses import dataclass
from typing import Final

from django.db.models import F
from django.db.models.functions import Lower
from django.utils import timezone

from apps.core.tables import Column, Filter, Table, register
from apps.providers import queries
from apps.providers.batches import offers_batches
from apps.providers.models import ModelAlias, PriceOverride, ProviderAPI, ProviderCredential
from apps.providers.price_rules import plain_amount

SERVES: Final = [(queries.THIS_PROJECT, "This project"), (queries.EVERY_PROJECT, "Every project")]
TESTS: Final = [
    (queries.TEST_PASSED, "Answers"),
    (queries.TEST_FAILED, "Failed"),
    (queries.TEST_NEVER, "Never tested"),
]
STATES: Final = [
    (queries.PRICE_HOLDS, "Holds now"),
    (queries.PRICE_COMING, "Not yet"),
    (queries.PRICE_ENDED, "Ended"),
]


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection in the list; `replaced` where the project's own of the same name stands before it."""

    credential: ProviderCredential
    replaced: bool

    @property
    def every_project(self) -> bool:
        """Whether it serves every project of the organization."""
        return self.credential.project_id is None

    @property
    def masked_key(self) -> str:
        """All that is ever told of the key."""
        return "none" if self.credential.sealed_key is None else f"••••{self.credential.key_hint}"

    @property
    def test(self) -> str:
        """How the last test call ended, as the filter names it."""
        if self.credential.tested_at is None:
            return queries.TEST_NEVER
        return queries.TEST_PASSED if self.credential.test_passed else queries.TEST_FAILED

    @property
    def batches(self) -> str:
        """Whether batches can go through the provider's batch endpoint."""
        return {True: "yes", False: "no", None: "unknown"}[offers_batches(self.credential)]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """An own price in the list, amounts as plain digits; without its own, cached input costs as input."""

    price: PriceOverride
    state: str

    @property
    def every_project(self) -> bool:
        """Whether it holds for every project of the organization."""
        return self.price.project_id is None

    @property
    def input(self) -> str:
        """US dollars for a million tokens."""
        return plain_amount(self.price.input_price)

    @property
    def cached_input(self) -> str | None:
        """US dollars for a million tokens; None where it costs as other input."""
        amount = self.price.cached_input_price
        return None if amount is None else plain_amount(amount)

    @property
    def batch_discount(self) -> str | None:
        """Percent; None where it is what the provider publishes."""
        percent = self.price.batch_discount
        return None if percent is None else plain_amount(percent)

    @property
    def output(self) -> str:
        """US dollars for a million tokens."""
        return plain_amount(self.price.output_price)


def _connections(credentials: list[ProviderCredential]) -> list[ConnectionRow]:
    return [ConnectionRow(each, replaced=bool(getattr(each, "replaced", False))) for each in credentials]


def _prices(overrides: list[PriceOverride]) -> list[PriceRow]:
    now = timezone.now()
    return [PriceRow(each, queries.price_state(each, now)) for each in overrides]


@dataclass(frozen=True, slots=True)
class AliasRow:
    """An alias in the list; `replaced` where the project's own of the same name stands before it."""

    alias: ModelAlias
    replaced: bool

    @property
    def every_project(self) -> bool:
        """Whether it holds for every project of the organization."""
        return self.alias.project_id is None


def _aliases(aliases: list[ModelAlias]) -> list[AliasRow]:
    return [AliasRow(each, replaced=bool(getattr(each, "replaced", False))) for each in aliases]


def _serves(row: ConnectionRow | PriceRow | AliasRow) -> str:
    return "every project" if row.every_project else "this project"


CONNECTIONS: Final = register(
    Table[ProviderCredential, ConnectionRow](
        key="connections",
        prefix=ProviderCredential.PREFIX,
        noun=("connection", "connections"),
        search="Search connections",
        default_sort="name",
        prepare=_connections,
        filters=(
            Filter("api", "Speaks", ProviderAPI.choices),
            Filter("serves", "Serves", SERVES),
            Filter("test", "Last test", TESTS),
        ),
        columns=(
            Column("id", "Id", lambda row: row.credential.public_id, export_only=True),
            Column("name", "Name", lambda row: row.credential.name, sort=Lower("name"), always=True),
            Column("api", "Speaks", lambda row: row.credential.api, export_only=True),
            Column("base_url", "Base URL", lambda row: row.credential.base_url, export_only=True),
            Column("serves", "Serves", _serves, export_only=True),
            Column("replaced", "Replaced here", lambda row: row.replaced, export_only=True),
            Column("key", "Key", lambda row: row.masked_key),
            Column("headers", "Headers", lambda row: len(row.credential.header_names), export_only=True),
            Column(
                "models",
                "Enabled models",
                lambda row: row.credential.model_ids,
                sort=F("model_ids__len"),
                downwards=True,
            ),
            Column("health", "Health", lambda row: "", page_only=True),
            Column("test", "Result of the last test", lambda row: row.test, export_only=True),
            Column(
                "tested",
                "Last test",
                lambda row: row.credential.tested_at,
                sort="tested_at",
                nullable=True,
                downwards=True,
            ),
            Column("batches", "Batch endpoint", lambda row: row.batches),
            Column("told", "What the test told", lambda row: row.credential.test_message, export_only=True),
            Column(
                "made",
                "Made",
                lambda row: row.credential.created_at,
                sort="id",
                downwards=True,
                default=False,
            ),
        ),
    )
)

PRICES: Final = register(
    Table[PriceOverride, PriceRow](
        key="prices",
        prefix=PriceOverride.PREFIX,
        noun=("own price", "own prices"),
        search="Search own prices",
        default_sort="model",
        prepare=_prices,
        filters=(Filter("state", "State", STATES), Filter("serves", "Holds for", SERVES)),
        columns=(
            Column("id", "Id", lambda row: row.price.public_id, export_only=True),
            Column("model", "Model", lambda row: row.price.pattern, sort="pattern", always=True),
            Column("state", "State", lambda row: row.state, export_only=True),
            Column("input", "Input", lambda row: row.input, sort="input_price", numeric=True, downwards=True),
            Column(
                "cached_input",
                "Cached input",
                lambda row: row.cached_input or "as input",
                sort="cached_input_price",
                nullable=True,
                numeric=True,
                downwards=True,
            ),
            Column(
                "output", "Output", lambda row: row.output, sort="output_price", numeric=True, downwards=True
            ),
            Column(
                "batch_discount",
                "Batch discount",
                lambda row: row.batch_discount or "as published",
                sort="batch_discount",
                nullable=True,
                numeric=True,
                downwards=True,
                default=False,
            ),
            Column("starts", "From", lambda row: row.price.starts_at, sort="starts_at", downwards=True),
            Column(
                "ends", "Up to", lambda row: row.price.ends_at, sort="ends_at", nullable=True, downwards=True
            ),
            Column("serves", "Holds for", _serves),
            Column(
                "made", "Made", lambda row: row.price.created_at, sort="id", downwards=True, default=False
            ),
        ),
    )
)

ALIASES: Final = register(
    Table[ModelAlias, AliasRow](
        key="aliases",
        prefix=ModelAlias.PREFIX,
        noun=("alias", "aliases"),
        search="Search aliases",
        default_sort="name",
        prepare=_aliases,
        filters=(Filter("serves", "Holds for", SERVES),),
        columns=(
            Column("id", "Id", lambda row: row.alias.public_id, export_only=True),
            Column("name", "Name", lambda row: row.alias.name, sort=Lower("name"), always=True),
            Column("target", "Stands for", lambda row: row.alias.target, sort=Lower("target")),
            Column("serves", "Holds for", _serves),
            Column("replaced", "Replaced here", lambda row: row.replaced, export_only=True),
            Column("reason", "Reason", lambda row: row.alias.reason),
            Column("by", "Made by", lambda row: row.alias.created_by, default=False),
            Column("made", "Made", lambda row: row.alias.created_at, sort="id", downwards=True),
        ),
    )
)
