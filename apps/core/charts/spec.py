"""What a page says about a chart. Everything else follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from apps.core.charts.units import Number, Unit

# More would not be told apart: a page puts the rest into one series.
MOST_SERIES: Final = 6


class Kind(StrEnum):
    """How figures are drawn. Bars of several series stand on each other; lines and areas don't."""

    BARS = "bars"
    LINES = "lines"
    AREA = "area"


@dataclass(frozen=True)
class Series:
    """One row of figures, a value per period. None is no value: a gap in the drawing, `missing` in the table.

    `words` say of single periods why there is no value ("no calls"): then it is no gap, nothing is unknown.
    `previous` are the figures of the compared periods; `rest` marks the series that holds all others;
    `unit` is said where it differs from the chart's (only in `Chart.beside`).
    """

    name: str
    values: Sequence[Number | None]
    previous: Sequence[Number | None] = ()
    rest: bool = False
    unit: Unit | None = None
    missing: str = ""
    words: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """What happened in a period: a label moved, an incident began."""

    index: int
    text: str


@dataclass(frozen=True)
class Chart:
    """One chart: its title, a head per period, and series of as many values.

    `period` heads the first column ("Day"). `missing` is what the table says where there is no value.
    `compared` says what `Series.previous` are ("the 14 days before"). `beside` are columns of the table that
    are not drawn, `notes` stand in the legend, `limit` is drawn as a line with `limit_name`. `axis` names
    periods below the drawing (else every n-th head), `exact_heads` in a file.
    """

    title: str
    heads: Sequence[str]
    series: Sequence[Series]
    unit: Unit = Unit.COUNT
    kind: Kind = Kind.BARS
    period: str = "Day"
    missing: str = "no data"
    meta: str = ""
    compared: str = ""
    notes: Sequence[str] = ()
    beside: Sequence[Series] = ()
    marks: Sequence[Mark] = ()
    limit: Number | None = None
    limit_name: str = "limit"
    summary: str = ""
    axis: Sequence[str] = ()
    exact_heads: Sequence[str] = ()
    size: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for series of another length than the periods, or too many of them."""
        if len(self.series) > MOST_SERIES:
            raise ValueError(f"a chart shows at most {MOST_SERIES} series")
        rows = [each.values for each in (*self.series, *self.beside)]
        rows += [each.previous for each in self.series if each.previous]
        if any(len(row) != len(self.heads) for row in rows):
            raise ValueError("a series has another number of values than there are periods")
