"""The table behind a chart: the same figures to read, and exact for a file."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.core.charts.spec import Chart, Series
from apps.core.charts.units import Number, Unit
from apps.core.spreadsheets import safe_cell


@dataclass(frozen=True)
class Cell:
    """A figure: as it reads, and exact. `exact` is the word itself where there is no value."""

    text: str
    exact: str


@dataclass(frozen=True)
class Row:
    """The figures of one period."""

    head: str
    exact_head: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Figures:
    """Heads and rows. `exact_heads` name units; heads are the names alone."""

    period: str
    heads: Sequence[str]
    exact_heads: Sequence[str]
    rows: Sequence[Row]

    def csv(self) -> str:
        """The table as a file: exact figures, words where there is no value, safe in a spreadsheet."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([safe_cell(head) for head in (self.period, *self.exact_heads)])
        for row in self.rows:
            writer.writerow(
                [safe_cell(value) for value in (row.exact_head, *(each.exact for each in row.cells))]
            )
        return text.getvalue()


def figures_of(chart: Chart) -> Figures:
    """The table of a chart: a column a series, then the compared ones, then those beside it."""
    columns = list(_columns(chart))
    exact = chart.exact_heads or chart.heads
    return Figures(
        chart.period,
        [name for name, _, _, _ in columns],
        [name + unit.suffix for name, unit, _, _ in columns],
        [
            Row(head, exact[index], [_cell(values[index], unit, word) for _, unit, values, word in columns])
            for index, head in enumerate(chart.heads)
        ],
    )


def _columns(chart: Chart) -> Iterator[tuple[str, Unit, Sequence[Number | None], str]]:
    def column(
        series: Series, values: Sequence[Number | None], name: str
    ) -> tuple[str, Unit, Sequence[Number | None], str]:
        return name, series.unit or chart.unit, values, series.missing or chart.missing

    for each in chart.series:
        yield column(each, each.values, each.name)
    for each in chart.series:
        if each.previous:
            yield column(each, each.previous, f"{each.name}, {chart.compared}")
    for each in chart.beside:
        yield column(each, each.values, each.name)


def _cell(value: Number | None, unit: Unit, missing: str) -> Cell:
    return Cell(missing, missing) if value is None else Cell(unit.write(value), _exact(value))


def _exact(value: Number) -> str:
    """Plain digits, without an exponent and without zeros that say nothing."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:f}" if not isinstance(value, float) else f"{value:.6f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
