"""Stretches of time, cut as roll-ups are."""

import random
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from apps.analytics import periods
from apps.analytics.models import Grain
from apps.analytics.periods import LENGTHS, Part
from apps.core.errors import InvalidRequest

NOW = datetime(2026, 11, 21, 14, 23, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "start", "end", "points"),
    [
        ("24h", at(20, 15), at(21, 15), 24),
        ("7d", at(14, 15), at(21, 15), 168),
        ("30d", datetime(2026, 10, 23, tzinfo=UTC), at(22), 30),
        ("90d", datetime(2026, 8, 24, tzinfo=UTC), at(22), 90),
    ],
)
def test_preset__of_each_name__ends_with_the_interval_that_runs(
    name: str, start: datetime, end: datetime, points: int
) -> None:
    period = periods.preset(name, NOW)
    assert (period.start, period.end, len(period.moments)) == (start, end, points)
    assert period.moments[0] == start


def test_previous__of_a_period_that_runs__is_no_longer_than_it_has_lasted() -> None:
    day = periods.preset("24h", NOW)
    assert day.until == at(21, 14, 25)
    assert (day.previous.start, day.previous.end) == (at(19, 15), at(20, 14, 25))
    month = periods.preset("30d", NOW)
    # Roll-ups of five minutes aren't kept for a month, so the hour is as fine as it gets.
    assert month.previous.end == at(21, 15) - 30 * DAY
    past = periods.between(at(10), at(12), NOW)
    assert (past.previous.start, past.previous.end) == (at(8), at(10))


def test_between__moments_inside_of_intervals__rounds_outwards() -> None:
    period = periods.between(at(20, 1, 1), at(20, 9, 59), NOW)
    assert (period.interval, period.start, period.end) == (Grain.HOUR, at(20, 1), at(20, 10))
    zone = timezone(5 * HOUR + timedelta(minutes=30))
    local = periods.between(at(1).astimezone(zone), at(19).astimezone(zone), NOW)
    assert (local.interval, local.start, local.end) == (Grain.DAY, at(1), at(19))
    assert periods.between(NOW - 2 * HOUR, NOW, NOW).interval == Grain.FIVE_MINUTES
    assert periods.between(at(1), at(1, 2), NOW).interval == Grain.HOUR


def test_parts__of_any_period__cover_it_once_with_whole_roll_ups() -> None:
    chance = random.Random(7)
    for _ in range(200):
        start = at(1) + timedelta(minutes=5 * chance.randrange(5_000))
        end = start + timedelta(minutes=5 * chance.randrange(1, 20_000))
        parts = periods.Period(start, end, Grain.HOUR, end, NOW).parts()
        assert (parts[0].start, parts[-1].end) == (start, end)
        assert all(one.end == two.start for one, two in pairwise(parts))
        for part in parts:
            assert periods.floor(part.start, part.grain) == part.start
            assert periods.floor(part.end, part.grain) == part.end
        assert len(parts) <= 5


def test_parts__of_days__are_days() -> None:
    assert periods.preset("30d", NOW).parts() == (Part(Grain.DAY, at(22) - 30 * DAY, at(22)),)
    hours = periods.preset("7d", NOW).parts()
    assert [part.grain for part in hours] == [Grain.HOUR, Grain.DAY, Grain.HOUR]


@pytest.mark.parametrize(
    ("start", "end", "interval", "param"),
    [
        (at(20), at(20), None, "to"),
        (at(20), at(19), None, "to"),
        (datetime(1999, 1, 1, tzinfo=UTC), at(19), None, "from"),
        (at(20), datetime(9999, 1, 1, tzinfo=UTC), None, "to"),
        (datetime(2021, 1, 1, tzinfo=UTC), at(19), None, "from"),
        (at(20) - 60 * DAY, at(20), Grain.HOUR, "interval"),
        (at(1), at(2), Grain.FIVE_MINUTES, "interval"),
        (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 3, tzinfo=UTC), Grain.HOUR, "interval"),
    ],
)
def test_between__what_can_not_be_asked__is_refused_by_name(
    start: datetime, end: datetime, interval: Grain | None, param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        periods.between(start, end, NOW, interval)
    assert refused.value.param == param


def test_comparable__where_older_roll_ups_are_gone__is_false() -> None:
    assert periods.between(NOW - 6 * HOUR, NOW, NOW).comparable
    assert not periods.between(NOW - 8 * DAY, NOW - 7.9 * DAY, NOW, Grain.FIVE_MINUTES).comparable
    assert LENGTHS[Grain.DAY] == DAY
