"""A month of an organization's usage, by day and project, from the ledger. Needs the organization's scope."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncDate

from apps.billing import plans
from apps.billing.models import Quota, UsageEvent

METERS: Final = (plans.RUNS, plans.SANDBOX_RUNS)


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What was used of one meter by one project on one day of UTC; ``project_id`` None has no project."""

    day: date
    project_id: UUID | None
    meter: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ProjectUsage:
    """A project's share of a month."""

    project_id: UUID | None
    runs: int
    sandbox_runs: int


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """A calendar month of UTC. ``included`` is None where the plan has no limit.

    ``until`` is the first day that has not begun yet: the end of the month, or tomorrow.
    """

    plan: plans.Plan
    start: datetime
    end: datetime
    until: date
    included: int | None
    lines: tuple[UsageLine, ...]

    @property
    def used(self) -> int:
        """The runs that count."""
        return self._sum(plans.RUNS)

    @property
    def sandbox_used(self) -> int:
        """The runs on the sandbox, which count nowhere."""
        return self._sum(plans.SANDBOX_RUNS)

    @property
    def percent(self) -> int:
        """How much of what is included is used, rounded down; it may pass 100."""
        return self.used * 100 // self.included if self.included else 0

    @property
    def days(self) -> int:
        """How many days the month has."""
        return (self.end - self.start).days

    @property
    def days_begun(self) -> int:
        """How many of its days have begun."""
        return (self.until - self.start.date()).days

    @property
    def last_day(self) -> date:
        """The month's last day."""
        return (self.end - timedelta(days=1)).date()

    def by_project(self) -> list[ProjectUsage]:
        """The projects that used something, the most first."""
        runs, sandbox = Counter[UUID | None](), Counter[UUID | None]()
        for line in self.lines:
            (runs if line.meter == plans.RUNS else sandbox)[line.project_id] += line.quantity
        found = [ProjectUsage(each, runs[each], sandbox[each]) for each in runs.keys() | sandbox.keys()]
        return sorted(found, key=lambda each: (-each.runs, -each.sandbox_runs, str(each.project_id)))

    def running_total(self) -> Iterator[tuple[date, int, int]]:
        """Every day that has begun: the day, its runs, the runs of the month until its end."""
        by_day = Counter[date]()
        for line in self.lines:
            if line.meter == plans.RUNS:
                by_day[line.day] += line.quantity
        total = 0
        for number in range(self.days_begun):
            day = self.start.date() + timedelta(days=number)
            total += by_day[day]
            yield day, by_day[day], total

    def _sum(self, meter: str) -> int:
        return sum(line.quantity for line in self.lines if line.meter == meter)


def month_usage(organization_id: UUID, month: datetime) -> MonthUsage:
    """The month that a moment lies in; two queries, whatever the number of events."""
    start, end = plans.period_start(month), plans.period_end(month)
    plan = plans.plan_of(organization_id)
    quota = Quota.objects.filter(meter=plans.RUNS, period_start=start).first()
    return MonthUsage(
        plan=plan,
        start=start,
        end=end,
        until=min(end, datetime.now(UTC) + timedelta(days=1)).date(),
        included=quota.cap if quota else plan.quota(plans.RUNS),
        lines=tuple(_lines(start, end)),
    )


def months_since(organization_created: datetime, now: datetime, most: int = 13) -> list[datetime]:
    """The starts of the months that can be looked at, the newest first."""
    months = [plans.period_start(now)]
    while len(months) < most and months[-1] > organization_created:
        months.append(plans.period_start(months[-1] - timedelta(days=1)))
    return months


def _lines(start: datetime, end: datetime) -> Iterator[UsageLine]:
    events = UsageEvent.objects.filter(meter__in=METERS, id__gte=_floor(start), id__lt=_floor(end))
    rows = (
        events.annotate(day=TruncDate("occurred_at", tzinfo=UTC))
        .values_list("day", "project_id", "meter")
        .annotate(quantity=Sum("quantity"))
        .order_by("day", "project_id", "meter")
    )
    first, last = start.date(), (end - timedelta(days=1)).date()
    for day, project_id, meter, quantity in rows:
        # An event is recorded a moment after it occurred: the month is that of its id.
        yield UsageLine(min(max(day, first), last), project_id, meter, int(quantity))


def _floor(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80)
