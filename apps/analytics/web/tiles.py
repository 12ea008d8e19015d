"""The tiles above the charts: the whole range's figures against the period before."""

from dataclasses import dataclass
from typing import Final

from apps.analytics import queries
from apps.analytics.metrics import Value
from apps.analytics.queries import Asked, Figures, Line
from apps.analytics.web.figures import change_of, cost_name, known_cost, than, unknown_words, words
from apps.analytics.web.state import State
from apps.analytics.wording import Change
from apps.core.charts import Figures as FileFigures
from apps.core.charts import Spark, spark
from apps.core.charts.figures import Cell, Row

_METRICS: Final = {
    "requests": "Requests",
    "cost": "Cost",
    "latency_p95": "p95 latency",
    "error_rate": "Error rate",
    "satisfaction": "Satisfaction",
}


@dataclass(frozen=True)
class Tile:
    """One figure: its value, its line over time, what it was before."""

    metric: str
    name: str
    value: str
    unit: str
    note: str
    change: Change | None
    than: str
    spark: Spark | None
    spark_label: str


def tiles_of(asked: Asked, state: State) -> list[Tile]:
    """The tiles of a range, from one series of everything."""
    found = queries.series(asked, [*_METRICS], compare=state.compare)
    line = found.lines[0]
    return [_tile(metric, name, line, state) for metric, name in _METRICS.items()]


def file_of(tiles: list[Tile]) -> FileFigures:
    """The tiles as a file."""
    rows = [Row(tile.name, tile.name, [_cell(_written(tile)), _cell(_note(tile))]) for tile in tiles]
    return FileFigures("Figure", ["Value", "Note"], ["Value", "Note"], rows)


def _tile(metric: str, name: str, line: Line, state: State) -> Tile:
    total = line.total
    value, _, unit = words(metric, total).partition(" of ")
    change = change_of(metric, total, line.previous) if state.compare else None
    return Tile(
        metric,
        cost_name(total, sandbox=state.sandbox) if metric == "cost" else name,
        value,
        f"of {unit}" if unit else "",
        _extra(metric, total),
        change,
        f"{than(metric, change)} before" if change else "",
        spark([_value(metric, point.figures) for point in line.points]),
        f"{name} over the range",
    )


def _value(metric: str, figures: Figures) -> Value:
    return known_cost(figures) if metric == "cost" else figures[metric]


def _extra(metric: str, total: Figures) -> str:
    sums = total.sums
    if metric == "cost" and sums.unknown_price:
        return f"{unknown_words(sums.unknown_price)}{' not in it' if sums.priced else ''}"
    if metric == "satisfaction" and sums.feedback_count:
        return f"from {sums.feedback_count:,} rating{'s' * (sums.feedback_count != 1)}"
    if metric == "error_rate" and sums.failed:
        return f"{sums.failed:,} failed"
    return ""


def _written(tile: Tile) -> str:
    return f"{tile.value} {tile.unit}".strip()


def _note(tile: Tile) -> str:
    return "; ".join(filter(None, [f"{tile.change.words} {tile.than}" if tile.change else "", tile.note]))


def _cell(text: str) -> Cell:
    return Cell(text, text)
