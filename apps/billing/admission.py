"""What an organization's plan allows: the entitlement port of core is wired to `can`."""

from uuid import UUID

from apps.billing import plans, queries


def can(organization_id: UUID, feature: str, amount: int) -> bool:
    """Whether the plan allows `amount` more of `feature`. Needs the organization's scope.

    For `runs` this is a look, not a reservation: what admits a run is `allowance.AllowanceBook`. The free
    plan limits nothing else.
    """
    if feature != plans.RUNS or plans.plan_of(organization_id).quota(plans.RUNS) is None:
        return True
    remaining = queries.usage_summary(organization_id).remaining
    return remaining is None or remaining >= amount
