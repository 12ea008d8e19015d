"""Figures over time, of a whole period, and by one dimension. Inside the organization's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from apps.analytics import metrics as catalogue
from apps.analytics.dimensions import DIMENSIONS, METRICS_OF_ERRORS, Filters
from apps.analytics.metrics import ERRORS, METRICS, NOTHING, Metric, Need, Sums
from apps.analytics.periods import LENGTHS, Part, Period
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
) -> Series:
    """Metrics over time: one line of everything, or one for each of a dimension's largest groups.

    The largest are those of the first metric; what is beyond `most` is one line "All others". Raises
    InvalidRequest for metrics, dimensions or numbers that don't exist or don't go together.
    """
    chosen = check(metrics, group_by, asked.filters)
    _check_most(most, MOST_LINES)
    need = catalogue.needed(metrics)
    groups = _largest(asked, group_by, chosen[0], most)
    points = _by_line(asked, asked.period, group_by, groups, need)
    before = asked.period.previous if compare and asked.period.comparable else None
    earlier = _by_line(asked, before, group_by, groups, need) if before else {}
    totals = _totals(asked, before, group_by, groups, need) if before else {}
    lines = [
        _line(
            asked.period,
            groups[key],
            points.get(key, {}),
            before,
            earlier.get(key, {}),
            totals.get(key, NOTHING),
        )
        for key in groups
        if _is_shown(groups[key], points.get(key), totals.get(key))
    ]
    return Series(asked.period, chosen, tuple(lines))


def summary(asked: Asked, metrics: Sequence[str] | None = None, *, compare: bool = True) -> Summary:
    """The figures of the whole period, beside those of the period before where its roll-ups are still kept.

    Raises InvalidRequest for unknown metrics.
    """
    chosen = check(metrics or _default_metrics(asked.filters), None, asked.filters)
    need = catalogue.needed(each.key for each in chosen) | ERRORS
    now = _whole(asked, asked.period, need)
    before = asked.period.previous if compare and asked.period.comparable else None
    previous = Figures(_whole(asked, before, need)) if before else None
    return Summary(asked.period, Figures(now), previous, tuple(_most_first(now.errors)))


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
    check([*metrics, order_by], group_by, asked.filters)
    _check_most(most, MOST_ROWS)
    need = catalogue.needed(metrics)
    groups = _largest(asked, group_by, METRICS[order_by], most)
    now = _totals(asked, asked.period, group_by, groups, need)
    before = asked.period.previous if compare and asked.period.comparable else None
    earlier = _totals(asked, before, group_by, groups, need) if before else {}
    column = METRICS[order_by].column
    whole = sum(getattr(each, column) for each in now.values())
    return tuple(
        Row(
            group,
            Figures(now.get(key, NOTHING)),
            Figures(earlier.get(key, NOTHING)) if before else None,
            float(getattr(now.get(key, NOTHING), column) / whole) if whole else None,
        )
        for key, group in groups.items()
        if _is_shown(group, {None: now[key]} if key in now else None, earlier.get(key))
    )


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


def _is_shown(group: Group, now: object, before: object) -> bool:
    return group.kind != "others" or bool(now) or bool(before)


def _grain(period: Period) -> tuple[Part, ...]:
    """The period in its own intervals, the last of them whole."""
    step = LENGTHS[period.interval]
    end = period.start + step * len(period.moments)
    return (Part(period.interval, period.start, end),)


def _largest(asked: Asked, group_by: str | None, metric: Metric, most: int) -> dict[str, Group]:
    """The groups that get a line of their own, by key, and the one that takes the rest, under its name."""
    if group_by is None:
        return {"": EVERYTHING}
    keys = [key for key, _ in _ranked(asked, group_by, metric.column)][:most]
    return {**groups_of(group_by, keys), REST: OTHERS}


def _ranked(asked: Asked, group_by: str, column: str) -> list[tuple[str, Any]]:
    if group_by != BY_ERROR:
        return statements.largest(asked, asked.period.parts(), group_by, column)
    return _most_first(_whole(asked, asked.period, ERRORS).errors)


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _by_line(
    asked: Asked, period: Period, group_by: str | None, groups: Mapping[str, Group], need: frozenset[Need]
) -> dict[str, dict[datetime, Sums]]:
    result: dict[str, dict[datetime, Sums]] = {}
    for (key, moment), sums in _add_up(asked, _grain(period), group_by, groups, need, by_moment=True).items():
        if moment is not None:
            result.setdefault(key, {})[moment] = sums
    return result


def _totals(
    asked: Asked, period: Period, group_by: str | None, groups: Mapping[str, Group], need: frozenset[Need]
) -> dict[str, Sums]:
    found = _add_up(asked, period.parts(), group_by, groups, need, by_moment=False)
    return {key: sums for (key, _), sums in found.items()}


def _whole(asked: Asked, period: Period, need: frozenset[Need]) -> Sums:
    return _totals(asked, period, None, {"": EVERYTHING}, need).get("", NOTHING)


def _add_up(
    asked: Asked,
    parts: Sequence[Part],
    group_by: str | None,
    groups: Mapping[str, Group],
    need: frozenset[Need],
    *,
    by_moment: bool,
) -> dict[tuple[str, datetime | None], Sums]:
    """The sums by the group's key; those of no group of their own are under the rest's."""
    keys = tuple(key for key, group in groups.items() if group.kind not in ("all", "others"))
    if group_by == BY_ERROR or asked.filters.errors:
        need = need | ERRORS
    by_error = group_by == BY_ERROR
    lines = Lines() if by_error or group_by is None else Lines(group_by, keys)
    found = statements.add_up(asked, parts, lines=lines, by_moment=by_moment, need=need)
    narrowed = {place: _of_classes(sums, asked.filters.errors) for place, sums in found.items()}
    if by_error:
        return _split_by_error(narrowed, keys)
    rest = REST if group_by else ""
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


def _line(
    period: Period, group: Group, now: Moments, before: Period | None, earlier: Moments, previous: Sums
) -> Line:
    return Line(
        group,
        _points(period, now),
        Figures(catalogue.total(now.values())),
        Figures(previous) if before else None,
        _points(before, earlier) if before else (),
    )


def _points(period: Period, found: Moments) -> tuple[Point, ...]:
    step = LENGTHS[period.interval]
    return tuple(
        Point(moment, Figures(found.get(moment, NOTHING)), moment + step > period.now)
        for moment in period.moments
    )
