"""Figures over time, of a whole period, and by one dimension. Inside the organization's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from apps.analytics import metrics as catalogue
from apps.analytics.dimensions import DIMENSIONS, METRICS_OF_ERRORS, Filters
from apps.analytics.metrics import ERRORS, METRICS, NOTHING, Metric, Need, Sums
from apps.analytics.periods import LENGTHS, Part, Period, cover, floor
from apps.analytics.queries import statements
from apps.analytics.queries.names import groups_of
from apps.analytics.queries.shapes import (
    EVERYTHING,
    OTHERS,
    REST,
    Figures,
    Group,
    Line,
    Point,
    Row,
    Series,
    Summary,
)
from apps.analytics.queries.statements import Asked, Lines
from apps.core.errors import InvalidRequest

MOST_LINES: Final = 20
MOST_ROWS: Final = 100
BY_ERROR: Final = "error"

Moments = Mapping[datetime, Sums]


def series(
    asked: Asked,
    metrics: Sequence[str],
    *,
    group_by: str | None = None,
    most: int = 8,
    compare: bool = False,
    with_points_before: bool = True,
) -> Series:
    """Metrics over time: one line of everything, or one for each of a dimension's largest groups.

    The largest are those of the first metric; what is beyond `most` is one line "All others". Comparing adds
    the period before, its points too unless they aren't wanted, which takes half the time. Raises
    InvalidRequest for metrics, dimensions or numbers that don't exist or don't go together.
    """
    chosen = check(metrics, group_by, asked.filters)
    _check_most(most, MOST_LINES)
    split = _split(asked, group_by, chosen[0].column, most, catalogue.needed(metrics))
    now = split.by_moment(_grain(asked.period))
    before = _before(asked.period, compare)
    earlier = split.by_moment(_grain(before)) if before and with_points_before else {}
    previous = split.before(before, earlier if with_points_before else None) if before else {}
    lines = (
        Line(
            group,
            _points(asked.period, now.get(key, {})),
            Figures(catalogue.total(now.get(key, {}).values())),
            Figures(previous.get(key, NOTHING)) if before else None,
            _points(before, earlier.get(key, {})) if before and with_points_before else (),
        )
        for key, group in split.groups.items()
        if group.kind != "others" or key in now or key in previous
    )
    return Series(asked.period, chosen, tuple(lines))


def summary(asked: Asked, metrics: Sequence[str] | None = None, *, compare: bool = True) -> Summary:
    """The figures of the whole period, beside those of the period before where its roll-ups are still kept.

    Raises InvalidRequest for unknown metrics.
    """
    chosen = check(metrics or _default_metrics(asked.filters), None, asked.filters)
    everything = _Split(asked, None, {"": EVERYTHING}, catalogue.needed(each.key for each in chosen) | ERRORS)
    before = _before(asked.period, compare)
    return _summary(
        asked.period,
        everything.totals(asked.period.parts()).get("", NOTHING),
        everything.totals(before.parts()).get("", NOTHING) if before else None,
    )


def breakdown(
    asked: Asked,
    group_by: str,
    metrics: Sequence[str],
    *,
    order_by: str = "requests",
    most: int = 10,
    compare: bool = False,
) -> tuple[Row, ...]:
    """A dimension's largest groups with their figures, then all others together.

    `order_by` is a metric; rates and means go by the number that they are of. Raises InvalidRequest.
    """
    return summary_by(asked, group_by, metrics, order_by=order_by, most=most, compare=compare)[1]


def summary_by(
    asked: Asked,
    group_by: str,
    metrics: Sequence[str],
    *,
    order_by: str = "requests",
    most: int = 10,
    compare: bool = False,
) -> tuple[Summary, tuple[Row, ...]]:
    """A summary with its breakdown, at the cost of the breakdown. Raises InvalidRequest."""
    check([*metrics, order_by], group_by, asked.filters)
    _check_most(most, MOST_ROWS)
    column = METRICS[order_by].column
    split = _split(asked, group_by, column, most, catalogue.needed(metrics) | ERRORS)
    before = _before(asked.period, compare)
    now = split.totals(asked.period.parts())
    earlier = split.totals(before.parts()) if before else {}
    whole = sum(getattr(each, column) for each in now.values())
    rows = tuple(
        Row(
            group,
            Figures(now.get(key, NOTHING)),
            Figures(earlier.get(key, NOTHING)) if before else None,
            float(getattr(now.get(key, NOTHING), column) / whole) if whole else None,
        )
        for key, group in split.groups.items()
        if group.kind != "others" or key in now or key in earlier
    )
    if group_by == BY_ERROR:
        # Every class stands beside all requests, so these don't add up.
        return summary(asked, metrics, compare=compare), rows
    previous = catalogue.total(earlier.values()) if before else None
    return _summary(asked.period, catalogue.total(now.values()), previous), rows


def load_sums(
    asked: Asked, *, group_by: str | None = None, need: frozenset[Need] = catalogue.EVERYTHING
) -> dict[str, dict[datetime, Sums]]:
    """The sums of every interval that has any, by a dimension's value as roll-ups hold it, else under "".

    For windows of one's own: they are added up by `metrics.total`.
    """
    dimensions = (group_by,) if group_by else ()
    found = statements.add_up_by_key(asked, _grain(asked.period), dimensions, by_moment=True, need=need)
    result: dict[str, dict[datetime, Sums]] = {}
    for (key, moment), sums in found.items():
        if moment is not None:
            result.setdefault(key[0] if key else "", {})[moment] = sums
    return result


def check(keys: Sequence[str], group_by: str | None, filters: Filters) -> tuple[Metric, ...]:
    """The metrics of these keys. Raises InvalidRequest where they don't exist or can't be split like that."""
    for key in keys:
        if key not in METRICS:
            raise InvalidRequest(
                f"'{key[:64]}' is no metric; there are {', '.join(METRICS)}.", param="metrics"
            )
    if not keys:
        raise InvalidRequest("Name at least one metric.", param="metrics")
    if group_by is not None and group_by not in DIMENSIONS:
        raise InvalidRequest(f"group_by is one of {', '.join(DIMENSIONS)}.", param="group_by")
    of_errors = filters.errors or group_by == BY_ERROR
    if of_errors and any(key not in METRICS_OF_ERRORS for key in keys):
        raise InvalidRequest(
            f"By error class there are only {' and '.join(METRICS_OF_ERRORS)}.", param="metrics"
        )
    return tuple(METRICS[key] for key in keys)


def _check_most(most: int, limit: int) -> None:
    if not 1 <= most <= limit:
        raise InvalidRequest(f"most is a whole number from 1 to {limit}.", param="most")


def _default_metrics(filters: Filters) -> Sequence[str]:
    return METRICS_OF_ERRORS if filters.errors else tuple(METRICS)


def _grain(period: Period) -> tuple[Part, ...]:
    """The period in its own intervals, the last of them whole."""
    step = LENGTHS[period.interval]
    end = period.start + step * len(period.moments)
    return (Part(period.interval, period.start, end),)


def _before(period: Period, compare: bool) -> Period | None:
    return period.previous if compare and period.comparable else None


def _summary(period: Period, now: Sums, previous: Sums | None) -> Summary:
    before = None if previous is None else Figures(previous)
    return Summary(period, Figures(now), before, tuple(_most_first(now.errors)))


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _points(period: Period, found: Moments) -> tuple[Point, ...]:
    step = LENGTHS[period.interval]
    return tuple(
        Point(moment, Figures(found.get(moment, NOTHING)), moment + step > period.now)
        for moment in period.moments
    )


def _split(asked: Asked, group_by: str | None, column: str, most: int, need: frozenset[Need]) -> "_Split":
    """The largest groups by a column's sum, and all others."""
    if group_by is None:
        return _Split(asked, None, {"": EVERYTHING}, need)
    if group_by == BY_ERROR:
        everything = _Split(asked, None, {"": EVERYTHING}, ERRORS)
        ranked = _most_first(everything.totals(asked.period.parts()).get("", NOTHING).errors)
    else:
        ranked = statements.largest(asked, asked.period.parts(), group_by, column)
    groups = groups_of(group_by, [key for key, _ in ranked[:most]])
    return _Split(asked, group_by, {**groups, REST: OTHERS}, need)


@dataclass(frozen=True, slots=True)
class _Split:
    """One question put into groups by their keys; what no group has for itself goes to the rest's."""

    asked: Asked
    group_by: str | None
    groups: Mapping[str, Group]
    need: frozenset[Need]

    def by_moment(self, parts: Sequence[Part]) -> dict[str, dict[datetime, Sums]]:
        """Each group's sums by the start of the interval."""
        result: dict[str, dict[datetime, Sums]] = {}
        for (key, moment), sums in self._add_up(parts, by_moment=True).items():
            if moment is not None:
                result.setdefault(key, {})[moment] = sums
        return result

    def totals(self, parts: Sequence[Part]) -> dict[str, Sums]:
        """Each group's sums."""
        return {key: sums for (key, _), sums in self._add_up(parts, by_moment=False).items()}

    def before(self, period: Period, points: Mapping[str, Moments] | None) -> dict[str, Sums]:
        """Each group's sums of a period before; of its points, where they are known, the last may be cut."""
        if points is None:
            return self.totals(period.parts())
        whole = floor(period.end, period.interval)
        tail = self.totals(cover(whole, period.end)) if whole < period.end else {}
        return {
            key: catalogue.total(
                [
                    *(sums for moment, sums in points.get(key, {}).items() if moment < whole),
                    *([tail[key]] if key in tail else []),
                ]
            )
            for key in {**points, **tail}
        }

    def _add_up(self, parts: Sequence[Part], *, by_moment: bool) -> dict[tuple[str, datetime | None], Sums]:
        keys = tuple(key for key, group in self.groups.items() if group.kind not in ("all", "others"))
        by_error = self.group_by == BY_ERROR
        need = self.need | ERRORS if by_error or self.asked.filters.errors else self.need
        lines = Lines() if by_error or self.group_by is None else Lines(self.group_by, keys)
        found = statements.add_up(self.asked, parts, lines=lines, by_moment=by_moment, need=need)
        narrowed = {place: _of_classes(sums, self.asked.filters.errors) for place, sums in found.items()}
        if by_error:
            return _split_by_error(narrowed, keys)
        rest = REST if self.group_by else ""
        return {(keys[line - 1] if line else rest, moment): sums for (line, moment), sums in narrowed.items()}


def _of_classes(sums: Sums, classes: Sequence[str]) -> Sums:
    if not classes:
        return sums
    errors = {name: count for name, count in sums.errors.items() if name in classes}
    return replace(sums, failed=sum(errors.values()), errors=errors)


def _split_by_error(
    found: Mapping[statements.Placed, Sums], keys: Sequence[str]
) -> dict[tuple[str, datetime | None], Sums]:
    """Each class's failed runs beside all requests, so that its rate is its share of them."""
    result: dict[tuple[str, datetime | None], Sums] = {}
    for (_, moment), sums in found.items():
        rest = {name: count for name, count in sums.errors.items() if name not in keys}
        parts = {key: {key: sums.errors.get(key, 0)} for key in keys}
        for key, errors in {**parts, **({REST: rest} if rest else {})}.items():
            result[key, moment] = Sums(
                requests=sums.requests, cancelled=sums.cancelled, failed=sum(errors.values()), errors=errors
            )
    return result
