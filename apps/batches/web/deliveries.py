"""What the page of a new batch says of the ways in which its rows can reach the provider."""

from dataclasses import dataclass
from uuid import UUID

from apps.batches.estimating import Estimate
from apps.batches.planning import Plan
from apps.batches.provider_batches.eligibility import offer_for
from apps.batches.provider_batches.pricing import batch_estimate


@dataclass(frozen=True, slots=True)
class ThroughBatch:
    """A planned batch through the provider's batch endpoint: what it costs, or why it can't go that way."""

    problem: str
    estimate: Estimate | None


def through_batch(project_id: UUID, plan: Plan | None) -> ThroughBatch | None:
    """See ThroughBatch; None without a plan, and for the sandbox, where nobody asks."""
    if plan is None or plan.model.sandbox:
        return None
    offer = offer_for(project_id, plan)
    return ThroughBatch(offer.problem, batch_estimate(plan.variants) if offer.is_possible else None)
