"""What a rule saw in the past week, hour by hour, with the line from which it fires."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from apps.analytics.alerts import words
from apps.analytics.alerts.models import AlertKind, ComparedWith, Comparison
from apps.analytics.alerts.observing import measure
from apps.analytics.alerts.replaying import WouldHave
from apps.analytics.alerts.spec import RuleSpec, watched_metric
from apps.analytics.models import Grain
from apps.analytics.queries import Figures, Point
from apps.analytics.web.clock import clock_of
from apps.core.charts import Chart, Kind, Mark, Series, Unit
from apps.tenants.models import Project

MOST_MARKS: Final = 6
HOUR: Final = timedelta(hours=1)

Item = TypeVar("Item")


def chart_of(project: Project, spec: RuleSpec, found: WouldHave, now: datetime) -> Chart | None:
    """The chart of a rule that follows figures; None for a quota and for incidents."""
    if spec.kind == AlertKind.CHANGE:
        return _against(project, spec, found, now)
    metric = watched_metric(spec)
    if metric is None and spec.kind != AlertKind.NO_DATA:
        return None
    falls = spec.limits.comparison == Comparison.BELOW
    hours = _by_hour(found.observations, lambda each: each.at)
    worst = [_worst([each.value for each in hour], least=falls) for _, hour in hours]
    name = metric.words if metric else "Requests"
    side = "Lowest" if falls else "Highest"
    return _chart(
        f"{name} over {words.window_words(spec.window_minutes)}",
        [at for at, _ in hours],
        [Series(name, worst)],
        words.unit_of(spec),
        found,
        meta=f"{side} of each hour, last 7 days" if found.every < HOUR else "Last 7 days",
        limit=None if spec.kind == AlertKind.NO_DATA else spec.value,
    )


def _against(project: Project, spec: RuleSpec, found: WouldHave, now: datetime) -> Chart | None:
    """The metric beside what it is compared with, and how far it may go from there."""
    metric = watched_metric(spec)
    if metric is None or spec.value is None:
        return None
    steps = [each.at for each in found.observations if each.at.minute == 0]
    measured = measure(project.id, spec, steps, now)
    before = [each.before for each in measured]
    far = [_limit(spec, each) for each in before]
    return _chart(
        f"{metric.words} over {words.window_words(spec.window_minutes)}",
        steps,
        [Series(metric.words, [each.value for each in measured], previous=before), Series("Alert from", far)],
        words.unit_of(spec),
        found,
        meta="Last 7 days, by the hour",
        compared=ComparedWith(spec.compared_with).label,
    )


def _limit(spec: RuleSpec, before: object) -> float | None:
    if before is None or spec.value is None:
        return None
    metric = watched_metric(spec)
    base = float(str(before))
    if metric is not None and metric.unit == "share":
        return max(0.0, base + float(spec.value) / 100)
    return max(0.0, base * (1 + float(spec.value) / 100))


def _chart(
    title: str,
    ends: Sequence[datetime],
    series: Sequence[Series],
    unit: Unit,
    found: WouldHave,
    *,
    meta: str,
    compared: str = "",
    limit: Decimal | None = None,
) -> Chart:
    clock = clock_of([Point(each, Figures()) for each in ends], Grain.HOUR)
    fired = _places(ends, found.replay.moments)
    return Chart(
        title,
        heads=clock.heads,
        series=series,
        unit=unit,
        kind=Kind.LINES,
        period="Up to",
        missing="no data",
        meta=meta,
        compared=compared,
        marks=[Mark(place, "fired") for place in fired] if len(fired) <= MOST_MARKS else [],
        limit=float(limit) if limit is not None else None,
        limit_name="alert",
        axis=clock.axis,
        exact_heads=clock.exact,
    )


def _by_hour(items: Iterable[Item], moment: Callable[[Item], datetime]) -> list[tuple[datetime, list[Item]]]:
    """Items by the end of the hour that they lie in: 13:05 to 14:00 end at 14:00."""
    hours: dict[datetime, list[Item]] = {}
    for each in items:
        at = moment(each)
        floor = at.replace(minute=0, second=0, microsecond=0)
        hours.setdefault(floor if at == floor else floor + HOUR, []).append(each)
    return sorted(hours.items(), key=lambda pair: pair[0])


def _worst(values: Sequence[Decimal | None], *, least: bool) -> Decimal | None:
    known = [each for each in values if each is not None]
    if not known:
        return None
    return min(known) if least else max(known)


def _places(ends: Sequence[datetime], moments: Sequence[datetime]) -> list[int]:
    """In which of the rising ends' hours the moments lie, each once."""
    found = (next((place for place, end in enumerate(ends) if moment <= end), None) for moment in moments)
    return sorted({place for place in found if place is not None})
