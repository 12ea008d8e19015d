"""From figures to marks: everything lies in a box of 1000 by 100 that the page stretches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from apps.core.charts.figures import Figures, figures_of
from apps.core.charts.sparks import points, unbroken
from apps.core.charts.spec import Chart, Kind, Series
from apps.core.charts.summary import summary_of
from apps.core.charts.units import Number, every, steps_to

WIDTH: Final = 1000.0
HEIGHT: Final = 100.0
_BAR_SHARE: Final = 0.66
_DENSE: Final = 40
_SEAM: Final = 0.55
_MOST_HEADS: Final = 5
# A stack drawn thinner than this would vanish; it is drawn as thick as this.
_THINNEST: Final = 0.4


@dataclass(frozen=True)
class Slot:
    """One period: what a pointer over it reads."""

    title: str
    x: float
    width: float


@dataclass(frozen=True)
class Bars:
    """All bars of one series as one path; `fill` is its texture."""

    fill: str
    path: str


@dataclass(frozen=True)
class Line:
    """One series as stretches of points; `dots` are values that stand alone, `last` is its newest one."""

    css: str
    lines: Sequence[str]
    areas: Sequence[str]
    dots: Sequence[str]
    last: str


@dataclass(frozen=True)
class Key:
    """One entry of the legend. `look` is bar, line, ghost, gap, limit or note."""

    look: str
    css: str
    fill: str
    name: str


@dataclass(frozen=True)
class Tick:
    """A line of the grid with its height in the box."""

    y: float
    text: str
    base: bool


@dataclass(frozen=True)
class Drawing:
    """All that `components/chart.html` writes."""

    id: str
    title: str
    meta: str
    size: str
    summary: str
    is_bars: bool
    textures: Sequence[tuple[str, str]]
    ticks: Sequence[Tick]
    heads: Sequence[str]
    slots: Sequence[Slot]
    bars: Sequence[Bars]
    lines: Sequence[Line]
    ghosts: Sequence[str]
    gaps: Sequence[tuple[float, float]]
    marks: Sequence[tuple[str, str]]
    limit: float | None
    legend: Sequence[Key]
    figures: Figures


def draw(chart: Chart, key: str = "") -> Drawing:
    """Draw a chart. `key` tells two charts of the same title on one page apart."""
    name = f"chart-{crc32(f'{chart.title} {key}'.encode()):x}"
    ticks = steps_to(_top(chart), chart.unit)
    scale = _Scale(len(chart.heads), ticks[0], ticks[-1])
    bars = chart.kind is Kind.BARS
    gaps = _gaps(chart, scale)
    return Drawing(
        id=name,
        title=chart.title,
        meta=chart.meta,
        size=chart.size,
        summary=chart.summary or summary_of(chart),
        is_bars=bars,
        textures=[(f"{name}-{css}", css) for css in _classes(chart)] if bars else [],
        ticks=[
            Tick(scale.y(value), chart.unit.write_short(value), value == ticks[0])
            for value in reversed(ticks)
        ],
        heads=list(chart.axis) or thin(chart.heads),
        slots=[_slot(chart, scale, index) for index in range(len(chart.heads))],
        bars=list(_bars(chart, scale, name)) if bars else [],
        lines=[] if bars else [_line(chart, each, css, scale) for each, css in _drawn(chart)],
        ghosts=list(_ghosts(chart, scale)),
        gaps=gaps,
        marks=_marks(chart),
        limit=None if chart.limit is None else round(scale.y(float(chart.limit)), 2),
        legend=list(_legend(chart, name, has_gaps=bool(gaps))),
        figures=figures_of(chart),
    )


@dataclass(frozen=True)
class _Scale:
    count: int
    low: float
    top: float

    @property
    def slot(self) -> float:
        return WIDTH / max(1, self.count)

    def x(self, index: int) -> float:
        return round((index + 0.5) * self.slot, 2)

    def y(self, value: float) -> float:
        return round(HEIGHT - (value - self.low) / (self.top - self.low) * HEIGHT, 2)


def _classes(chart: Chart) -> list[str]:
    """A colour, dash and texture per series; the last is kept for the series of all others."""
    return ["s6" if each.rest else f"s{number}" for number, each in enumerate(chart.series, 1)]


def _drawn(chart: Chart) -> Iterator[tuple[Series, str]]:
    return zip(chart.series, _classes(chart), strict=True)


def _total(rows: Sequence[Sequence[Number | None]], index: int) -> float | None:
    known = [float(value) for row in rows if (value := row[index]) is not None]
    return sum(known) if known else None


def _compared(chart: Chart) -> list[Sequence[Number | None]]:
    return [each.previous for each in chart.series if each.previous]


def _top(chart: Chart) -> float:
    values, previous = [each.values for each in chart.series], _compared(chart)
    if chart.kind is Kind.BARS:
        reached = [_total(rows, index) for rows in (values, previous) for index in range(len(chart.heads))]
    else:
        reached = [None if each is None else float(each) for row in (*values, *previous) for each in row]
    limit = 0.0 if chart.limit is None else float(chart.limit)
    return max([limit, *(each for each in reached if each is not None)])


def thin(heads: Sequence[str]) -> list[str]:
    """Every n-th head; the last named one keeps its distance from the edge."""
    step = every(len(heads), _MOST_HEADS)
    far = len(heads) - max(1, step // 3)
    return [
        head if index % step == 0 and (step == 1 or index <= far) else "" for index, head in enumerate(heads)
    ]


def _slot(chart: Chart, scale: _Scale, index: int) -> Slot:
    start, end = round(index * scale.slot, 2), round((index + 1) * scale.slot, 2)
    return Slot(_title(chart, index, chart.heads[index]), start, round(end - start, 2))


def _bars(chart: Chart, scale: _Scale, name: str) -> Iterator[Bars]:
    share = _BAR_SHARE if len(chart.heads) <= _DENSE else 0.84
    width, floors = round(scale.slot * share, 2), [0.0] * len(chart.heads)
    for series, css in _drawn(chart):
        path = []
        for index, value in enumerate(series.values):
            if not value or value < 0:
                continue
            height = float(value) / scale.top * HEIGHT
            height = max(_THINNEST, height - (_SEAM if floors[index] else 0.0))
            floors[index] += float(value)
            x = round(index * scale.slot + scale.slot * (1 - share) / 2, 2)
            path.append(f"M{x:g} {scale.y(floors[index]):g}h{width:g}v{height:.2f}h-{width:g}z")
        yield Bars(f"{name}-{css}", "".join(path))


def _title(chart: Chart, index: int, head: str) -> str:
    """A line for the period, one a series, and one for what it is compared with; one series needs no name."""
    alone = len(chart.series) == 1
    lines = [
        _written(each, chart, index) if alone else f"{each.name}: {_written(each, chart, index)}"
        for each in chart.series
    ]
    rows = _compared(chart)
    # Percentiles of several lines don't add up.
    before = _total(rows, index) if chart.kind is Kind.BARS or len(rows) == 1 else None
    compared = [] if before is None else [f"{chart.compared}: {chart.unit.write(before)}"]
    return "\n".join([head, *lines, *compared])


def _written(series: Series, chart: Chart, index: int) -> str:
    value = series.values[index]
    if value is None:
        return series.words.get(index) or series.missing or chart.missing
    return chart.unit.write(value)


def _line(chart: Chart, series: Series, css: str, scale: _Scale) -> Line:
    runs = unbroken(_placed(series.values, scale))
    lines = [run for run in runs if len(run) > 1]
    areas = [[(run[0][0], HEIGHT), *run, (run[-1][0], HEIGHT)] for run in lines]
    return Line(
        css,
        [points(run) for run in lines],
        [points(run) for run in areas] if chart.kind is Kind.AREA else [],
        [_dot(run[0]) for run in runs if len(run) == 1],
        _dot(runs[-1][-1]) if runs else "",
    )


def _placed(values: Sequence[Number | None], scale: _Scale) -> list[tuple[float, float] | None]:
    return [
        None if value is None else (scale.x(index), scale.y(float(value)))
        for index, value in enumerate(values)
    ]


def _dot(point: tuple[float, float]) -> str:
    return f"M{point[0]:g} {point[1]:g}h0"


def _ghosts(chart: Chart, scale: _Scale) -> Iterator[str]:
    """The compared periods: the sum of all series over bars, each series' own over lines."""
    rows = _compared(chart)
    if chart.kind is Kind.BARS:
        rows = [[_total(rows, index) for index in range(len(chart.heads))]] if rows else []
    for row in rows:
        for run in unbroken(_placed(row, scale)):
            if len(run) > 1:
                yield points(run)


def _gaps(chart: Chart, scale: _Scale) -> list[tuple[float, float]]:
    """Stretches in which no series has a value and none says why, as start and width."""
    empty = [
        all(each.values[index] is None for each in chart.series)
        and not any(index in each.words for each in chart.series)
        for index in range(len(chart.heads))
    ]
    found: list[tuple[float, float]] = []
    start: int | None = None
    for index, is_empty in enumerate([*empty, False]):
        if is_empty and start is None:
            start = index
        elif not is_empty and start is not None:
            found.append((round(start * scale.slot, 2), round((index - start) * scale.slot, 2)))
            start = None
    return found


def _marks(chart: Chart) -> list[tuple[str, str]]:
    """A text a period, on the side on which there is room; none at all where nothing happened."""
    if not chart.marks:
        return []
    texts: dict[int, str] = {}
    for mark in chart.marks:
        texts[mark.index] = f"{texts[mark.index]}, {mark.text}" if mark.index in texts else mark.text
    half = len(chart.heads) / 2
    return [(texts.get(index, ""), "is-left" if index >= half else "") for index in range(len(chart.heads))]


def _legend(chart: Chart, name: str, *, has_gaps: bool) -> Iterator[Key]:
    look = "bar" if chart.kind is Kind.BARS else "line"
    if len(chart.series) > 1:
        for series, css in _drawn(chart):
            yield Key(look, css, f"{name}-{css}", series.name)
    if _compared(chart):
        yield Key("ghost", "", "", chart.compared)
    if chart.limit is not None:
        yield Key("limit", "", "", f"{chart.limit_name} {chart.unit.write(chart.limit)}")
    if has_gaps:
        yield Key("gap", "", "", chart.missing)
    for note in chart.notes:
        yield Key("note", "", "", note)
