"""What the looking reads of roll-ups: every version's points, a few statements for many versions.

Under the system role, since one look is at all organizations at once. Only real runs of saved versions count:
the sandbox can't get worse, and a call without a version has no past of its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
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
from apps.analytics.histograms import MOST_BUCKETS, value_of
from apps.analytics.models import Grain, Segment
from apps.runs.models import UncountedRuns

HOUR: Final = timedelta(hours=1)
RECENT: Final = timedelta(hours=25)
WEEK: Final = timedelta(days=7)

# Of the middle of each bucket; what is under half a millisecond counts as that.
LOGARITHMS: Final = [math.log(max(value_of(bucket), 0.5)) for bucket in range(MOST_BUCKETS)]
SQUARES: Final = [value * value for value in LOGARITHMS]

# No statement joins: roll-ups are found by their period and the ids of segments, whatever a planner believes.
_ACTIVE: Final = f"""
SELECT DISTINCT segment_id FROM analytics_rollup
WHERE grain = {Grain.FIVE_MINUTES.value} AND starts_at >= %(since)s AND starts_at < %(until)s AND requests > 0
"""

_POINTS: Final = f"""
SELECT segment_id, grain, starts_at, requests, failed, schema_failures, priced + free, cost,
    feedback_count, feedback_sum, latency.count, latency.total, latency.squares
FROM analytics_rollup CROSS JOIN LATERAL (
    SELECT COALESCE(sum(unfolded.count), 0)::bigint AS count,
        COALESCE(sum(unfolded.count * (%(logarithms)s::float8[])[unfolded.bucket + 1]), 0) AS total,
        COALESCE(sum(unfolded.count * (%(squares)s::float8[])[unfolded.bucket + 1]), 0) AS squares
    FROM unnest(latency_buckets, latency_counts) AS unfolded (bucket, count)
) AS latency
WHERE organization_id = ANY(%(organizations)s) AND segment_id = ANY(%(segments)s) AND (
    (grain = {Grain.FIVE_MINUTES.value} AND starts_at >= %(fine)s AND starts_at < %(until)s)
    OR (grain = {Grain.HOUR.value} AND starts_at >= %(coarse)s AND starts_at < %(hour)s)
)
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
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, {"since": until - HOUR, "until": until})
        called = [segment_id for (segment_id,) in cursor.fetchall()]
    rows = Segment.all_organizations.filter(
        pk__in=called, version_id__isnull=False, prompt_id__isnull=False, sandbox=False
    ).values_list("organization_id", "project_id", "prompt_id", "version_id", "version_number")
    found = {
        Watched(organization_id, project_id, prompt_id, version_id, number)
        for organization_id, project_id, prompt_id, version_id, number in rows
        if prompt_id is not None and version_id is not None and number is not None
    }
    return sorted(found, key=lambda each: (each.organization_id, each.version_id))


def counted_until(now: datetime) -> datetime:
    """Up to when every organization's calls are in the roll-ups: now, or when the oldest that wait began."""
    oldest = UncountedRuns.all_organizations.order_by("pk").values_list("pk", flat=True).first()
    return now if oldest is None else min(now, datetime.fromtimestamp((oldest.int >> 80) / 1000, UTC))


def points_of(versions: Sequence[Watched], until: datetime, fine_since: datetime) -> dict[UUID, Points]:
    """The points of some versions up to `until`, by version; five-minute ones since `fine_since`."""
    organizations = sorted({each.organization_id for each in versions})
    segments = dict(
        Segment.all_organizations.filter(
            organization_id__in=organizations,
            version_id__in=[each.version_id for each in versions],
            sandbox=False,
        ).values_list("id", "version_id")
    )
    hour = (until - HOUR).replace(minute=0, second=0, microsecond=0)
    parameters: dict[str, Any] = {
        "organizations": organizations,
        "segments": list(segments),
        "fine": fine_since,
        "until": until,
        "coarse": hour - WEEK,
        "hour": hour,
        "logarithms": LOGARITHMS,
        "squares": SQUARES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, parameters)
        return _sorted_out(_by_version(cursor.fetchall(), segments))


_Key: TypeAlias = tuple[UUID, int, datetime]


def _by_version(
    rows: Iterable[Sequence[Any]], segments: Mapping[UUID, UUID | None]
) -> dict[_Key, list[float]]:
    """The numbers of a version's segments in the same period, added up."""
    found: dict[_Key, list[float]] = {}
    for segment_id, grain, starts_at, *numbers in rows:
        version_id = segments[segment_id]
        if version_id is not None:
            known = found.get((version_id, grain, starts_at))
            values = map(float, numbers)
            found[version_id, grain, starts_at] = (
                list(values) if known is None else [old + new for old, new in zip(known, values, strict=True)]
            )
    return found


def _sorted_out(sums: Mapping[_Key, Sequence[float]]) -> dict[UUID, Points]:
    found: dict[UUID, Points] = {}
    for version_id, grain, starts_at in sorted(sums, key=lambda key: key[2]):
        points = found.setdefault(version_id, Points())
        target = points.hourly if grain == Grain.HOUR else points.fine
        numbers = sums[version_id, grain, starts_at]
        requests, failed, schema, known, cost, marks, mark_sum, count, total, squares = numbers
        at = minute_of(starts_at)
        for key, each in (
            (ERROR_RATE.key, Point(at, requests, failed, failed)),
            (SCHEMA_FAILURES.key, Point(at, requests, schema, schema)),
            (LATENCY.key, Point(at, count, total, squares)),
            (COST.key, Point(at, known, cost)),
            (FEEDBACK.key, Point(at, marks, mark_sum)),
        ):
            if each.number:
                target[key].append(each)
    return found


def minute_of(moment: datetime) -> int:
    """Minutes since 1970, as points count."""
    return int(moment.timestamp() // 60)


def moment_of(minute: int) -> datetime:
    """The moment of a point's minute."""
    return datetime.fromtimestamp(minute * 60, UTC)
