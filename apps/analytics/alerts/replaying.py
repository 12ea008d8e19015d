"""“Would have fired n times last week”: the evaluation itself, walked over what the roll-ups have."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from apps.analytics import freshness
from apps.analytics.alerts.evaluation import Observation, Replay, crossed_levels, replay
from apps.analytics.alerts.models import AlertKind
from apps.analytics.alerts.observing import REPLAYED, newest_step, observe, steps_of_week
from apps.analytics.alerts.spec import RuleSpec, watched_metric
from apps.billing import plans
from apps.billing.queries import metered, usage_summary
from apps.tenants.models import Project


@dataclass(frozen=True, slots=True)
class WouldHave:
    """What a rule would have done from `start` to `end`, and what it would have seen."""

    start: datetime
    end: datetime
    replay: Replay
    observations: tuple[Observation, ...] = ()
    every: timedelta = timedelta(minutes=5)

    @property
    def largest(self) -> Decimal | None:
        """The largest value that was seen; None where nothing could be measured."""
        return max((each.value for each in self.observations if each.value is not None), default=None)

    @property
    def smallest(self) -> Decimal | None:
        """The smallest value that was seen; None where nothing could be measured."""
        return min((each.value for each in self.observations if each.value is not None), default=None)


def would_have_fired(project: Project, spec: RuleSpec, now: datetime) -> WouldHave:
    """Replay a rule over the past week as if it had been there, neither muted nor acknowledged.

    Three statements at most, whatever the week holds. Needs the organization's scope.
    """
    newest = newest_step(spec, freshness.rolled_up_until(), now)
    if spec.kind == AlertKind.QUOTA:
        return WouldHave(now - REPLAYED, now, _quota_replay(project, spec, now))
    steps = steps_of_week(spec, newest)
    seen = observe(project.id, spec, steps, now)
    every = steps[1] - steps[0]
    return WouldHave(steps[0], newest, replay(spec.limits, seen), tuple(seen), every)


def measures_something(spec: RuleSpec) -> bool:
    """Whether the rule follows a metric, so that its past can be drawn."""
    return watched_metric(spec) is not None or spec.kind == AlertKind.NO_DATA


def _quota_replay(project: Project, spec: RuleSpec, now: datetime) -> Replay:
    """How many levels were passed in the week: of this month, and of the one that ended in it."""
    usage = usage_summary(project.organization_id, now)
    if not usage.included:
        return Replay()
    start = now - REPLAYED
    since_start = metered(plans.RUNS, start)
    if start >= usage.period_start:
        before = max(0, usage.used - since_start)
        passed = len(_passed(spec, before, usage.used, usage.included))
        return Replay(alerts=passed, mails=min(passed, 1) if passed else 0, known=1, steps=1)
    earlier = plans.period_start(start)
    since_earlier, this_month = metered(plans.RUNS, earlier), metered(plans.RUNS, usage.period_start)
    passed = len(_passed(spec, 0, usage.used, usage.included))
    passed += len(_passed(spec, since_earlier - since_start, since_earlier - this_month, usage.included))
    return Replay(alerts=passed, mails=passed, known=1, steps=1)


def _passed(spec: RuleSpec, before: int, after: int, cap: int) -> tuple[int, ...]:
    already = crossed_levels(spec.levels, before, cap, ())
    return crossed_levels(spec.levels, after, cap, already)
