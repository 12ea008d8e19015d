"""What an hour of the day is like, learnt from the hours of the past week.

The baseline of one's own same hours in former periods, with shrinkage where they are few, is the idea of
Farrington, Andrews, Beale and Catchpole, "A statistical algorithm for the early detection of outbreaks of
infectious disease", J. R. Statist. Soc. A 159 (1996) 547-563, and of Noufaily et al., "An improved algorithm
for outbreak detection in multiple surveillance systems", Statistics in Medicine 32 (2013) 1206-1222.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from apps.analytics.degradation.metrics import Family, Metric, Point

HOURS: Final = 24
LEAST_DAYS: Final = 3
# A smoothed hour leans on its neighbours, so that one odd hour in seven days doesn't bend the day.
NEIGHBOURS: Final = ((-1, 1.0), (0, 2.0), (1, 1.0))


@dataclass(frozen=True, slots=True)
class Season:
    """`factors` by hour of the day in UTC: times the level for multiplicative metrics, else added to it.

    `noise` is by how much one call's worth of variance the factor of an hour is uncertain (0: not corrected).
    """

    factors: tuple[float, ...]
    noise: tuple[float, ...]

    def at(self, minute: int) -> float:
        """The factor of the hour in which a period begins, `minute` in minutes since 1970."""
        return self.factors[minute // 60 % HOURS]


def flat(metric: Metric) -> Season:
    """Every hour is like every other."""
    return Season((1.0 if metric.multiplicative else 0.0,) * HOURS, (0.0,) * HOURS)


def learn(metric: Metric, week: Sequence[Point]) -> Season:
    """The shape of the day in the hourly points of the past week; flat with less than three days of them."""
    if len({point.at // 1440 for point in week if point.number}) < LEAST_DAYS:
        return flat(metric)
    counts = [0.0] * HOURS
    totals = [0.0] * HOURS
    for at, count, total, _ in week:
        hour = at // 60 % HOURS
        counts[hour] += count
        totals[hour] += total
    everything, sum_of_all = sum(counts), sum(totals)
    if not everything or (metric.multiplicative and not sum_of_all):
        return flat(metric)
    level = sum_of_all / everything
    pairs = [_hour(metric, hour, counts, totals, level) for hour in range(HOURS)]
    return Season(tuple(factor for factor, _ in pairs), tuple(noise for _, noise in pairs))


def _hour(
    metric: Metric, hour: int, counts: list[float], totals: list[float], level: float
) -> tuple[float, float]:
    count = sum(weight * counts[(hour + step) % HOURS] for step, weight in NEIGHBOURS) / 2
    total = sum(weight * totals[(hour + step) % HOURS] for step, weight in NEIGHBOURS) / 2
    if not count:
        return (1.0 if metric.multiplicative else 0.0), 0.0
    known = max(total, level * count) if metric.family is Family.RATE else count
    trust = known / (known + metric.season_weight)
    if metric.multiplicative:
        ratio = max(total / count / level, 0.05)
        return math.exp(trust * math.log(ratio)), trust * trust / count
    return trust * (total / count - level), trust * trust / count
