"""What an organization has used."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Sum

from apps.billing import lease_sql, plans
from apps.billing.models import AllowanceLease, Quota, UsageEvent


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """One calendar month of UTC; sandbox runs are apart, since they cost nothing and have no quota.

    `included` and `remaining` are None where the plan has no limit.
    """

    plan: plans.Plan
    period_start: datetime
    period_end: datetime
    included: int | None
    used: int
    sandbox_used: int

    @property
    def remaining(self) -> int | None:
        """How many runs are left this month."""
        return None if self.included is None else max(self.included - self.used, 0)

    @property
    def percent(self) -> int:
        """How much of what is included is used, from 0 to 100, rounded down."""
        return min(100, self.used * 100 // self.included) if self.included else 0


def usage_summary(organization_id: UUID, at: datetime | None = None) -> UsageSummary:
    """This month's usage as the ledger has it, to the last committed run. Needs the organization's scope."""
    moment = at or datetime.now(UTC)
    plan = plans.plan_of(organization_id)
    start = plans.period_start(moment)
    quota = Quota.objects.filter(meter=plans.RUNS, period_start=start).first()
    return UsageSummary(
        plan=plan,
        period_start=start,
        period_end=plans.period_end(moment),
        included=quota.cap if quota else plan.quota(plans.RUNS),
        used=_used(quota) if quota else metered(plans.RUNS, start),
        sandbox_used=metered(plans.SANDBOX_RUNS, start),
    )


def metered(meter: str, since: datetime) -> int:
    """The quantity recorded on a meter since a moment (by the time in the events' ids)."""
    floor = UUID(int=int(since.timestamp() * 1000) << 80)
    events = UsageEvent.objects.filter(meter=meter, id__gte=floor)
    return int(events.aggregate(total=Sum("quantity"))["total"] or 0)


def _used(quota: Quota) -> int:
    """What closed leases have counted, and what is recorded under the open ones."""
    leases = list(AllowanceLease.objects.filter(quota=quota, closed_at=None).values_list("id", flat=True))
    if not leases:
        return quota.used
    events = UsageEvent.objects.filter(
        meter=quota.meter, id__gte=lease_sql.event_floor(leases), lease_id__in=leases
    )
    return quota.used + int(events.aggregate(total=Sum("quantity"))["total"] or 0)
