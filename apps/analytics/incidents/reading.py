"""What the looking reads of roll-ups: every version's points, a few statements for many versions.

Under the system role, since one look is at all organizations at once. Only real runs of saved versions count:
the sandbox can't get worse, and a call without a version has no past of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from apps.analytics.degradation.metrics import (
    COST,
    ERROR_RATE,
    FEEDBACK,
    LATENCY,
    METRICS,
    SCHEMA_FAILURES,
    Point,
)
from apps.analytics.histograms import value_sql
from apps.analytics.models import Grain

HOUR: Final = timedelta(hours=1)
RECENT: Final = timedelta(hours=25)
WEEK: Final = timedelta(days=7)

# Roll-ups are found by their period alone, of which there is an index over all organizations.
_ACTIVE: Final = """
SELECT DISTINCT segment.organization_id, segment.project_id, segment.prompt_id, segment.version_id,
    segment.version_number
FROM analytics_rollup AS rollup
JOIN analytics_segment AS segment ON segment.organization_id = rollup.organization_id
    AND segment.id = rollup.segment_id
WHERE rollup.grain = %(grain)s AND rollup.starts_at >= %(since)s AND rollup.starts_at < %(until)s
    AND segment.version_id IS NOT NULL AND segment.prompt_id IS NOT NULL AND NOT segment.sandbox
    AND rollup.requests > 0
ORDER BY segment.organization_id, segment.version_id
"""

_POINTS: Final = f"""
WITH chosen AS MATERIALIZED (
    SELECT organization_id, id, version_id FROM analytics_segment
    WHERE organization_id = ANY(%(organizations)s) AND version_id = ANY(%(versions)s) AND NOT sandbox
)
SELECT chosen.version_id, rollup.grain = {Grain.HOUR.value},
    floor(extract(epoch FROM rollup.starts_at) / 60)::bigint,
    sum(requests), sum(failed), sum(schema_failures), sum(priced + free), sum(cost),
    sum(feedback_count), sum(feedback_sum),
    sum(latency.count), sum(latency.total), sum(latency.squares)
FROM analytics_rollup AS rollup
JOIN chosen ON chosen.organization_id = rollup.organization_id AND chosen.id = rollup.segment_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(entry.count), 0) AS count, COALESCE(sum(entry.count * ln(entry.ms)), 0) AS total,
        COALESCE(sum(entry.count * ln(entry.ms) ^ 2), 0) AS squares
    FROM (
        SELECT unfolded.count, GREATEST({value_sql("unfolded.bucket")}, 0.5)::float8 AS ms
        FROM unnest(latency_buckets, latency_counts) AS unfolded (bucket, count)
    ) AS entry
) AS latency
WHERE rollup.organization_id = ANY(%(organizations)s) AND (
    (rollup.grain = {Grain.FIVE_MINUTES.value} AND rollup.starts_at >= %(fine)s
        AND rollup.starts_at < %(until)s)
    OR (rollup.grain = {Grain.HOUR.value} AND rollup.starts_at >= %(coarse)s
        AND rollup.starts_at < %(hour)s)
)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A version that was called in the last hour."""

    organization_id: UUID
    project_id: UUID
    prompt_id: UUID
    version_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class Points:
    """A version's points by metric: those of five minutes and those of the past week's hours."""

    fine: dict[str, list[Point]] = field(default_factory=lambda: {metric.key: [] for metric in METRICS})
    hourly: dict[str, list[Point]] = field(default_factory=lambda: {metric.key: [] for metric in METRICS})


def active_versions(until: datetime) -> list[Watched]:
    """The versions with calls in the hour before `until`, in the order of their organizations."""
    parameters = {"grain": Grain.FIVE_MINUTES.value, "since": until - HOUR, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, parameters)
        return [Watched(*row) for row in cursor.fetchall()]


def points_of(versions: Sequence[Watched], until: datetime, fine_since: datetime) -> dict[UUID, Points]:
    """The points of some versions up to `until`, by version; five-minute ones since `fine_since`."""
    hour = (until - HOUR).replace(minute=0, second=0, microsecond=0)
    parameters = {
        "organizations": sorted({each.organization_id for each in versions}),
        "versions": [each.version_id for each in versions],
        "fine": fine_since,
        "until": until,
        "coarse": hour - WEEK,
        "hour": hour,
    }
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, parameters)
        return _sorted_out(cursor.fetchall())


def _sorted_out(rows: Iterable[Sequence[Any]]) -> dict[UUID, Points]:
    found: dict[UUID, Points] = {}
    for version_id, is_hour, minute, *numbers in rows:
        points = found.setdefault(version_id, Points())
        target = points.hourly if is_hour else points.fine
        requests, failed, schema, known, cost, marks, mark_sum, count, total, squares = map(float, numbers)
        at = int(minute)
        for key, each in (
            (ERROR_RATE.key, Point(at, requests, failed, failed)),
            (SCHEMA_FAILURES.key, Point(at, requests, schema, schema)),
            (LATENCY.key, Point(at, count, total, squares)),
            (COST.key, Point(at, known, cost)),
            (FEEDBACK.key, Point(at, marks, mark_sum)),
        ):
            if each.count:
                target[key].append(each)
    return found


def minute_of(moment: datetime) -> int:
    """Minutes since 1970, as points count."""
    return int(moment.timestamp() // 60)


def moment_of(minute: int) -> datetime:
    """The moment of a point's minute."""
    return datetime.fromtimestamp(minute * 60, UTC)
