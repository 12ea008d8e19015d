"""A scale test as charts: a period is a step. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from apps.batches.scale_models import ScaleTest, ScaleTestStep
from apps.core.charts import Chart, Drawing, Kind, Number, Series, Unit, draw

MISSING: Final = "not measured"


def charts_of(test: ScaleTest, steps: Sequence[ScaleTestStep]) -> dict[str, Drawing]:
    """Rows a second, latency, errors and cost by the number of rows, once one step has figures."""
    if not any(step.finished for step in steps):
        return {}
    cost = "Cost of a row, sandbox" if test.sandbox else "Cost of a row"
    latency = [
        _series("p50", steps, lambda step: step.latency_p50),
        _series("p95", steps, lambda step: step.latency_p95),
        _series("p99", steps, lambda step: step.latency_p99),
    ]
    rate = [_series("Rows a second", steps, lambda step: step.rows_per_second)]
    errors = [_series("Failed share", steps, lambda step: step.error_rate)]
    money = [_series(cost, steps, lambda step: step.cost_per_row, missing="unknown")]
    return {
        "rate": _draw("Rows a second", steps, rate, Unit.RATE),
        "latency": _draw("Latency of a call", steps, latency, Unit.DURATION, Kind.LINES),
        "errors": _draw("Errors", steps, errors, Unit.SHARE),
        "cost": _draw(cost, steps, money, Unit.MONEY),
    }


def _series(
    name: str,
    steps: Sequence[ScaleTestStep],
    value: Callable[[ScaleTestStep], Number | None],
    missing: str = MISSING,
) -> Series:
    without = {position: MISSING for position, step in enumerate(steps) if not step.finished}
    return Series(name, [value(step) for step in steps], missing=missing, words=without)


def _draw(
    title: str,
    steps: Sequence[ScaleTestStep],
    series: Sequence[Series],
    unit: Unit,
    kind: Kind = Kind.BARS,
) -> Drawing:
    heads = [f"{step.rows:,}" for step in steps]
    chart = Chart(title, heads, series, unit=unit, kind=kind, period="Rows", missing=MISSING)
    return draw(chart)
