"""The running total of a month as an SVG's points. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, log10
from typing import Final

WIDTH: Final = 1000.0
HEIGHT: Final = 100.0
STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class RunningTotal:
    """Points of the line and the area, the figures at the side, and the limit where it is near."""

    line: str
    area: str
    last: str
    scale: list[int]
    limit: str


def running_total(days: Sequence[tuple[date, int, int]], total_days: int, limit: int | None) -> RunningTotal:
    """Lay out the totals of the days that have begun in a month of ``total_days``."""
    largest = max((total for _, _, total in days), default=0)
    near = limit is not None and largest * 2 >= limit
    top = _round_up(max(largest, limit if near and limit else 0, STEPS))
    points = [(_x(index, total_days), _y(total, top)) for index, (_, _, total) in enumerate(days)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    begin, end = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    return RunningTotal(
        line=line,
        area=f"{begin:.1f},{HEIGHT:.0f} {line} {end:.1f},{HEIGHT:.0f}",
        last=f"M{points[-1][0]:.1f} {points[-1][1]:.1f}h0" if points else "",
        scale=[top * step // STEPS for step in range(STEPS, -1, -1)],
        limit=f"M0 {_y(limit, top):.1f}H{WIDTH:.0f}" if near and limit is not None else "",
    )


def _x(index: int, total_days: int) -> float:
    return WIDTH * (index + 0.5) / total_days


def _y(total: int, top: int) -> float:
    return HEIGHT * (1 - total / top)


def _round_up(largest: int) -> int:
    """The next number of one digit and zeros, or of one and a half, that divides into the steps."""
    size = int(10 ** int(log10(largest)))
    for factor in (1, 2, 4, 6, 8, 10):
        if largest <= factor * size and factor * size % STEPS == 0:
            return factor * size
    return ceil(largest / STEPS) * STEPS
