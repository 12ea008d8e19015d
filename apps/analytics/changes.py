"""What changed most between two periods. Pure.

A rate or a mean of few requests says nothing, so a measure takes part only with a minimum on both sides. What
takes part is ordered by how many times it changed by what somebody would notice: a point of the error rate, a
tenth of latency or cost, a tenth of a rating.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from apps.analytics.histograms import percentile
from apps.analytics.metrics import Sums, Value
from apps.analytics.queries import Figures, Group, Row

LEAST_REQUESTS: Final = 50
LEAST_RATINGS: Final = 10
# All must also have moved by more than chance would move them, in standard errors; a rating's are taken as
# large as they can be, so two of them say as much.
_SIGMAS: Final = 3.0
_SIGMAS_OF_RATING: Final = 2.0
_NOTICED_POINT: Final = 0.01
_NOTICED_RATIO: Final = log(1.1)
_NOTICED_RATING: Final = 0.1
_P95: Final = 0.95
MEASURES: Final = ("error_rate", "latency_p95", "cost_per_request", "satisfaction")


@dataclass(frozen=True)
class Changed:
    """One group's measure before and now; `size` is in changes that somebody would notice."""

    group: Group
    metric: str
    before: Value
    now: Value
    size: float


def what_changed(rows: Iterable[Row], most: int) -> list[Changed]:
    """The largest changes of any group in any of MEASURES, the largest first."""
    found = [each for row in rows if row.previous is not None for each in _of_row(row, row.previous)]
    return sorted((each for each in found if each.size >= 1), key=lambda each: -each.size)[:most]


def _of_row(row: Row, before: Figures) -> Iterator[Changed]:
    if row.group.kind == "others":
        return
    now = row.total
    for metric in MEASURES:
        size = _size(metric, now, before)
        if size is not None:
            yield Changed(row.group, metric, before[metric], now[metric], size)


def _size(metric: str, now: Figures, before: Figures) -> float | None:
    new, old = now[metric], before[metric]
    if new is None or old is None:
        return None
    if metric == "satisfaction":
        return _size_of_rating(float(new), float(old), now.sums.feedback_count, before.sums.feedback_count)
    if min(now.requests, before.requests) < LEAST_REQUESTS:
        return None
    if metric == "error_rate":
        return _size_of_rate(now, before)
    if new <= 0 or old <= 0 or not _MORE_THAN_CHANCE[metric](now.sums, before.sums):
        return None
    return abs(log(float(new) / float(old))) / _NOTICED_RATIO


def _latency_differs(now: Sums, before: Sums) -> bool:
    """Whether the ranges in which the two p95 surely lie are apart."""
    low, high = _range_of_p95(now.latency)
    low_before, high_before = _range_of_p95(before.latency)
    return low > high_before or high < low_before


def _range_of_p95(counts: Mapping[int, int]) -> tuple[float, float]:
    """Two standard errors of the rank to both sides; without bounds where there are too few for that."""
    number = sum(counts.values())
    around = 2 * sqrt(_P95 * (1 - _P95) / number) if number else 1.0
    low = percentile(counts, max(_P95 - around, 0.0))
    high = percentile(counts, _P95 + around) if _P95 + around < 1 else None
    return low or 0.0, float("inf") if high is None else high


def _cost_differs(now: Sums, before: Sums) -> bool:
    """Whether two means are over two standard errors apart, as costs of calls spread as their mean is."""
    calls, calls_before = now.priced + now.free, before.priced + before.free
    if not calls or not calls_before:
        return False
    ratio = abs(log(float(now.cost / calls) / float(before.cost / calls_before)))
    return ratio > 2 * sqrt(1 / calls + 1 / calls_before)


_MORE_THAN_CHANCE: Final[Mapping[str, Callable[[Sums, Sums], bool]]] = {
    "latency_p95": _latency_differs,
    "cost_per_request": _cost_differs,
}


def _size_of_rating(new: float, old: float, count: int, count_before: int) -> float | None:
    if min(count, count_before) < LEAST_RATINGS:
        return None
    # Single ratings aren't kept here; from 1 to 5 they can't lie wider apart than this.
    spread = [(mean - 1) * (5 - mean) / number for mean, number in ((new, count), (old, count_before))]
    difference = abs(new - old)
    return difference / _NOTICED_RATING if difference > _SIGMAS_OF_RATING * sqrt(sum(spread)) else None


def _size_of_rate(now: Figures, before: Figures) -> float | None:
    new, old = now.sums.failed / now.requests, before.sums.failed / before.requests
    both = (now.sums.failed + before.sums.failed) / (now.requests + before.requests)
    error = sqrt(both * (1 - both) * (1 / now.requests + 1 / before.requests))
    difference = abs(new - old)
    return difference / _NOTICED_POINT if difference > _SIGMAS * error else None
