"""From a version's points to what one look judges. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from apps.analytics.degradation.metrics import Metric, Point
from apps.analytics.degradation.season import learn
from apps.analytics.degradation.statistic import DAY, HOUR, History

WEEK: Final = 7 * DAY


class Span(NamedTuple):
    """From one minute since 1970 up to another, the end left out."""

    start: int
    end: int


def history_at(
    metric: Metric,
    fine: Sequence[Point],
    hourly: Sequence[Point],
    until: int,
    *,
    began: int | None = None,
    left_out: Sequence[Span] = (),
) -> History:
    """What is known at minute `until`: the last hour, the day before it, the week before that hour.

    `left_out` are the times of incidents that are over: what was broken is no measure of what is usual.
    While an incident is open, `began` is its beginning, and day and week are those before it.
    """
    usual = until - HOUR if began is None else min(began, until - HOUR)
    hours_before = usual - usual % HOUR
    kept_fine, kept_hourly = _without(fine, left_out, 5), _without(hourly, left_out, HOUR)
    week = [point for point in kept_hourly if hours_before - WEEK <= point.at < hours_before]
    return History(
        until=until,
        hour=[point for point in kept_fine if until - HOUR <= point.at < until],
        day=[point for point in kept_fine if usual - DAY <= point.at < usual],
        week=week,
        season=learn(metric, week),
    )


def _without(points: Sequence[Point], spans: Sequence[Span], length: int) -> Sequence[Point]:
    if not spans:
        return points
    return [point for point in points if not _touches(point, spans, length)]


def _touches(point: Point, spans: Iterable[Span], length: int) -> bool:
    return any(point.at < span.end and point.at + length > span.start for span in spans)
