"""Looking at every version that was called in the last hour, once for every five minutes that are over.

A look waits a minute for the calls of its last period to be counted. It reads under the system role, judges
outside every transaction and writes organization by organization. The mark of how far the looking has come
lets only one process look; a look that a killed process leaves undone is made up for by the next one, which
sees the same hour.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.analytics.degradation.metrics import METRICS
from apps.analytics.degradation.rules import CALM_LOOKS, Finding, Rule, judge
from apps.analytics.incidents import services
from apps.analytics.incidents.histories import Span, history_at
from apps.analytics.incidents.models import ClosedBecause, DegradationSetting, Incident
from apps.analytics.incidents.reading import (
    HOUR,
    RECENT,
    Points,
    Watched,
    active_versions,
    counted_until,
    minute_of,
    points_of,
)
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope

EVERY: Final = timedelta(minutes=5)
SETTLING: Final = timedelta(minutes=1)
SETTLED: Final = timedelta(hours=24)
REMEMBERED: Final = timedelta(days=9)
AT_ONCE: Final = 50
_TAKE: Final = """
INSERT INTO analytics_degradationlook (id, until) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET until = excluded.until
WHERE analytics_degradationlook.until < excluded.until RETURNING id
"""

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside roll-ups: rules by project, open incidents, times of those that are over."""

    rules: Mapping[UUID, Rule]
    open: Mapping[tuple[UUID, str], Incident]
    over: Mapping[tuple[UUID, str], Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look says of one metric of one version, worth being written."""

    version: Watched
    finding: Finding
    incident: Incident | None


def look(now: datetime | None = None) -> int:
    """Look at all versions, if five more minutes are over; returns how many were looked at."""
    moment = now or timezone.now()
    until = _newest(moment)
    with system_scope():
        if not _take(until):
            return 0
        versions = active_versions(until)
        known = _known(versions, until)
        # Where counting is far behind, nobody can be taken for quiet.
        counted = counted_until(moment) > until - HOUR
    for start in range(0, len(versions), AT_ONCE):
        _look_at(versions[start : start + AT_ONCE], known, until, moment)
    if counted:
        _close_quiet(versions, known, moment)
    return len(versions)


def _newest(now: datetime) -> datetime:
    settled = now - SETTLING
    return settled.replace(minute=settled.minute - settled.minute % 5, second=0, microsecond=0)


def _take(until: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [until])
        return cursor.fetchone() is not None


def _known(versions: Sequence[Watched], until: datetime) -> Known:
    projects = {each.project_id for each in versions}
    chosen = DegradationSetting.all_organizations.filter(project_id__in=projects)
    still_open = Incident.all_organizations.filter(closed_at__isnull=True)
    over = Incident.all_organizations.filter(
        version_id__in=[each.version_id for each in versions],
        closed_at__gt=until - REMEMBERED,
        closed_because__in=[ClosedBecause.RECOVERED, ClosedBecause.QUIET],
    ).order_by("began_at")
    spans: dict[tuple[UUID, str], list[Span]] = {}
    for each in over:
        span = Span(minute_of(each.began_at), minute_of(each.closed_at or until))
        spans.setdefault((each.version_id, each.metric), []).append(span)
    return Known(
        rules={project_id: Rule(rule) for project_id, rule in chosen.values_list("project_id", "rule")},
        open={(each.version_id, each.metric): each for each in still_open},
        over=spans,
    )


def _look_at(versions: Sequence[Watched], known: Known, until: datetime, now: datetime) -> None:
    began = [known.open[key].began_at for key in known.open if key[0] in {v.version_id for v in versions}]
    # An open incident is measured against the day before it.
    fine_since = min([until, *began]) - RECENT
    with system_scope():
        points = points_of(versions, until, fine_since)
    seen = [
        each
        for version in versions
        for each in _judge(version, points.get(version.version_id, Points()), known, until)
    ]
    for organization_id, some in groupby(seen, key=lambda each: each.version.organization_id):
        _write(organization_id, list(some), until, now)


def _judge(version: Watched, points: Points, known: Known, until: datetime) -> Iterator[Seen]:
    rule = known.rules.get(version.project_id, Rule.STATISTICAL)
    for metric in METRICS:
        key = (version.version_id, metric.key)
        incident = known.open.get(key)
        if incident is None and (rule is Rule.OFF or not points.fine[metric.key]):
            continue
        history = history_at(
            metric,
            points.fine[metric.key],
            points.hourly[metric.key],
            minute_of(until),
            began=minute_of(incident.began_at) if incident else None,
            left_out=known.over.get(key, ()),
        )
        finding = judge(Rule(incident.rule) if incident else rule, metric, history)
        if finding.worse or incident is not None:
            yield Seen(version, finding, incident)


def _write(organization_id: UUID, seen: Sequence[Seen], until: datetime, now: datetime) -> None:
    try:
        with organization_scope(organization_id):
            for each in seen:
                if each.incident is None:
                    _open(each, until, now)
                else:
                    _follow(each.incident, each.finding, until, now)
    except Exception:
        # Whatever it was, the other organizations must not suffer from it; the next look tries again.
        logger.exception("incidents.look_failed", extra={"organization": str(organization_id)})


def _open(seen: Seen, until: datetime, now: datetime) -> None:
    if seen.finding.comparison is None:
        return
    version = seen.version
    services.open_incident(
        project_id=version.project_id,
        prompt_id=version.prompt_id,
        version_id=version.version_id,
        version_number=version.number,
        finding=seen.finding,
        comparison=seen.finding.comparison,
        until=until,
        now=now,
    )


def _follow(incident: Incident, finding: Finding, until: datetime, now: datetime) -> None:
    if services.note_look(incident=incident, finding=finding, until=until) >= CALM_LOOKS:
        services.close_incident(incident=incident, because=ClosedBecause.RECOVERED, now=now)
    elif until - incident.began_at >= SETTLED:
        services.close_incident(incident=incident, because=ClosedBecause.SETTLED, now=now)


def _close_quiet(versions: Sequence[Watched], known: Known, now: datetime) -> None:
    """Close what nobody calls any more."""
    called = {each.version_id for each in versions}
    quiet = [each for each in known.open.values() if each.version_id not in called]
    for incident in sorted(quiet, key=lambda each: (each.organization_id, each.pk)):
        with organization_scope(incident.organization_id):
            services.close_incident(incident=incident, because=ClosedBecause.QUIET, now=now)
