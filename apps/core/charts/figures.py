"""The table behind a chart: the same figures to read, and exact for a file."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
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
        [each.name for each in columns],
        [each.name + each.unit.suffix for each in columns],
        [
            Row(head, exact[index], [each.cell(index) for each in columns])
            for index, head in enumerate(chart.heads)
        ],
    )


@dataclass(frozen=True)
class _Column:
    name: str
    unit: Unit
    values: Sequence[Number | None]
    missing: str
    words: Mapping[int, str]

    def cell(self, index: int) -> Cell:
        value = self.values[index]
        if value is None:
            word = self.words.get(index, self.missing)
            return Cell(word, word)
        return Cell(self.unit.write(value), exact_figure(value))


def _columns(chart: Chart) -> Iterator[_Column]:
    def column(series: Series, name: str) -> _Column:
        unit, missing = series.unit or chart.unit, series.missing or chart.missing
        return _Column(name, unit, series.values, missing, series.words)

    for each in chart.series:
        yield column(each, each.name)
    for each in chart.series:
        if each.previous:
            unit = each.unit or chart.unit
            yield _Column(f"{each.name}, {chart.compared}", unit, each.previous, chart.missing, {})
    for each in chart.beside:
        yield column(each, each.name)


def exact_figure(value: Number) -> str:
    """A figure in plain digits, without an exponent and without zeros that say nothing."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:f}" if not isinstance(value, float) else f"{value:.6f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
