"""The small line of a tile or a table's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from apps.core.charts.units import Number

WIDTH: Final = 72.0
HEIGHT: Final = 24.0
_EDGE: Final = 3.0


@dataclass(frozen=True)
class Spark:
    """Points of a line in a box of 72 by 24, broken where there is no value; `last` is its newest point."""

    lines: Sequence[str]
    areas: Sequence[str]
    last: str


def spark(values: Sequence[Number | None]) -> Spark | None:
    """Draw values of periods, oldest first. None where fewer than two have a value: that is no line."""
    known = [float(each) for each in values if each is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    step = (WIDTH - 2) / (len(values) - 1)

    def point(index: int, value: Number) -> tuple[float, float]:
        share = (float(value) - low) / (high - low) if high > low else 0.5
        return round(1 + index * step, 2), round(HEIGHT - 2 - share * (HEIGHT - 2 - _EDGE), 2)

    placed = [None if value is None else point(index, value) for index, value in enumerate(values)]
    runs = unbroken(placed)
    x, y = runs[-1][-1]
    return Spark(
        [points(run) for run in runs],
        [points([(run[0][0], HEIGHT), *run, (run[-1][0], HEIGHT)]) for run in runs if len(run) > 1],
        f"M{x:g} {y:g}h0",
    )


def unbroken(placed: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The stretches of points that follow each other without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for each in placed:
        if each is not None:
            runs[-1].append(each)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def points(run: Sequence[tuple[float, float]]) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{x:g},{y:g}" for x, y in run)
