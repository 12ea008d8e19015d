"""Where an incident shows: the version's models and its errors, since it began and in the day before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.analytics import periods, queries
from apps.analytics.dimensions import Filters
from apps.analytics.incidents.models import Incident
from apps.analytics.incidents.words import figure_key
from apps.analytics.models import Grain
from apps.analytics.queries import Row, Summary
from apps.analytics.wording import format_value, missing
from apps.core.formatting import format_percent

DAY: Final = timedelta(days=1)
MOST: Final = 6
ABOUT_ERRORS: Final = ("error_rate", "schema_failures")


@dataclass(frozen=True, slots=True)
class Part:
    """One model's metric, or one error's share of all calls, in words; `calls` since it began."""

    name: str
    before: str
    now: str
    calls: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The models, if there are several, and for errors their codes."""

    models: list[Part]
    errors: list[Part]


def parts_of(incident: Incident, now: datetime) -> Parts:
    """What the metric was by model, and by error where it is about errors. Needs the scope."""
    end = incident.closed_at or now
    since, rows = _by_model(incident, incident.began_at, max(end, incident.looked_until), now)
    before, rows_before = _by_model(incident, incident.began_at - DAY, incident.began_at, now)
    errors = _errors(since, before) if incident.metric in ABOUT_ERRORS else []
    models = _models(figure_key(incident.metric), rows, rows_before)
    return Parts(models if len(models) > 1 else [], errors)


def _by_model(
    incident: Incident, start: datetime, end: datetime, now: datetime
) -> tuple[Summary, tuple[Row, ...]]:
    fine = now - start < periods.KEPT[Grain.FIVE_MINUTES]
    grain = Grain.FIVE_MINUTES if fine and end - start < 2 * DAY else Grain.HOUR
    period = periods.between(start, min(end, now), now, grain)
    asked = queries.Asked(incident.project_id, period, Filters(versions=(incident.version_id,)))
    return queries.summary_by(asked, "model", [figure_key(incident.metric)], most=MOST)


def _models(metric: str, rows: tuple[Row, ...], before: tuple[Row, ...]) -> list[Part]:
    usual = {row.group.name: row for row in before}
    names = list(dict.fromkeys([row.group.name for row in (*rows, *before)]))
    current = {row.group.name: row for row in rows}
    return [
        Part(
            name,
            _words(metric, usual.get(name)),
            _words(metric, current.get(name)),
            current[name].total.requests if name in current else 0,
        )
        for name in names
    ]


def _words(metric: str, row: Row | None) -> str:
    if row is None:
        return "no calls"
    value = row.total[metric]
    return missing(metric, row.total.sums) if value is None else format_value(metric, value)


def _errors(since: Summary, before: Summary) -> list[Part]:
    calls, calls_before = since.total.requests, before.total.requests
    usual = dict(before.errors)
    return [
        Part(
            code,
            format_percent(usual.get(code, 0) / calls_before) if calls_before else "no calls",
            format_percent(count / calls),
            count,
        )
        for code, count in since.errors[:MOST]
        if calls
    ]
