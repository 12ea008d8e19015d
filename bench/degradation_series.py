"""Synthetic series of a version: what its calls were like, a week of hours, then three days of five minutes.

Traffic follows the day and is Poisson. The level of each metric is a log-normal autoregressive noise (it
wanders by some per cent with a memory of an hour) times the time of day, times a drift. Calls are drawn from
that level: so buckets are more dispersed than independent calls would be, as real ones are.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from apps.analytics.degradation.metrics import (
    COST,
    ERROR_RATE,
    FEEDBACK,
    LATENCY,
    METRICS,
    SCHEMA_FAILURES,
    Metric,
    Point,
    summed,
)

BUCKETS_A_DAY: Final = 288
DAYS: Final = 10
# The first week is only known by the hour.
FINE_FROM: Final = 7 * BUCKETS_A_DAY
KINDS: Final = ("step", "drift", "daily season", "none")
# 21 November 2026, 00:00 UTC, in minutes since 1970.
START: Final = 29_920_320

# What a metric becomes when it gets worse, as a multiple (feedback: marks that are added).
WORSE: Final = {
    ERROR_RATE.key: 2.0,
    SCHEMA_FAILURES.key: 2.0,
    LATENCY.key: 1.3,
    COST.key: 1.5,
    FEEDBACK.key: -1.0,
}


@dataclass(frozen=True)
class Nature:
    """What a series is like: calls a minute, levels, and how much it moves when nothing is wrong."""

    kind: str
    calls: float
    traffic_swing: float
    swing: float
    noise: float
    drift_a_day: float
    levels: dict[str, float]


@dataclass
class Series:
    """A series: expected levels and drawn points by metric, one entry every five minutes."""

    nature: Nature
    randomness: random.Random
    levels: dict[str, list[float]] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)
    hourly: dict[str, list[Point]] = field(default_factory=dict)


def make(number: int) -> Series:
    """The series of that number: kinds take turns, volumes go from low to high within each kind."""
    randomness = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    rank = (number // len(KINDS) + randomness.random()) / 50
    nature = Nature(
        kind=kind,
        calls=0.3 * math.exp(rank * math.log(2000)),
        traffic_swing=randomness.uniform(0.2, 0.8),
        swing=randomness.uniform(0.2, 0.5) if kind == "daily season" else randomness.uniform(0.0, 0.05),
        noise=randomness.uniform(0.03, 0.12),
        drift_a_day=randomness.uniform(-0.08, 0.08) if kind == "drift" else 0.0,
        levels={
            ERROR_RATE.key: math.exp(randomness.uniform(math.log(0.01), math.log(0.08))),
            SCHEMA_FAILURES.key: math.exp(randomness.uniform(math.log(0.005), math.log(0.05))),
            LATENCY.key: randomness.uniform(400, 4000),
            COST.key: math.exp(randomness.uniform(math.log(0.0002), math.log(0.02))),
            FEEDBACK.key: randomness.uniform(3.8, 4.6),
        },
    )
    series = Series(nature, randomness)
    peak = randomness.uniform(0, 2 * math.pi)
    calls = {
        index: _poisson(
            randomness, length * nature.calls * 5 * (1 + nature.traffic_swing * _wave(index, peak))
        )
        for index, length in _periods()
    }
    for metric in METRICS:
        _fill(series, metric, calls, peak)
    return series


def _periods() -> Iterator[tuple[int, int]]:
    """First bucket and number of buckets of each draw: hours in the first week, then five minutes."""
    yield from ((index, 12) for index in range(0, FINE_FROM, 12))
    yield from ((index, 1) for index in range(FINE_FROM, DAYS * BUCKETS_A_DAY))


def _fill(series: Series, metric: Metric, calls: dict[int, int], peak: float) -> None:
    nature, randomness = series.nature, series.randomness
    # Latency and cost wander and swing half as far as rates do; marks hardly.
    share = {ERROR_RATE.key: 1.0, SCHEMA_FAILURES.key: 1.0, FEEDBACK.key: 0.1}.get(metric.key, 0.5)
    wander = 0.0
    levels, points, week = [0.0] * FINE_FROM, [Point(0, 0, 0)] * FINE_FROM, []
    for index, length in _periods():
        memory = math.exp(-5 * length / 60)
        wander = memory * wander + math.sqrt(1 - memory**2) * randomness.gauss(0, nature.noise * share)
        season = share * nature.swing * _wave(index + length // 2, peak + 1.0)
        drift = share * nature.drift_a_day * index / BUCKETS_A_DAY
        level = nature.levels[metric.key] * math.exp(wander + season + drift)
        point = draw(randomness, metric, START + 5 * index, calls[index], level)
        if length == 1:
            levels.append(level)
            points.append(point)
        else:
            week.append(point)
    series.levels[metric.key] = levels
    series.points[metric.key] = points
    fine = range(FINE_FROM, DAYS * BUCKETS_A_DAY, 12)
    series.hourly[metric.key] = week + [
        summed(points[index : index + 12], START + 5 * index) for index in fine
    ]


def worsened(series: Series, metric: Metric, index: int, share: float) -> Point:
    """The bucket drawn anew, got worse for the last `share` of it."""
    at, _, _, _ = series.points[metric.key][index]
    count = int(series.points[ERROR_RATE.key][index].number)
    level = series.levels[metric.key][index]
    worse = level + WORSE[metric.key] if metric is FEEDBACK else level * WORSE[metric.key]
    late = round(count * share)
    first = draw(series.randomness, metric, at, count - late, level)
    second = draw(series.randomness, metric, at, late, worse)
    return Point(at, first.number + second.number, first.total + second.total, first.squares + second.squares)


def ramped(series: Series, metric: Metric, index: int, progress: float) -> Point:
    """The bucket drawn anew at a level that is `progress` (0 to 1) of the way to worse."""
    at = series.points[metric.key][index].at
    count = int(series.points[ERROR_RATE.key][index].number)
    level = series.levels[metric.key][index]
    if metric is FEEDBACK:
        return draw(series.randomness, metric, at, count, level + progress * WORSE[metric.key])
    return draw(series.randomness, metric, at, count, level * WORSE[metric.key] ** progress)


def draw(randomness: random.Random, metric: Metric, at: int, calls: int, level: float) -> Point:
    """What `calls` calls at that level add up to."""
    if metric is FEEDBACK:
        count = _binomial(randomness, calls, 0.05)
        # Marks from 1 to 5 with the mean wanted and a spread of about one; many of them by their own sum.
        share = min(max((level - 1) / 4, 0.01), 0.99)
        if count > 10:
            spread = 4 * math.sqrt(share * (1 - share) / 3)
            return Point(at, count, randomness.gauss(count * (1 + 4 * share), spread * math.sqrt(count)))
        total = count + sum(4 * randomness.betavariate(2 * share, 2 * (1 - share)) for _ in range(count))
        return Point(at, count, total)
    if metric is LATENCY:
        total, squares = _logarithms(randomness, calls, math.log(level), 0.6)
        return Point(at, calls, total, squares)
    if metric is COST:
        shape = 1.5
        return Point(at, calls, randomness.gammavariate(shape * calls, level / shape) if calls else 0.0)
    bad = _binomial(randomness, calls, min(level, 0.95))
    return Point(at, calls, bad, bad)


def _logarithms(randomness: random.Random, count: int, mean: float, spread: float) -> tuple[float, float]:
    """Sum and sum of squares of that many normal values, drawn by their own distributions."""
    if count < 2:
        value = randomness.gauss(mean, spread) if count else 0.0
        return value, value * value
    centre = randomness.gauss(mean, spread / math.sqrt(count))
    within = spread**2 * randomness.gammavariate((count - 1) / 2, 2.0)
    return count * centre, within + count * centre**2


def _wave(index: int, peak: float) -> float:
    return math.sin(2 * math.pi * index / BUCKETS_A_DAY + peak)


def _poisson(randomness: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(randomness.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), randomness.random(), 0
    while product > limit:
        product *= randomness.random()
        count += 1
    return count


def _binomial(randomness: random.Random, count: int, share: float) -> int:
    mean = count * share
    if mean > 40:
        value = round(randomness.gauss(mean, math.sqrt(mean * (1 - share))))
        return min(max(value, 0), count)
    if not count or share <= 0:
        return 0
    # Waiting times between hits are geometric: as many draws as there are hits.
    found, position = 0, 0
    scale = math.log1p(-share)
    while True:
        position += int(math.log(1.0 - randomness.random()) / scale) + 1
        if position > count:
            return found
        found += 1
