"""What an incident's metric did: the hours around it, or its whole time."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from apps.analytics import periods, queries
from apps.analytics.dimensions import Filters
from apps.analytics.incidents.models import Incident
from apps.analytics.incidents.words import figure_key
from apps.analytics.metrics import METRICS
from apps.analytics.models import Grain
from apps.analytics.web.charts import UNITS
from apps.analytics.web.clock import short_day
from apps.core.charts import Chart, Kind, Mark, Series, Unit

BEFORE: Final = timedelta(hours=2)
AFTER: Final = timedelta(minutes=30)
# So long it is drawn by five minutes, then by the hour.
FINE: Final = timedelta(hours=6)


def chart_of(incident: Incident, now: datetime) -> Chart:
    """The metric of the version around the incident, with what was usual as a line. One statement."""
    metric = METRICS[figure_key(incident.metric)]
    found = queries.series(
        queries.Asked(incident.project_id, _period(incident, now), Filters(versions=(incident.version_id,))),
        [metric.key, "requests"],
    )
    line = found.lines[0] if found.lines else None
    points = line.points if line else ()
    starts = [point.starts_at for point in points]
    local = [timezone.localtime(each) for each in starts]
    fine = found.period.interval == Grain.FIVE_MINUTES
    return Chart(
        f"{metric.words} of v{incident.version_number}",
        heads=[f"{each:%H:%M}" if fine else f"{short_day(each)}, {each:%H:%M}" for each in local],
        series=[Series(metric.words, [point.figures[metric.key] for point in points])],
        beside=[Series("Requests", [point.figures["requests"] for point in points], unit=Unit.COUNT)],
        unit=UNITS[metric.unit],
        kind=Kind.LINES,
        period="Five minutes from" if fine else "Hour from",
        meta="every five minutes" if fine else "by the hour",
        limit=incident.before_value,
        limit_name="usual",
        marks=_marks(incident, starts),
        exact_heads=[f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for each in starts],
    )


def _period(incident: Incident, now: datetime) -> periods.Period:
    start = incident.began_at - BEFORE
    end = min(now, (incident.closed_at or now) + AFTER)
    age = now - start
    interval = periods.automatic_interval(end - start, age)
    if interval == Grain.FIVE_MINUTES and end - start > FINE:
        interval = Grain.HOUR
    return periods.between(start, end, now, interval)


def _marks(incident: Incident, starts: list[datetime]) -> list[Mark]:
    moments = [(incident.opened_at, "opened"), (incident.closed_at, "closed")]
    marks: dict[int, str] = {}
    for moment, word in moments:
        before = [index for index, start in enumerate(starts) if moment is not None and start <= moment]
        if before:
            marks[before[-1]] = word
    return [Mark(index, word) for index, word in sorted(marks.items())]
