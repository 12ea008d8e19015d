"""The two rules a project chooses from, and when an incident is over.

The statistical rule opens at the metric's bar and is calm again under CALM: between the two an incident stays
as it is, so that it does not flicker. The simple rule is the one that needs no explanation: error rate up by
0.1, latency up by 10 %, last hour against the 24 hours before.
"""

import enum
import math
from dataclasses import dataclass
from typing import Final

from apps.analytics.degradation.metrics import ERROR_RATE, LATENCY, Metric, summed
from apps.analytics.degradation.statistic import CALM, Comparison, History, compare

SIMPLE_METRICS: Final = (ERROR_RATE, LATENCY)
SIMPLE_LEAST_CALLS: Final = 20
SIMPLE_ERRORS_UP: Final = 0.1
SIMPLE_LATENCY_UP: Final = math.log(1.1)
# So many looks in a row must be calm before an incident closes.
CALM_LOOKS: Final = 3


class Rule(enum.StrEnum):
    """How a project finds out that a version got worse."""

    STATISTICAL = "statistical"
    SIMPLE = "simple"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Finding:
    """One look at one metric of one version.

    `comparison` is the clearest window, `None` where there are too few calls to tell. An incident opens where
    it is `worse` and closes after CALM_LOOKS looks in a row that are `calm`, by the shortest window that can
    tell; in between it stays as it is.
    """

    metric: Metric
    rule: Rule
    comparison: Comparison | None = None
    worse: bool = False
    calm: bool = False


def judge(rule: Rule, metric: Metric, history: History) -> Finding:
    """What the rule says of the last hour. The simple rule knows error rate and latency only."""
    if rule is Rule.STATISTICAL:
        return _by_score(metric, history)
    if rule is Rule.SIMPLE and metric in SIMPLE_METRICS:
        return _by_difference(metric, history)
    return Finding(metric, rule)


def _by_score(metric: Metric, history: History) -> Finding:
    windows = compare(metric, history)
    if not windows:
        return Finding(metric, Rule.STATISTICAL)
    clearest = max(windows, key=lambda comparison: comparison.score)
    calm = windows[0].score < CALM
    return Finding(metric, Rule.STATISTICAL, clearest, clearest.score >= metric.bar and not calm, calm)


def _by_difference(metric: Metric, history: History) -> Finding:
    comparison = plain(history)
    if comparison is None:
        return Finding(metric, Rule.SIMPLE)
    # Latency is compared in logarithms, so its difference is a ratio.
    most = SIMPLE_ERRORS_UP if metric is ERROR_RATE else SIMPLE_LATENCY_UP
    worse = comparison.now - comparison.before >= most
    return Finding(metric, Rule.SIMPLE, comparison, worse, not worse)


def plain(history: History) -> Comparison | None:
    """The last hour against the 24 hours before, uncorrected; `None` with less than 20 calls in either."""
    now, before = summed(history.hour), summed(history.day)
    if min(now.number, before.number) < SIMPLE_LEAST_CALLS:
        return None
    return Comparison(
        60, before.total / before.number, now.total / now.number, before.number, now.number, score=0.0
    )


def chance(score: float) -> float:
    """How likely a single look is to reach the score when nothing is wrong."""
    return 0.5 * math.erfc(score / math.sqrt(2.0))
