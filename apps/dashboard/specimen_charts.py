"""The charts of the staff style guide: every kind, with a gap, compared periods, a mark and a limit."""

from collections.abc import Sequence
from typing import Final

from apps.core.charts import Chart, Drawing, Kind, Mark, Series, Unit, draw

DAYS: Final = [f"{day} Nov" for day in range(7, 21)]
_WEEKS: Final = (109, 66, 59, 110, 117, 121, 116, 109, 65, 59, 111, 121, 118, 72)
_SHARES: Final = (
    ("intent-classifier", 0.29),
    ("priority-score", 0.27),
    ("language-detect", 0.24),
    ("support-reply", 0.09),
    ("summary", 0.06),
    ("26 others", 0.05),
)


def specimen_charts(theme: str) -> Sequence[Drawing]:
    """Bars on each other, bars with an unknown day, lines with a gap, and an area under a limit."""
    return [draw(chart, theme) for chart in (_requests(theme), _cost(theme), _latency(theme), _total(theme))]


def _requests(theme: str) -> Chart:
    series = [
        Series(
            name,
            [round(each * 1000 * share) for each in _WEEKS],
            previous=[round(each * 940 * share) for each in _WEEKS],
            rest=name.endswith("others"),
        )
        for name, share in _SHARES
    ]
    return Chart(f"Requests, {theme}", DAYS, series, meta="per day, by prompt", compared="the 14 days before")


def _cost(theme: str) -> Chart:
    known: list[float | None] = [round(each * 0.81, 2) for each in _WEEKS]
    known[3] = known[4] = None
    return Chart(
        f"Cost, {theme}",
        DAYS,
        [Series("claude-sonnet-4-5", known)],
        unit=Unit.MONEY,
        missing="unknown",
        notes=["366,204 more calls of unknown price"],
    )


def _latency(theme: str) -> Chart:
    slow: list[int | None] = [
        2600,
        2500,
        2500,
        2700,
        2650,
        2800,
        2700,
        2700,
        None,
        None,
        2900,
        3600,
        3900,
        3100,
    ]
    rows = (("p50", 0.35), ("p95", 1.0), ("p99", 1.52))
    return Chart(
        f"Latency, {theme}",
        DAYS,
        [Series(name, [None if each is None else each * share for each in slow]) for name, share in rows],
        unit=Unit.DURATION,
        kind=Kind.LINES,
        missing="no calls",
        marks=[Mark(11, "provider slow")],
    )


def _total(theme: str) -> Chart:
    values = [None if day > 9 else 16 * (day + 1) + day * day for day in range(14)]
    return Chart(
        f"Runs, running total, {theme}",
        DAYS,
        [Series("Runs", values)],
        kind=Kind.AREA,
        missing="still to come",
        limit=300,
        limit_name="included",
        size="low",
    )
