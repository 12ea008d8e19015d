"""What a call of a prompt will about use and cost, before it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.providers import tokens
from apps.providers.catalogue import price_book
from apps.providers.types import Usage


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """Approximate input tokens, the most that an answer may have (None: the prompt sets no limit), and US
    dollars for an answer of one token and for the longest; `status` as in ``pricing.Price``."""

    input_tokens: int
    output_limit: int | None
    status: str
    low: Decimal | None
    high: Decimal | None


def estimate_call(
    project_id: UUID, model: str, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
) -> CallEstimate:
    """An estimate for rendered messages. `model` is ``<connection>/<model id>``, or empty: then no price.

    Needs the organization's scope.
    """
    counted = tokens.count_messages([dict(message) for message in messages], model.partition("/")[2])
    given = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    limit = given if isinstance(given, int) else None
    if not model:
        return CallEstimate(counted, limit, "none", None, None)
    book = price_book(project_id)
    now = datetime.now(UTC)
    low = book.price(model, Usage(counted, 1), now)
    high = book.price(model, Usage(counted, limit), now).amount if limit else None
    return CallEstimate(counted, limit, low.status, low.amount, high)
