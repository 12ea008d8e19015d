"""What changed most between two periods. Pure.

A rate or a mean of few requests says nothing, so a measure takes part only with a minimum on both sides. What
takes part is ordered by how many times it changed by what somebody would notice: a point of the error rate, a
tenth of latency or cost, a tenth of a rating.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from apps.analytics.metrics import Value
from apps.analytics.queries import Figures, Group, Row

LEAST_REQUESTS: Final = 50
LEAST_RATINGS: Final = 10
# A rate or a rating must also have moved by more than chance would move it, in standard errors; a rating's
# are taken as large as they can be, so two of them say as much.
_SIGMAS: Final = 3.0
_SIGMAS_OF_RATING: Final = 2.0
_NOTICED_POINT: Final = 0.01
_NOTICED_RATIO: Final = log(1.1)
_NOTICED_RATING: Final = 0.1
_RATIOS: Final = ("latency_p95", "cost_per_request")
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
    if metric in _RATIOS:
        return abs(log(float(new) / float(old))) / _NOTICED_RATIO if new > 0 and old > 0 else None
    return _size_of_rate(now, before)


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
