"""The statistical test: is what came last worse than one's own day and one's own week can explain?

Windows of 10, 15, 30 and 60 minutes are compared, and the clearest one counts: a generalized likelihood
ratio over when the change may have begun, limited to the last hour (Siegmund and Venkatraman, "Using the
generalized likelihood ratio statistic for sequential detection of a change-point", Annals of Statistics 23
(1995) 255-271; Lai, "Information bounds and quick detection of parameter changes in stochastic systems", IEEE
Transactions on Information Theory 44 (1998) 2917-2929). For rates it is the likelihood ratio of two shares,
for means Welch's test (Biometrika 34 (1947) 28-35), both with the spread of `spread.py`.

Looking again every five minutes and in four windows is paid for by the metric's bar, which is set so that a
quiet series raises less than one false alarm a month (measured by `bench/degradation.py`), not so that a
single look would be significant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from apps.analytics.degradation import spread
from apps.analytics.degradation.metrics import Family, Metric, Point, summed
from apps.analytics.degradation.season import HOURS, LEAST_DAYS, Season

WINDOWS: Final = (10, 15, 30, 60)
HOUR: Final = 60
DAY: Final = 1440
CALM: Final = 2.0
HOURS_KNOWN: Final = 23


@dataclass(frozen=True, slots=True)
class History:
    """A version's points for one metric at one look, each sorted by time.

    `hour` are the 5-minute points of the last hour, `day` those of the 24 hours before it, `week` the hourly
    points of the seven days before it and `season` what was learnt from them. `until` is the end of the last
    full period in minutes since 1970.
    """

    until: int
    hour: Sequence[Point]
    day: Sequence[Point]
    week: Sequence[Point]
    season: Season


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a call should be like now: its mean, and how many calls' worth of knowledge that is."""

    mean: float
    count: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last `window` minutes against a baseline: means of one call, and numbers of calls.

    `score` is by how many standard deviations it got worse, 0 where the change is too small to matter.
    """

    window: int
    before: float
    now: float
    before_count: float
    now_count: float
    score: float


def compare(metric: Metric, history: History) -> list[Comparison]:
    """The last 10, 15, 30 and 60 minutes against day and week, as far as the samples are large enough.

    Each score is the smaller of two: against the last 24 hours, corrected for the time of day, and against
    the same hours of the past week. So neither a daily season nor a lucky yesterday is taken for a break.
    """
    if sum(point.number for point in history.hour) < metric.least_now:
        return []
    level = _level_of_day(metric, history)
    if level.count < metric.least_before:
        return []
    found = []
    for window in WINDOWS:
        since = history.until - window
        points = [point for point in history.hour if point.at >= since]
        if sum(point.number for point in points) >= metric.least_now:
            found.append(_window(metric, history, level, window, points))
    return found


def _window(
    metric: Metric, history: History, level: Baseline, window: int, points: Sequence[Point]
) -> Comparison:
    since = history.until - window
    by_day = _against(metric, history, window, points, _of_day(metric, history.season, level, points))
    if not by_day.score:
        return by_day
    week = of_week(metric, history.week, since, history.until)
    if week is None:
        return by_day
    by_week = _against(metric, history, window, points, week)
    return min(by_day, by_week, key=lambda comparison: comparison.score)


def _level_of_day(metric: Metric, history: History) -> Baseline:
    """The mean of a call of the last 24 hours with its time of day taken out."""
    if not history.day:
        return Baseline(0.0, 0.0)
    # By columns: this is most of a look's work.
    starts, numbers, totals, _ = zip(*history.day, strict=True)
    factors = history.season.factors
    count, total = sum(numbers), sum(totals)
    shares = sum(map(mul, numbers, [factors[at // HOUR % HOURS] for at in starts]))
    if not count:
        return Baseline(0.0, 0.0)
    return Baseline(total / shares if metric.multiplicative else (total - shares) / count, count)


def _of_day(metric: Metric, season: Season, level: Baseline, points: Sequence[Point]) -> Baseline:
    """The day's level at the window's time of day."""
    count = sum(point.number for point in points)
    share = sum(point.number * season.at(point.at) for point in points) / count
    noise = season.noise[points[0].at // HOUR % HOURS]
    mean = level.mean * share if metric.multiplicative else level.mean + share
    if metric.family is Family.RATE:
        mean = min(mean, 1.0)
    return Baseline(mean, 1.0 / (1.0 / level.count + noise))


def of_week(metric: Metric, week: Sequence[Point], since: int, until: int) -> Baseline | None:
    """The same hours of the past week; `None` with less than three days or too few calls in them."""
    middle = (since + until) // 2
    into = middle % HOUR / HOUR
    # The two full hours nearest to the window's middle, by how near they are.
    first = (middle - HOUR // 2) // HOUR % HOURS
    weight = (into + 0.5) % 1.0
    weights = {first: 1.0 - weight, (first + 1) % HOURS: weight}
    count = total = 0.0
    days = set()
    for point in week:
        share = weights.get(point.at // HOUR % HOURS)
        if share and point.number:
            count += share * point.number
            total += share * point.total
            days.add(point.at // DAY)
    if len(days) < LEAST_DAYS or count < metric.least_before / 2:
        return None
    return Baseline(total / count, count)


def _against(
    metric: Metric, history: History, window: int, points: Sequence[Point], baseline: Baseline
) -> Comparison:
    now = summed(points)
    score = 0.0
    if _matters(metric, now, baseline.mean):
        score = _score(metric, history, window, now, baseline)
        if score >= metric.bar:
            # One burst is no incident: what is left without the worst five minutes must be clear of calm.
            rest = _without_worst(metric, points, baseline.mean)
            score = min(score, metric.bar - CALM + _score_of_rest(metric, history, window, rest, baseline))
    return Comparison(window, baseline.mean, now.total / now.number, baseline.count, now.number, score)


def change(metric: Metric, before: float, now: float) -> float:
    """By how much it got worse on the metric's scale of comparison; negative where it got better."""
    if not metric.multiplicative:
        return metric.sign * (now - before)
    if now <= 0:
        return 0.0
    return metric.sign * math.log(now / before) if before > 0 else math.inf


def _matters(metric: Metric, now: Point, before: float) -> bool:
    """Whether the change is worth a word."""
    if metric.family is Family.RATE and (
        now.total < metric.least_bad or now.total / now.number - before < metric.least_points
    ):
        return False
    return change(metric, before, now.total / now.number) >= metric.least_change


def _without_worst(metric: Metric, points: Sequence[Point], before: float) -> Point:
    excess = [metric.sign * (point.total - before * point.number) for point in points]
    worst = excess.index(max(excess))
    return summed(point for index, point in enumerate(points) if index != worst)


def _score_of_rest(metric: Metric, history: History, window: int, rest: Point, baseline: Baseline) -> float:
    """The score of what is left; 0 where it shows less than half of what is worth a word."""
    if not rest.number or change(metric, baseline.mean, rest.total / rest.number) < metric.least_change / 2:
        return 0.0
    return _score(metric, history, window, rest, baseline)


def _score(metric: Metric, history: History, window: int, now: Point, baseline: Baseline) -> float:
    if metric.family is Family.RATE:
        score = _of_rates(now, baseline)
        if score <= CALM:
            return score
        expected = baseline.mean * now.number
        between = spread.of_rate(history.day, history.season, window)
        between *= expected / (1.0 - min(baseline.mean, 0.99))
        return _normal(score / math.sqrt(1.0 + between), between / (1.0 + between))
    found = spread.of_mean(metric, history.day, history.season, window)
    if found is None:
        return 0.0
    difference = change(metric, baseline.mean, now.total / now.number)
    variance = found.of_mean(now.number) + found.calls / baseline.count
    return _normal(difference / math.sqrt(variance), found.blocks / variance)


def _normal(score: float, share: float) -> float:
    """A score as that of a normal value, where `share` of its variance is only known from a day's hours.

    Degrees of freedom by Satterthwaite, "An approximate distribution of estimates of variance components",
    Biometrics Bulletin 2 (1946) 110-114; from t to normal by Wallace, "Bounds on normal approximations to
    Student's and the chi-square distributions", Annals of Mathematical Statistics 30 (1959) 1121-1130.
    """
    if share <= 0.0:
        return score
    freedom = HOURS_KNOWN / (share * share)
    return math.copysign(
        (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(score * score / freedom)),
        score,
    )


def _of_rates(now: Point, baseline: Baseline) -> float:
    """The signed root of the likelihood ratio of two shares; nearly normal even for few bad calls."""
    before = min(baseline.mean, 1.0)
    both = (now.total + before * baseline.count) / (now.number + baseline.count)
    ratio = (
        _likelihood(now.total, now.number, now.total / now.number)
        + _likelihood(before * baseline.count, baseline.count, before)
        - _likelihood(now.total + before * baseline.count, now.number + baseline.count, both)
    )
    return math.sqrt(max(0.0, 2.0 * ratio))


def _likelihood(bad: float, count: float, share: float) -> float:
    good = count - bad
    return (bad * math.log(share) if bad > 0 else 0.0) + (good * math.log1p(-share) if good > 0 else 0.0)
