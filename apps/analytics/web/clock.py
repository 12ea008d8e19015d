"""How the periods of a chart are called: days in UTC, hours in the reader's zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from apps.analytics.models import Grain
from apps.analytics.queries import Point
from apps.core.charts import thin
from apps.core.charts.units import every

_WORDS: Final = {Grain.DAY: "Day", Grain.HOUR: "Hour", Grain.FIVE_MINUTES: "Time"}
_PER: Final = {Grain.DAY: "per day", Grain.HOUR: "per hour", Grain.FIVE_MINUTES: "per 5 minutes"}
_MOST_NAMED: Final = 6


@dataclass(frozen=True)
class Clock:
    """The names of a row of points.

    `heads` are for reading, `axis` names some of them below the drawing, `exact` are times in UTC for files.
    """

    period: str
    per: str
    heads: Sequence[str]
    axis: Sequence[str]
    exact: Sequence[str]


def clock_of(points: Sequence[Point], interval: Grain) -> Clock:
    """Name the points of a series."""
    moments = [point.starts_at for point in points]
    shown = [
        moment.astimezone(UTC) if interval == Grain.DAY else timezone.localtime(moment) for moment in moments
    ]
    many_days = len({moment.date() for moment in shown}) > 2
    heads = [_head(moment, interval, many_days=many_days) for moment in shown]
    return Clock(
        period=_WORDS[interval],
        per=_PER[interval],
        heads=[
            f"{head}, so far" if point.partial else head for head, point in zip(heads, points, strict=True)
        ],
        axis=_days_of(shown) if many_days and interval != Grain.DAY else thin(heads),
        exact=[f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in moments],
    )


def short_day(moment: datetime) -> str:
    """ "7 Nov"."""
    return f"{moment.day} {moment:%b}"


def _head(moment: datetime, interval: Grain, *, many_days: bool) -> str:
    if interval == Grain.DAY:
        return short_day(moment)
    return f"{short_day(moment)}, {moment:%H:%M}" if many_days else f"{moment:%H:%M}"


def _days_of(shown: Sequence[datetime]) -> list[str]:
    """Below hours of several days stand the days, each where it begins."""
    starts = [
        index for index, moment in enumerate(shown) if index == 0 or moment.date() != shown[index - 1].date()
    ]
    # The first day may be cut off so short that its name would run into the next one's.
    starts = starts[1:] if len(starts) > 2 and starts[1] < (starts[2] - starts[1]) / 2 else starts
    named = set(starts[:: every(len(starts), _MOST_NAMED)])
    end = len(shown) - len(shown) // 20
    return [
        short_day(moment) if index in named and index <= end else "" for index, moment in enumerate(shown)
    ]


def length_words(length: timedelta) -> str:
    """ "24 hours", "7 days"."""
    hours = round(length / timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{length.days} days"
