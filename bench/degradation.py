"""Degradation on 200 synthetic series: how soon doubled error rates are found, how often nothing is.

Pure arithmetic, no database. Each series runs for ten days: a week to learn from, a day, and two days that
are looked at every five minutes without a change (false alarms). Then changes begin at random minutes of
these two days, each on the series as it was. A change counts as found by the clock, at a look no later than
so many minutes after it began, and by whole periods of five minutes after it began. A drift series takes two
hours to get worse; its clock starts when it has. `python -m bench.degradation 40` takes only so many series.
"""

import math
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from apps.analytics.degradation.metrics import ERROR_RATE, FEEDBACK, METRICS, Metric, Point
from apps.analytics.degradation.rules import CALM_LOOKS, SIMPLE_METRICS, Rule, judge
from apps.analytics.degradation.season import Season, learn
from apps.analytics.degradation.statistic import History
from bench.degradation_series import BUCKETS_A_DAY, KINDS, START, WORSE, Series, make, ramped, worsened

SERIES: Final = 200
TRIALS: Final = {ERROR_RATE.key: 6}
OTHER_TRIALS: Final = 2
FIRST: Final = 8 * BUCKETS_A_DAY + 12
LAST: Final = 10 * BUCKETS_A_DAY
MONTH: Final = 30 * BUCKETS_A_DAY
RULES: Final = (Rule.STATISTICAL, Rule.SIMPLE)
# Bad calls expected in 15 minutes before the change; the claim is made from the last bound on.
BANDS: Final = (0, 10, 20, 40, 60, 100, 150)
PERIODS_CLAIM: Final = 60
CLOCK_CLAIM: Final = 150
PERIODS: Final = 3
WITHIN: Final = (15, 30, 60)
RAMP: Final = 24


class Delay(NamedTuple):
    """How long it took to find a change: minutes by the clock, and whole periods of five minutes."""

    minutes: float
    periods: int


@dataclass
class Counts:
    """What was found of a metric by a rule."""

    looks: int = 0
    alarms: dict[str, int] = field(default_factory=dict)
    delays: dict[tuple[str, int], list[Delay | None]] = field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        """Count what another series says as well."""
        self.looks += other.looks
        for kind, alarms in other.alarms.items():
            self.alarms[kind] = self.alarms.get(kind, 0) + alarms
        for key, delays in other.delays.items():
            self.delays.setdefault(key, []).extend(delays)


class Seasons:
    """What was learnt of each hour, so that twelve looks share one lesson."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int], Season] = {}

    def of(self, series: Series, metric: Metric, hour: int) -> tuple[list[Point], Season]:
        """The 168 hours that end with `hour`, and the season in them."""
        week = series.hourly[metric.key][max(0, hour - 168) : hour]
        key = (id(series), metric.key, hour)
        if key not in self._known:
            self._known[key] = learn(metric, week)
        return week, self._known[key]


def history(series: Series, metric: Metric, points: list[Point], seasons: Seasons, index: int) -> History:
    """What is known when bucket `index` has just begun."""
    week, season = seasons.of(series, metric, (index - 12) // 12)
    return History(
        START + 5 * index, points[index - 12 : index], points[index - 300 : index - 12], week, season
    )


def quiet(series: Series, metric: Metric, rule: Rule, counts: Counts, seasons: Seasons) -> None:
    """Two days without a change: every incident that opens is a false alarm."""
    points = series.points[metric.key]
    is_open, calm = False, 0
    for index in range(FIRST, LAST):
        finding = judge(rule, metric, history(series, metric, points, seasons, index))
        counts.looks += 1
        if not is_open and finding.worse:
            is_open, calm = True, 0
            kind = series.nature.kind
            counts.alarms[kind] = counts.alarms.get(kind, 0) + 1
        elif is_open:
            calm = calm + 1 if finding.calm else 0
            is_open = calm < CALM_LOOKS


def change(series: Series, metric: Metric, counts: dict[Rule, Counts], seasons: Seasons) -> None:
    """One change at a random minute: after how many minutes each rule says so within the hour."""
    randomness = random.Random(series.randomness.random())
    start = randomness.uniform(FIRST + RAMP + 12, LAST - 15)
    points = list(series.points[metric.key])
    first = int(start)
    if series.nature.kind == "drift":
        for index in range(first - RAMP, first):
            points[index] = ramped(series, metric, index, (index + 0.5 - first + RAMP) / RAMP)
        points[first] = ramped(series, metric, first, 1.0)
    else:
        points[first] = worsened(series, metric, first, first + 1 - start)
    for index in range(first + 1, first + 14):
        points[index] = worsened(series, metric, index, 1.0)
    expected = sum(point.total for point in series.points[metric.key][first - 36 : first]) / 12
    calls = sum(point.number for point in series.points[metric.key][first - 36 : first]) / 12
    band = _band(expected if metric.least_bad else calls / 10)
    for rule, counted in counts.items():
        delay = _found(rule, metric, series, points, seasons, start)
        counted.delays.setdefault((series.nature.kind, band), []).append(delay)


def _found(
    rule: Rule, metric: Metric, series: Series, points: list[Point], seasons: Seasons, start: float
) -> Delay | None:
    begins = int(start) - (RAMP if series.nature.kind == "drift" else 0)
    for index in range(begins + 1, int(start) + 14):
        if judge(rule, metric, history(series, metric, points, seasons, index)).worse:
            return Delay((index - start) * 5, index - math.ceil(start))
    return None


def _band(expected: float) -> int:
    return max(bound for bound in BANDS if expected >= bound or bound == 0)


def knows(rule: Rule, metric: Metric) -> bool:
    """Whether the rule watches the metric at all."""
    return rule is Rule.STATISTICAL or metric in SIMPLE_METRICS


Results: TypeAlias = dict[tuple[Rule, str], Counts]


def run(number_of_series: int) -> Results:
    """All series, metrics and rules; series are shared out among the processors."""
    results = {(rule, metric.key): Counts() for rule in RULES for metric in METRICS if knows(rule, metric)}
    with ProcessPoolExecutor() as pool:
        for found in pool.map(one, chosen(number_of_series)):
            for key, counts in found.items():
                results[key].add(counts)
    return results


def one(number: int) -> Results:
    """What both rules say of every metric of one series."""
    series, seasons = make(number), Seasons()
    results: Results = {}
    for metric in METRICS:
        both = {rule: Counts() for rule in RULES if knows(rule, metric)}
        for rule, counts in both.items():
            quiet(series, metric, rule, counts, seasons)
        for _ in range(TRIALS.get(metric.key, OTHER_TRIALS)):
            change(series, metric, both, seasons)
        results |= {(rule, metric.key): counts for rule, counts in both.items()}
    return results


def chosen(number_of_series: int) -> list[int]:
    """So many series, of every kind and volume alike."""
    every = SERIES // number_of_series
    return [number for number in range(SERIES) if number // len(KINDS) % every == 0]


def report(results: Results) -> Iterator[str]:
    """The lines to print."""
    yield "false alarms per series-month (series-months; by kind)"
    for (rule, key), counts in results.items():
        months = counts.looks / MONTH
        by_kind = ", ".join(f"{kind} {counts.alarms.get(kind, 0)}" for kind in KINDS)
        rate = sum(counts.alarms.values()) / months
        verdict = "ok" if rate <= 1 else "FAILED" if rule is Rule.STATISTICAL else "simple"
        yield f"  {rule:12} {key:16} {rate:6.2f}  ({months:.1f}; {by_kind})  {verdict}"
    for metric in METRICS:
        yield from _power(results, metric)
    yield from _claim(results)


def _power(results: Results, metric: Metric) -> Iterator[str]:
    worse = f"{WORSE[metric.key]:+g}" if metric is FEEDBACK else f"times {WORSE[metric.key]:g}"
    yield f"{metric.key} {worse}: found within 3 periods | 15 / 30 / 60 minutes by the clock,"
    yield f"  by {'bad calls' if metric.least_bad else 'tens of calls'} in 15 minutes before it"
    for bound in BANDS:
        cells, trials = [], 0
        for rule in RULES:
            if knows(rule, metric):
                delays = _delays(results[rule, metric.key], bound, _above(bound))
                cells.append(f"{rule} {_shares(delays)}")
                trials = len(delays)
        yield f"  from {bound:3}: {'   '.join(cells)}   {trials} changes"


def _above(bound: int) -> int:
    return next((higher for higher in BANDS if higher > bound), sys.maxsize)


def _delays(counts: Counts, least: int, below: int = sys.maxsize, kind: str = "") -> list[Delay | None]:
    return [
        delay
        for (of_kind, band), some in counts.delays.items()
        if least <= band < below and kind in ("", of_kind)
        for delay in some
    ]


def _claim(results: Results) -> Iterator[str]:
    for rule in RULES:
        counts = results[rule, ERROR_RATE.key]
        for kind in KINDS:
            yield f"  {rule:12} {kind:14} {_shares(_delays(counts, PERIODS_CLAIM, kind=kind))}"
        by_periods = [_in_periods(delay) for delay in _delays(counts, PERIODS_CLAIM)]
        by_clock = [_by_clock(delay, WITHIN[0]) for delay in _delays(counts, CLOCK_CLAIM)]
        yield _verdict(rule, f"from {PERIODS_CLAIM} bad calls, within three whole periods", by_periods)
        yield _verdict(rule, f"from {CLOCK_CLAIM} bad calls, within 15 minutes by the clock", by_clock)


def _verdict(rule: Rule, words: str, found: list[bool]) -> str:
    share = sum(found) / max(1, len(found))
    verdict = "ok" if share >= 0.95 else "FAILED" if rule is Rule.STATISTICAL else "simple"
    return f"  {rule:12} doubled error rates {words}: {100 * share:.1f} % of {len(found)}  {verdict}"


def _in_periods(delay: Delay | None) -> bool:
    return delay is not None and delay.periods <= PERIODS


def _by_clock(delay: Delay | None, minutes: int) -> bool:
    return delay is not None and delay.minutes <= minutes


def _shares(delays: list[Delay | None]) -> str:
    if not delays:
        return "    -"
    whole = sum(map(_in_periods, delays)) / len(delays)
    clock = (sum(_by_clock(delay, minutes) for delay in delays) / len(delays) for minutes in WITHIN)
    return f"{100 * whole:3.0f} % | " + " / ".join(f"{100 * share:3.0f} %" for share in clock)


if __name__ == "__main__":
    began = time.monotonic()
    lines = list(report(run(int(sys.argv[1]) if len(sys.argv) > 1 else SERIES)))
    print("\n".join(lines))
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if any(line.endswith("FAILED") for line in lines) else 0)
