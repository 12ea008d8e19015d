"""Which models ran without a known price lately: what the page of prices asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone

from apps.runs.models import Run
from apps.runs.queries import first_id_of

DAYS: Final = 30
MOST_MODELS: Final = 100


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model, `<connection>/<model id>`, with its runs of the last 30 days whose price is unknown.

    `without_usage` of them are so because the provider reported no tokens: a price would not have helped.
    """

    model: str
    runs: int
    without_usage: int
    last_at: datetime


def unpriced_models(project_id: UUID) -> list[UnpricedModel]:
    """The project's models with runs of unknown price, the most used first; at most 100. One query."""
    since = timezone.now() - timedelta(days=DAYS)
    found = (
        Run.objects.filter(project_id=project_id, pk__gte=first_id_of(since), price_status="unknown")
        .values("model")
        .annotate(
            runs=Count("pk"),
            without_usage=Count("pk", filter=Q(input_tokens__isnull=True) | Q(output_tokens__isnull=True)),
            last_at=Max("created_at"),
        )
        .order_by("-runs", "model")[:MOST_MODELS]
    )
    return [UnpricedModel(**row) for row in found]
