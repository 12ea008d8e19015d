"""Which batches can go through their provider's batch endpoint, and in what words others are refused."""

from dataclasses import dataclass
from uuid import UUID

from apps.batches.planning import Plan
from apps.batches.work import RowWork
from apps.core.errors import InvalidRequest
from apps.guardrails.policy import OFF
from apps.providers.batches import offers_batches
from apps.providers.queries import effective_credentials


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether a planned batch can be delivered so; `problem` says why not, and is empty where it can."""

    problem: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether it can be chosen."""
        return not self.problem


def offer_for(project_id: UUID, plan: Plan, *, deduplicate: bool = False) -> Offer:
    """Look at every variant's connection, at the way of work and at the guardrails; two queries."""
    if any(variant.model.sandbox for variant in plan.variants):
        return Offer("The sandbox answers at once and has no batch endpoint.")
    if not isinstance(plan.work, RowWork):
        return Offer("Only batches of one call a row go through a provider's batch endpoint.")
    if deduplicate:
        return Offer("Equal rows can't be answered once there; choose one of the two.")
    if any(_judges_input(variant.prompt.serving.guardrails) for variant in plan.variants):
        return Offer("A guardrail asks a judge about each row first, which only direct calls can do.")
    known = {each.name: offers_batches(each) for each in effective_credentials(project_id)}
    for variant in plan.variants:
        name = variant.model.reference.partition("/")[0]
        if not known.get(name):
            return Offer(_words(name, known.get(name)))
    return Offer()


def demand_offer(project_id: UUID, plan: Plan, *, deduplicate: bool = False) -> None:
    """Raise InvalidRequest (code delivery_unavailable) for a batch that can't go that way."""
    offer = offer_for(project_id, plan, deduplicate=deduplicate)
    if offer.problem:
        raise InvalidRequest(offer.problem, code="delivery_unavailable", param="delivery")


def _words(name: str, told: bool | None) -> str:
    if told is False:
        return f"The connection '{name}' has no batch endpoint."
    return f"Nobody knows yet whether the connection '{name}' has a batch endpoint. Test it under Providers."


def _judges_input(policy: object) -> bool:
    if policy is OFF:
        return False
    judge = getattr(policy, "judge", None)
    return judge is not None and bool(judge.judges("input"))
