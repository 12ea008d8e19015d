"""The test that tells when a version got worse: pure, on made-up series."""

import math
import random

import pytest

from apps.analytics.degradation.metrics import COST, ERROR_RATE, FEEDBACK, LATENCY, METRICS, Metric, Point
from apps.analytics.degradation.rules import Finding, Rule, chance, judge
from apps.analytics.degradation.season import HOURS, flat, learn
from apps.analytics.degradation.statistic import CALM, History
from apps.analytics.incidents.histories import Span, history_at

NOON = 29_920_320 + 8 * 1440 + 720
USUAL = {ERROR_RATE: 0.05, LATENCY: 800.0, COST: 0.004, FEEDBACK: 4.3}


def point(metric: Metric, at: int, calls: int, level: float, chance_of: random.Random) -> Point:
    """Calls of one period, drawn around a level."""
    if metric is LATENCY:
        values = [chance_of.gauss(math.log(level), 0.5) for _ in range(calls)]
    elif metric is ERROR_RATE:
        values = [float(chance_of.random() < level) for _ in range(calls)]
    elif metric is COST:
        values = [chance_of.gammavariate(1.5, level / 1.5) for _ in range(calls)]
    else:
        values = [min(5.0, max(1.0, chance_of.gauss(level, 0.6))) for _ in range(calls // 5)]
    return Point(at, len(values), sum(values), sum(value * value for value in values))


def series(metric: Metric, *, calls: int = 100, worse: float = 1.0, minutes: int = 60) -> History:
    """A quiet week and day; `worse` times the usual level in the last `minutes`."""
    chance_of = random.Random(7)
    fine = [
        point(metric, at, calls, USUAL[metric] * (worse if at >= NOON - minutes else 1.0), chance_of)
        for at in range(NOON - 1500, NOON, 5)
    ]
    hourly = [
        point(metric, at, calls * 2, USUAL[metric], chance_of)
        for at in range(NOON - 60 - 7 * 1440, NOON - 60, 60)
    ]
    return history_at(metric, fine, hourly, NOON)


def statistical(metric: Metric, **told: float) -> Finding:
    return judge(Rule.STATISTICAL, metric, series(metric, **told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "worse"), [(ERROR_RATE, 2.0), (LATENCY, 1.5), (COST, 1.6), (FEEDBACK, 0.7)]
)
def test_judge__got_worse_a_quarter_of_an_hour_ago__says_so(metric: Metric, worse: float) -> None:
    usual, found = (
        statistical(metric, calls=300),
        statistical(metric, calls=300, worse=worse, minutes=15),
    )
    assert not usual.worse
    assert usual.calm
    assert found.worse
    assert not found.calm
    assert found.comparison is not None
    assert found.comparison.score >= metric.bar


def test_judge__got_better__is_calm() -> None:
    for metric, better in ((ERROR_RATE, 0.3), (LATENCY, 0.5), (FEEDBACK, 1.15)):
        assert statistical(metric, worse=better).calm


def test_judge__too_few_calls__cannot_tell() -> None:
    found = statistical(ERROR_RATE, calls=2, worse=4.0)
    assert found.comparison is None
    assert not found.worse
    assert not found.calm


def test_judge__one_burst_of_five_minutes__opens_nothing() -> None:
    assert not statistical(ERROR_RATE, calls=150, worse=10.0, minutes=5).worse
    assert statistical(ERROR_RATE, calls=150, worse=10.0, minutes=10).worse


def test_judge__small_but_certain_change__is_not_worth_a_word() -> None:
    history = series(LATENCY, calls=100)
    slower = [each._replace(total=each.total + each.number * math.log(1.08)) for each in history.hour]
    found = judge(Rule.STATISTICAL, LATENCY, History(NOON, slower, history.day, history.week, history.season))
    assert not found.worse


def test_judge__same_hour_is_like_that_every_day__is_no_break() -> None:
    """Twice as many errors from eleven to one, as every day of the week."""
    chance_of = random.Random(3)

    def at_noon(at: int) -> float:
        return 0.05 * (2.0 if 11 <= at // 60 % HOURS < 13 else 1.0)

    fine = [point(ERROR_RATE, at, 200, at_noon(at), chance_of) for at in range(NOON - 1500, NOON, 5)]
    hourly = [
        point(ERROR_RATE, at, 2400, at_noon(at), chance_of)
        for at in range(NOON - 60 - 7 * 1440, NOON - 60, 60)
    ]
    assert judge(Rule.STATISTICAL, ERROR_RATE, history_at(ERROR_RATE, fine, hourly, NOON)).calm


def test_judge__noisy_version__needs_more_than_a_quiet_one() -> None:
    def told(noise: float) -> float:
        chance_of = random.Random(5)
        levels = [0.05 * math.exp(chance_of.gauss(0, noise)) for _ in range(300)]
        fine = [
            point(ERROR_RATE, NOON - 1500 + 5 * index, 500, 0.1 if index >= 297 else level, chance_of)
            for index, level in enumerate(levels)
        ]
        found = judge(Rule.STATISTICAL, ERROR_RATE, history_at(ERROR_RATE, fine, [], NOON))
        return found.comparison.score if found.comparison else 0.0

    assert told(0.0) > ERROR_RATE.bar > told(0.6)


def test_history__times_of_incidents__are_left_out_of_what_is_usual() -> None:
    history = series(ERROR_RATE)
    fine, hourly = [*history.day, *history.hour], history.week
    span = Span(NOON - 600, NOON - 480)
    kept = history_at(ERROR_RATE, fine, hourly, NOON, left_out=[span])
    assert len(history.day) - len(kept.day) == 120 / 5
    assert not [each for each in kept.day if span.start <= each.at < span.end]
    open_since = history_at(ERROR_RATE, fine, hourly, NOON, began=NOON - 180)
    assert max(each.at for each in open_since.day) < NOON - 180


@pytest.mark.parametrize(
    ("metric", "change", "worse"),
    [
        (ERROR_RATE, 0.099, False),
        (ERROR_RATE, 0.101, True),
        (LATENCY, math.log(1.09), False),
        (LATENCY, math.log(1.11), True),
    ],
)
def test_simple_rule__at_its_bounds(metric: Metric, change: float, worse: bool) -> None:
    day = [Point(NOON - 1440 + 60 * hour, 1000, 1000 * 0.2, 0.0) for hour in range(23)]
    hour = [Point(NOON - 60, 1000, 1000 * (0.2 + change), 0.0)]
    found = judge(Rule.SIMPLE, metric, History(NOON, hour, day, [], flat(metric)))
    assert (found.worse, found.calm) == (worse, not worse)


def test_simple_rule__knows_two_metrics_and_needs_twenty_calls() -> None:
    few = History(NOON, [Point(NOON - 5, 19, 19)], [Point(NOON - 90, 900, 0)], [], flat(ERROR_RATE))
    assert judge(Rule.SIMPLE, ERROR_RATE, few).comparison is None
    for metric in set(METRICS) - {ERROR_RATE, LATENCY}:
        assert judge(Rule.SIMPLE, metric, few).comparison is None
    assert judge(Rule.OFF, ERROR_RATE, few).comparison is None


def test_season__less_than_three_days__is_flat() -> None:
    points = [Point(NOON - 60 * hour, 500, 25 + hour % 24) for hour in range(80, 0, -1)]
    assert learn(ERROR_RATE, points) != flat(ERROR_RATE)
    assert learn(ERROR_RATE, points[-30:]) == flat(ERROR_RATE)


def test_chance__is_that_of_one_look() -> None:
    assert chance(0.0) == pytest.approx(0.5)
    assert chance(4.0) == pytest.approx(3.17e-5, rel=0.01)
    assert all(metric.bar > CALM for metric in METRICS)
