"""How far a version's blocks of calls lie apart when nothing is wrong, seen in its own last day.

Calls of one version are not independent: a slow minute is slow for all. So a window's mean varies by more
than its single calls explain. The part that doesn't shrink with their number is estimated from the blocks of
the last day by moments, like the overdispersion of shares (Williams, "Extra-binomial variation in logistic
linear models", Applied Statistics 31 (1982) 144-148) and the variance between studies (DerSimonian and Laird,
"Meta-analysis in clinical trials", Controlled Clinical Trials 7 (1986) 177-188).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from apps.analytics.degradation.metrics import Family, Metric, Point, summed
from apps.analytics.degradation.season import Season

LEAST_BLOCKS: Final = 8
BUCKET: Final = 5
HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class Spread:
    """On the scale of comparison: the variance of one call, and of a block's own level around the day's."""

    calls: float
    blocks: float

    def of_mean(self, count: float) -> float:
        """The variance of the mean of so many calls of one block."""
        return self.calls / count + self.blocks


def of_rate(day: Sequence[Point], season: Season, window: int) -> float:
    """The relative variance of a rate between blocks: the larger of blocks like the window and of hours."""
    exposure = sum(point.number * season.at(point.at) for point in day)
    total = sum(point.total for point in day)
    if not total or not exposure:
        return 0.0
    level = total / exposure
    return max(_of_rate(day, season, level, length) for length in {window, HOUR})


def _of_rate(day: Sequence[Point], season: Season, level: float, length: int) -> float:
    surplus, weight, blocks = 0.0, 0.0, 0
    for block, factor in _blocks(day, season, length):
        share = min(level * factor, 0.99)
        expected = share * block.number
        surplus += (block.total - expected) ** 2 - expected * (1.0 - share)
        weight += expected * expected
        blocks += 1
    return max(0.0, surplus / weight) if blocks >= LEAST_BLOCKS else 0.0


def of_mean(metric: Metric, day: Sequence[Point], season: Season, window: int) -> Spread | None:
    """The spread of a metric that is no rate; `None` with too few blocks to tell."""
    short = _values(metric, day, season, BUCKET)
    if len(short) < LEAST_BLOCKS:
        return None
    everything = summed(day)
    if metric.family is Family.LOGARITHM:
        mean = everything.total / everything.number
        calls = everything.squares / everything.number - mean * mean
    else:
        # Only sums are known: neighbouring calls stand for single ones.
        calls = _squares(short) / (len(short) - 1)
    if calls <= 0:
        return None
    return Spread(calls, max(_between(metric, day, season, length, calls) for length in {window, HOUR}))


def _between(metric: Metric, day: Sequence[Point], season: Season, length: int, calls: float) -> float:
    values = _values(metric, day, season, length)
    weight = sum(count for count, _ in values)
    if len(values) < LEAST_BLOCKS:
        return 0.0
    balance = weight - sum(count * count for count, _ in values) / weight
    return max(0.0, (_squares(values) - (len(values) - 1) * calls) / balance)


def _values(metric: Metric, day: Sequence[Point], season: Season, length: int) -> list[tuple[float, float]]:
    return [
        (block.number, value)
        for block, factor in _blocks(day, season, length)
        if (value := _on_scale(metric, block, factor)) is not None
    ]


def _squares(values: Sequence[tuple[float, float]]) -> float:
    """The weighted sum of squares around the mean."""
    mean = sum(count * value for count, value in values) / sum(count for count, _ in values)
    return sum(count * (value - mean) ** 2 for count, value in values)


def _on_scale(metric: Metric, block: Point, factor: float) -> float | None:
    mean = block.total / block.number
    if metric.family is Family.AMOUNT:
        return math.log(mean / factor) if mean > 0 else None
    return mean - factor


def _blocks(points: Sequence[Point], season: Season, length: int) -> Iterator[tuple[Point, float]]:
    """Sums of periods of `length` minutes that begin at whole multiples, with their hour's factor."""
    start, count, total = -1, 0.0, 0.0
    for at, calls, values, _ in points:
        begins = at - at % length
        if begins != start:
            if count:
                yield Point(start, count, total), season.at(start)
            start, count, total = begins, 0.0, 0.0
        count += calls
        total += values
    if count:
        yield Point(start, count, total), season.at(start)
