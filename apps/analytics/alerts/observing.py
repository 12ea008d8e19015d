"""What a rule sees at given moments: the same for a live evaluation and for the past week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from apps.analytics import metrics, periods, queries
from apps.analytics.alerts.evaluation import Observation
from apps.analytics.alerts.models import AlertKind
from apps.analytics.alerts.spec import RuleSpec
from apps.analytics.alerts.windows import Points, sliding_sums
from apps.analytics.incidents import queries as incidents
from apps.analytics.incidents.models import Incident
from apps.analytics.metrics import METRICS, Sums, Value
from apps.analytics.periods import Period

REPLAYED: Final = timedelta(days=7)
# Calls end, and are counted, a little after the period that they belong to.
SETTLING: Final = timedelta(minutes=1)
_PLACES: Final = Decimal("1e-10")
_FARTHEST: Final = Decimal(10) ** 17


def newest_step(spec: RuleSpec, until: datetime, now: datetime) -> datetime:
    """The newest moment that a rule can be looked at, where calls are counted up to `until`."""
    return periods.floor(min(until, now - SETTLING), spec.grain)


def steps_of_week(spec: RuleSpec, newest: datetime) -> list[datetime]:
    """The moments of the past week at which a rule would have been looked at, in the order of time."""
    length = periods.LENGTHS[spec.grain]
    return [newest - length * number for number in range(REPLAYED // length - 1, -1, -1)]


def observe(project_id: UUID, spec: RuleSpec, steps: Sequence[datetime], now: datetime) -> list[Observation]:
    """What the rule sees at each of the rising moments. Two statements at most. Needs the scope."""
    if spec.kind == AlertKind.DEGRADATION:
        return _incidents(project_id, spec, steps)
    seen, before = _windows(project_id, spec, steps, now)
    if before is None:
        return [_plain(spec, at, sums) for at, sums in zip(steps, seen, strict=True)]
    return [_change(spec, at, sums, then) for at, sums, then in zip(steps, seen, before, strict=True)]


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric in a rule's window up to a moment, and in the time that it is compared with."""

    at: datetime
    value: Value
    before: Value = None


def measure(project_id: UUID, spec: RuleSpec, steps: Sequence[datetime], now: datetime) -> list[Measured]:
    """The metric itself at each of the rising moments, for drawing. One statement. Needs the scope."""
    seen, before = _windows(project_id, spec, steps, now)
    values = [metrics.value(spec.metric, sums) for sums in seen]
    if before is None:
        return [Measured(at, value) for at, value in zip(steps, values, strict=True)]
    earlier = [metrics.value(spec.metric, sums) for sums in before]
    return [Measured(*each) for each in zip(steps, values, earlier, strict=True)]


def _windows(
    project_id: UUID, spec: RuleSpec, steps: Sequence[datetime], now: datetime
) -> tuple[list[Sums], list[Sums] | None]:
    reach = spec.window + (spec.shift or timedelta(0))
    points = _points(project_id, spec, steps[0] - reach, steps[-1], now)
    seen = sliding_sums(points, steps, spec.window)
    if spec.shift is None:
        return seen, None
    return seen, sliding_sums(points, [at - spec.shift for at in steps], spec.window)


def sample_of(metric: str, sums: Sums) -> int:
    """How many calls a metric's value is about."""
    if metric.startswith("latency_"):
        return sum(sums.latency.values())
    if metric == "satisfaction":
        return sums.feedback_count
    if metric == "cost_per_request":
        return sums.priced + sums.free
    return sums.requests


def exact(value: Value) -> Decimal | None:
    """A figure as the rule's row keeps it; what no row can hold is as far away as one can."""
    if value is None:
        return None
    return max(-_FARTHEST, min(_FARTHEST, Decimal(str(value)))).quantize(_PLACES)


def changed_by(metric: str, now: Value, before: Value) -> Decimal | None:
    """A change in percent of what was; of shares in percentage points. None without anything to compare."""
    if now is None or before is None:
        return None
    difference = Decimal(str(now)) - Decimal(str(before))
    if METRICS[metric].unit == "share":
        return exact(difference * 100)
    return exact(difference / Decimal(str(before)) * 100) if before else None


def _points(project_id: UUID, spec: RuleSpec, start: datetime, end: datetime, now: datetime) -> Points:
    period = Period(start, end, spec.grain, end, now)
    asked = queries.Asked(project_id, period, spec.scope.filters(), sandbox=spec.scope.sandbox)
    return queries.load_sums(asked, need=metrics.needed([spec.metric])).get("", {})


def _plain(spec: RuleSpec, at: datetime, sums: Sums) -> Observation:
    value = exact(metrics.value(spec.metric, sums))
    return Observation(at, value, sample_of(spec.metric, sums))


def _change(spec: RuleSpec, at: datetime, now: Sums, before: Sums) -> Observation:
    value = changed_by(spec.metric, metrics.value(spec.metric, now), metrics.value(spec.metric, before))
    samples = [sample_of(spec.metric, before)]
    if METRICS[spec.metric].unit != "count":
        samples.append(sample_of(spec.metric, now))
    return Observation(at, value, min(samples))


def _incidents(project_id: UUID, spec: RuleSpec, steps: Sequence[datetime]) -> list[Observation]:
    """How many incidents were open at each moment, and whether one of them opened since the one before."""
    found = incidents.between(project_id, steps[0], steps[-1], prompt_id=spec.scope.prompt_id)
    length = periods.LENGTHS[spec.grain]
    return [_open_at(found, at, at - length) for at in steps]


def _open_at(found: Sequence[Incident], at: datetime, before: datetime) -> Observation:
    lasting = [each for each in found if each.is_open_at(at)]
    fresh = any(each.opened_at > before for each in lasting)
    return Observation(at, Decimal(len(lasting)), len(lasting), fresh)
