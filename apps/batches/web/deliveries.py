"""What the page of a new batch says of the ways in which its rows can reach the provider."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.batches.estimating import Estimate
from apps.batches.models import Delivery
from apps.batches.planning import Plan
from apps.batches.provider_batches.eligibility import offer_for
from apps.batches.provider_batches.pricing import batch_estimate
from apps.batches.services.starting import BatchOptions


@dataclass(frozen=True, slots=True)
class ThroughBatch:
    """A planned batch through the provider's batch endpoint: what it costs, or why it can't go that way."""

    problem: str
    estimate: Estimate | None


def delivery_words(project_id: UUID, plan: Plan, options: BatchOptions) -> dict[str, Any]:
    """What the estimate says of both ways; what is expected is the cost of the chosen one.

    Nothing for the sandbox, where nobody asks.
    """
    if plan.model.sandbox:
        return {}
    offer = offer_for(project_id, plan, deduplicate=options.deduplicate)
    if not offer.is_possible:
        return {"through_batch": ThroughBatch(offer.problem, None)}
    found = batch_estimate(plan.variants)
    told: dict[str, Any] = {"through_batch": ThroughBatch("", found)}
    if options.delivery == Delivery.PROVIDER_BATCH:
        low = found.low
        is_low = options.cost_cap is not None and low is not None and options.cost_cap < low
        told |= {"expected": found, "cap_is_low": is_low}
    return told
