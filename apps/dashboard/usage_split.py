"""A month's runs by prompt, API key or model, with what they cost. Needs the organization's scope.

The ledger counts what is charged; these figures come from the runs themselves, which know their price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from apps.runs.models import Run
from apps.runs.queries import first_id_of
from apps.tenants.models import APIKey

MOST: Final = 20
FIELDS: Final = {"prompt": ("prompt_id", "prompt_name"), "key": ("api_key_id",), "model": ("model",)}


@dataclass(frozen=True, slots=True)
class SplitLine:
    """One prompt, key or model; ``cost`` sums the priced runs, ``unpriced`` counts those of unknown price."""

    name: str
    runs: int
    tokens: int
    cost: Decimal | None
    unpriced: int


def split(by: str, start: datetime, end: datetime) -> list[SplitLine]:
    """The lines with the most runs, at most 20; sandbox runs are left out. ``by`` is a key of ``FIELDS``."""
    fields = FIELDS[by]
    runs = Run.objects.filter(pk__gte=first_id_of(start), pk__lt=first_id_of(end), sandbox=False)
    rows = (
        runs.values(*fields)
        .annotate(
            runs=Count("id"),
            tokens=Coalesce(Sum("input_tokens"), 0) + Coalesce(Sum("output_tokens"), 0),
            cost=Sum("price_amount", filter=Q(price_status="priced")),
            unpriced=Count("id", filter=Q(price_status="unknown")),
        )
        .order_by("-runs", *fields)[:MOST]
    )
    found = list(rows)
    keys = _key_names([row["api_key_id"] for row in found]) if by == "key" else {}
    return [
        SplitLine(_name(by, row, keys), row["runs"], row["tokens"], row["cost"], row["unpriced"])
        for row in found
    ]


def _key_names(key_ids: Sequence[UUID | None]) -> dict[UUID, str]:
    return dict(APIKey.objects.filter(pk__in=[each for each in key_ids if each]).values_list("pk", "name"))


def _name(by: str, row: dict[str, object], keys: dict[UUID, str]) -> str:
    if by == "model":
        return str(row["model"])
    if by == "prompt":
        return str(row["prompt_name"]) or "Without a prompt"
    key_id = row["api_key_id"]
    if not isinstance(key_id, UUID):
        return "Dashboard: batches and playground"
    return keys.get(key_id, "A deleted key")
