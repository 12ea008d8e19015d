"""Stretches of time that figures are asked for, cut as roll-ups are. Pure.

Everything is UTC: a day is a UTC day. Hours and shorter intervals fall together in every zone of whole hours,
so pages may show them in the reader's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.analytics.models import Grain
from apps.core.errors import InvalidRequest

LENGTHS: Final = {grain: timedelta(minutes=grain.value) for grain in Grain}
INTERVALS: Final = {"5m": Grain.FIVE_MINUTES, "hour": Grain.HOUR, "day": Grain.DAY}
WORDS: Final = {grain: word for word, grain in INTERVALS.items()}
PRESETS: Final = {
    "24h": (timedelta(hours=24), Grain.HOUR),
    "7d": (timedelta(days=7), Grain.HOUR),
    "30d": (timedelta(days=30), Grain.DAY),
    "90d": (timedelta(days=90), Grain.DAY),
}
MOST_POINTS: Final = 800
LONGEST: Final = timedelta(days=800)
# How long ago the roll-ups of a grain surely are still kept; days are kept for ever.
KEPT: Final = {Grain.FIVE_MINUTES: timedelta(days=8), Grain.HOUR: timedelta(days=400)}
FIRST_MOMENT: Final = datetime(2020, 1, 1, tzinfo=UTC)
LAST_MOMENT: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of time of whole periods of one grain."""

    grain: Grain
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to, not including, `end`, in whole intervals.

    `now` is when it was asked for; `until`, its end or now, is how far it has come. The period before ends
    after the same time, so that a day that has just begun isn't set against a whole one; `comparable` says
    whether its roll-ups are still kept.
    """

    start: datetime
    end: datetime
    interval: Grain
    until: datetime
    now: datetime
    comparable: bool = True

    @property
    def length(self) -> timedelta:
        """From start to end."""
        return self.end - self.start

    @property
    def previous(self) -> "Period":
        """The period of equal length right before this one, as far as this one has come."""
        end = max(self.until, self.start) - self.length
        return Period(self.start - self.length, end, self.interval, end, self.now)

    @property
    def moments(self) -> tuple[datetime, ...]:
        """The starts of the intervals that have begun."""
        step = LENGTHS[self.interval]
        count = -((self.start - self.until) // step)
        return tuple(self.start + step * number for number in range(max(count, 0)))

    def parts(self) -> tuple[Part, ...]:
        """The period as `cover` puts it together."""
        return cover(self.start, self.end)


def preset(name: str, now: datetime, interval: Grain | None = None) -> Period:
    """The last 24 hours, 7, 30 or 90 days; the hour or day that runs is its last. Raises InvalidRequest."""
    if name not in PRESETS:
        raise InvalidRequest(f"range is one of {', '.join(PRESETS)}.", param="range")
    length, automatic = PRESETS[name]
    chosen = interval or automatic
    end = ceiling(now.astimezone(UTC), max(chosen, Grain.HOUR))
    return _period(end - length, end, now, chosen)


def between(start: datetime, end: datetime, now: datetime, interval: Grain | None = None) -> Period:
    """What lies between two moments, rounded outwards to whole intervals. Raises InvalidRequest."""
    _check(start, end)
    chosen = interval or automatic_interval(end - start, now - start)
    return _period(floor(start.astimezone(UTC), chosen), ceiling(end.astimezone(UTC), chosen), now, chosen)


def automatic_interval(length: timedelta, age: timedelta) -> Grain:
    """5 minutes up to 6 hours, hours up to 8 days, else days; longer ones where those are kept no more."""
    if length <= timedelta(hours=6) and age <= KEPT[Grain.FIVE_MINUTES]:
        return Grain.FIVE_MINUTES
    return Grain.HOUR if length <= timedelta(days=8) and age <= KEPT[Grain.HOUR] else Grain.DAY


def floor(moment: datetime, grain: Grain) -> datetime:
    """The start of the UTC interval that a moment lies in."""
    return moment - (moment - FIRST_MOMENT) % LENGTHS[grain]


def ceiling(moment: datetime, grain: Grain) -> datetime:
    """The first start of an interval at or after a moment."""
    begun = floor(moment, grain)
    return begun if begun == moment else begun + LENGTHS[grain]


def _check(start: datetime, end: datetime) -> None:
    if not FIRST_MOMENT <= start < LAST_MOMENT:
        raise InvalidRequest("from lies between the years 2020 and 2200.", param="from")
    if not start < end < LAST_MOMENT:
        raise InvalidRequest("to is later than from, and before the year 2200.", param="to")
    if end - start > LONGEST:
        raise InvalidRequest(f"from and to are at most {LONGEST.days} days apart.", param="from")


def cover(start: datetime, end: datetime) -> tuple[Part, ...]:
    """A stretch of time in as few and long roll-ups as it can be put together from."""
    return tuple(_cover(start, end))


def _period(start: datetime, end: datetime, now: datetime, interval: Grain) -> Period:
    if (end - start) // LENGTHS[interval] > MOST_POINTS:
        longer = "hour or day" if interval == Grain.FIVE_MINUTES else "day"
        raise InvalidRequest(
            f"The range has more than {MOST_POINTS} intervals. Take {longer}, or a shorter range.",
            param="interval",
        )
    kept = KEPT.get(interval)
    # Rounded outwards, a range begins up to an interval before what was asked for.
    if kept is not None and now - start > kept + LENGTHS[interval]:
        raise InvalidRequest(
            f"Figures by {WORDS[interval]} are kept for {kept.days} days. Take a longer interval.",
            param="interval",
        )
    until = min(end, ceiling(now.astimezone(UTC), _finest(end - start)))
    return Period(start, end, interval, until, now, kept is None or now - start + (end - start) <= kept)


def _finest(length: timedelta) -> Grain:
    """The shortest roll-ups that are still kept of a period of this length and of the one before it."""
    for grain, kept in KEPT.items():
        if 2 * length <= kept:
            return grain
    return Grain.DAY


def _cover(start: datetime, end: datetime, grain: Grain = Grain.DAY) -> Iterator[Part]:
    """Whole periods of the longest grain, and shorter ones before and behind them."""
    inner_start, inner_end = ceiling(start, grain), floor(end, grain)
    if grain == Grain.FIVE_MINUTES:
        if inner_start < inner_end:
            yield Part(grain, inner_start, inner_end)
        return
    shorter = Grain.HOUR if grain == Grain.DAY else Grain.FIVE_MINUTES
    if inner_start >= inner_end:
        yield from _cover(start, end, shorter)
        return
    yield from _cover(start, inner_start, shorter)
    yield Part(grain, inner_start, inner_end)
    yield from _cover(inner_end, end, shorter)
