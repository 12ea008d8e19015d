"""One sentence that says what a chart shows, for who doesn't see it."""

from collections.abc import Iterator, Sequence

from apps.core.charts.spec import Chart, Kind
from apps.core.charts.units import Number


def summary_of(chart: Chart) -> str:
    """What is shown, over which periods, how much in all and where it was highest."""
    span = _span(chart)
    facts = _stacked(chart) if chart.kind is Kind.BARS else _ranges(chart)
    compared = [f"the dotted line is {chart.compared}"] if any(each.previous for each in chart.series) else []
    text = "; ".join([*facts, *chart.notes, *compared]) or chart.missing
    return f"{chart.title}{span}: {text}."


def _span(chart: Chart) -> str:
    if not chart.heads:
        return ""
    first, last = chart.heads[0], chart.heads[-1]
    return f", {first}" if first == last else f", {first} to {last}"


def _stacked(chart: Chart) -> Iterator[str]:
    totals = [_sum([each.values[index] for each in chart.series]) for index in range(len(chart.heads))]
    known = [(total, chart.heads[index]) for index, total in enumerate(totals) if total is not None]
    if not known:
        return
    if chart.unit.adds_up:
        yield f"{chart.unit.write(sum(total for total, _ in known))} in all"
    high, head = max(known, key=lambda each: each[0])
    if len(known) > 1 and high:
        yield f"highest {chart.unit.write(high)} on {head}"


def _ranges(chart: Chart) -> Iterator[str]:
    for series in chart.series:
        known = [float(value) for value in series.values if value is not None]
        if known:
            low, high = chart.unit.write(min(known)), chart.unit.write(max(known))
            between = low if low == high else f"between {low} and {high}"
            yield f"{series.name} {between}"


def _sum(values: Sequence[Number | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) if known else None
