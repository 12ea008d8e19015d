"""From series to charts: one function a panel."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from apps.analytics import queries
from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.incidents.queries import between
from apps.analytics.metrics import METRICS, Value
from apps.analytics.queries import Asked, Figures, Line, Series
from apps.analytics.queries.moves import label_moves
from apps.analytics.web.clock import clock_of
from apps.analytics.web.figures import MADE_UP, absence, in_sentence, known_cost, unknown_words
from apps.analytics.web.state import State
from apps.core import charts
from apps.core.charts import Chart, Kind, Mark, Unit

# One series more holds all others.
MOST: Final = 5
MOST_LINES: Final = 4
MOST_MARKS: Final = 4
UNITS: Final = {
    "count": Unit.COUNT,
    "tokens": Unit.COUNT,
    "usd": Unit.MONEY,
    "ms": Unit.DURATION,
    "share": Unit.SHARE,
    "score": Unit.SCORE,
}


def requests(asked: Asked, state: State) -> Chart:
    """Requests by group, with all of the period before."""
    return _stacked("Requests", "requests", queries_of(asked, state, ["requests"], state.group_by), state)


def cost(asked: Asked, state: State) -> Chart:
    """Known costs by group; calls of unknown price are counted apart, never drawn as nothing."""
    found = queries_of(asked, state, ["cost"], state.group_by)
    chart = _stacked("Cost", "cost", found, state)
    unknown = [
        sum(line.points[index].figures.sums.unknown_price for line in found)
        for index in range(len(chart.heads))
    ]
    notes = [MADE_UP] if state.sandbox else []
    if not any(unknown):
        return replace(chart, notes=notes)
    beside = charts.Series("Calls of unknown price", unknown, unit=Unit.COUNT)
    return replace(chart, beside=[beside], notes=[*notes, f"{unknown_words(sum(unknown))} not in it"])


def latency(asked: Asked, state: State) -> Chart:
    """The middle, the slowest twentieth and the slowest hundredth of succeeded calls."""
    names = {"latency_p50": "p50", "latency_p95": "p95", "latency_p99": "p99"}
    found = queries_of(asked, state, list(names), None)
    # Three dotted lines more would hide the three that count.
    series = [_series(line, metric, name, compare=False) for line in found for metric, name in names.items()]
    compared = [_previous(line, "latency_p95") for line in found]
    series = [
        replace(each, previous=compared[0]) if each.name == "p95" and compared else each for each in series
    ]
    chart = _chart("Latency", "latency_p95", found, state, series, "of succeeded calls")
    return replace(
        chart, kind=Kind.LINES, compared=f"p95 {state.before_words}", marks=_marks(asked, found, ("latency",))
    )


def errors(asked: Asked, state: State) -> Chart:
    """Failed calls as a share of all, by class."""
    found = queries_of(asked, state, ["error_rate"], "error")
    if not found.lines:
        found = queries_of(asked, state, ["error_rate"], None)
    series = [_series(line, "error_rate", _error_words(line), compare=state.compare) for line in found]
    chart = _chart("Error rate", "error_rate", found, state, series, "share of requests, by class")
    return replace(chart, marks=_marks(asked, found, ("error_rate", "schema_failures")))


def tokens(asked: Asked, state: State) -> Chart:
    """Tokens sent and received. Those read from a provider's cache are among the sent ones."""
    metrics = {"input_tokens": "Input", "output_tokens": "Output"}
    found = queries_of(asked, state, [*metrics, "cached_tokens"], None)
    series = [
        _series(line, key, name, compare=state.compare) for line in found for key, name in metrics.items()
    ]
    chart = _chart("Tokens", "input_tokens", found, state, series, "of known tokens")
    beside = [
        _series(line, "cached_tokens", "Input from the provider's cache", compare=False) for line in found
    ]
    unknown = sum(line.total.sums.unknown_tokens for line in found)
    notes = [f"{unknown:,} call{'s' * (unknown != 1)} of unknown tokens not in it"] if unknown else []
    return replace(chart, beside=beside, notes=notes)


def satisfaction(asked: Asked, state: State) -> Chart:
    """The mean rating from 1 to 5, with the number of ratings in the table."""
    found = queries_of(asked, state, ["satisfaction"], None)
    series = [_series(line, "satisfaction", "Mean rating", compare=state.compare) for line in found]
    ratings = sum(line.total.sums.feedback_count for line in found)
    words = f"mean of {ratings:,} rating{'s' * (ratings != 1)} from 1 to 5"
    chart = _chart("Satisfaction", "satisfaction", found, state, series, words)
    counts = [
        charts.Series(
            "Ratings", [point.figures.sums.feedback_count for point in line.points], unit=Unit.COUNT
        )
        for line in found
    ]
    return replace(chart, kind=Kind.LINES, beside=counts)


def latency_by_group(asked: Asked, state: State) -> Chart:
    """The slowest twentieth of each group."""
    return _lines("p95 latency", "latency_p95", asked, state)


def errors_by_group(asked: Asked, state: State) -> Chart:
    """The error rate of each group."""
    return _lines("Error rate", "error_rate", asked, state)


def queries_of(asked: Asked, state: State, metrics: Sequence[str], group_by: str | None) -> Series:
    """The series of a chart: its groups, and the period before where it is compared."""
    return queries.series(asked, metrics, group_by=group_by, most=MOST, compare=state.compare)


def _lines(title: str, metric: str, asked: Asked, state: State) -> Chart:
    dimension = DIMENSIONS[state.group_by or "prompt"]
    found = queries.series(asked, ["requests", metric], group_by=dimension.key, most=MOST_LINES)
    shown = [line for line in found if line.group.kind != "others"]
    series = [_series(line, metric, line.group.name, compare=False) for line in shown]
    title = f"{title} by {in_sentence(dimension.words)}"
    return replace(_chart(title, metric, found, state, series, "the most called"), kind=Kind.LINES)


def _stacked(title: str, metric: str, found: Series, state: State) -> Chart:
    series = [_series(line, metric, line.group.name, compare=state.compare) for line in found]
    by = f"by {in_sentence(DIMENSIONS[state.group_by].words)}" if state.group_by else "all together"
    return _chart(title, metric, found, state, series, by)


def _chart(
    title: str, metric: str, found: Series, state: State, series: Sequence[charts.Series], words: str
) -> Chart:
    points = found.lines[0].points if found.lines else ()
    if not any(line.previous and line.previous.requests for line in found):
        # Nothing was called before: a line at the bottom would say no more.
        series = [replace(each, previous=()) for each in series]
    clock = clock_of(points, found.period.interval)
    return Chart(
        title,
        clock.heads,
        series,
        unit=UNITS[METRICS[metric].unit],
        period=clock.period,
        axis=clock.axis,
        exact_heads=clock.exact,
        meta=f"{clock.per}, {words}",
        missing="unknown",
        compared=state.before_words,
    )


def _series(line: Line, metric: str, name: str, *, compare: bool) -> charts.Series:
    """A line as a series. Where there is nothing to measure it says so; what is left without is unknown."""
    values = [_value(metric, point.figures) for point in line.points]
    words = {
        index: _absence(metric, line.points[index].figures)
        for index, value in enumerate(values)
        if value is None
    }
    return charts.Series(
        name,
        values,
        previous=_previous(line, metric) if compare else (),
        rest=line.group.kind == "others",
        words={index: word for index, word in words.items() if word != "unknown"},
    )


def _value(metric: str, figures: Figures) -> Value:
    return known_cost(figures) if metric == "cost" else figures[metric]


def _absence(metric: str, figures: Figures) -> str:
    return "none" if metric == "cost" and not figures.requests else absence(metric, figures)


def _previous(line: Line, metric: str) -> Sequence[Value]:
    """The points of the period before, as many as this one has; nothing where it is not compared."""
    if line.previous is None:
        return ()
    values = [_value(metric, point.figures) for point in line.previous_points]
    missing = len(line.points) - len(values)
    return [*values, *[None] * missing][: len(line.points)]


def _marks(asked: Asked, found: Series, metrics: Sequence[str]) -> Sequence[Mark]:
    """Where incidents about these metrics began and labels moved, while there are few enough to be read."""
    starts = [point.starts_at for point in found.lines[0].points] if found.lines else []
    one = asked.filters.prompts[0] if len(asked.filters.prompts) == 1 else None
    incidents = between(asked.project_id, asked.period.start, asked.period.end, prompt_id=one)
    happened = [(each.began_at, "incident") for each in incidents if each.metric in metrics]
    moved = label_moves(asked, most=MOST_MARKS + 1)
    if len(happened) + len(moved) <= MOST_MARKS:
        happened += [(each.at, f"{each.label if one else each.prompt} v{each.number}") for each in moved]
    marks = [Mark(bisect(starts, at) - 1, text) for at, text in happened if starts and at >= starts[0]]
    return marks[:MOST_MARKS]


def _error_words(line: Line) -> str:
    return line.group.name.replace("_", " ")
