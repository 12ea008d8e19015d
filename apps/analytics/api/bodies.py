"""Figures as JSON and as CSV. Both write what is unknown as that, and never as 0."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse

from apps.analytics import wording
from apps.analytics.metrics import METRICS
from apps.analytics.periods import WORDS, Period
from apps.analytics.queries import Asked, Figures, Group, Line, Point, Row, Series, Summary
from apps.core.spreadsheets import safe_cell

Lines = Iterator[list[object]]


def with_what_is_missing(metrics: Sequence[str]) -> tuple[str, ...]:
    """The metrics, and beside money how many requests' price is unknown: a sum says nothing without it."""
    beside = (
        {"unknown_price"} if any(METRICS[key].unit == "usd" for key in metrics if key in METRICS) else set()
    )
    return (*metrics, *(beside - set(metrics)))


def series_body(
    asked: Asked, found: Series, metrics: Sequence[str], group_by: str | None, until: datetime
) -> dict[str, Any]:
    """A series as the API answers it."""
    return {
        "object": "analytics_series",
        **_head(asked, found.period, metrics, group_by, until),
        "lines": [_line(line, metrics) for line in found.lines],
    }


def summary_body(
    asked: Asked,
    found: Summary,
    rows: Sequence[Row],
    metrics: Sequence[str],
    group_by: str | None,
    until: datetime,
) -> dict[str, Any]:
    """A summary as the API answers it."""
    return {
        "object": "analytics_summary",
        **_head(asked, found.period, metrics, group_by, until),
        "total": plain_values(found.total, metrics),
        "previous": plain_values(found.previous, metrics) if found.previous else None,
        "errors": [{"code": code, "count": count} for code, count in found.errors],
        "rows": [_row(row, metrics) for row in rows],
    }


def download(content: bytes, name: str) -> HttpResponse:
    """A file's answer."""
    return HttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="analytics-{name}.csv"'},
    )


def series_csv(found: Series, metrics: Sequence[str]) -> bytes:
    """A line of the file for each line of the series and each moment; times are UTC."""
    return csv_file(_series_lines(found, metrics))


def summary_csv(found: Summary, rows: Sequence[Row], metrics: Sequence[str]) -> bytes:
    """A line of the file for each row, and one of everything."""
    return csv_file(_summary_lines(found, rows, metrics))


def _head(
    asked: Asked, period: Period, metrics: Sequence[str], group_by: str | None, until: datetime
) -> dict[str, Any]:
    return {
        "from": period.start,
        "to": period.end,
        "interval": WORDS[period.interval],
        "rolled_up_until": until,
        "sandbox": asked.sandbox,
        "group_by": group_by,
        "metrics": list(metrics),
    }


def _line(line: Line, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "group": group_body(line.group),
        "total": plain_values(line.total, metrics),
        "previous": plain_values(line.previous, metrics) if line.previous else None,
        "points": [_point(point, metrics) for point in line.points],
        "previous_points": [_point(point, metrics) for point in line.previous_points],
    }


def _row(row: Row, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "group": group_body(row.group),
        "total": plain_values(row.total, metrics),
        "previous": plain_values(row.previous, metrics) if row.previous else None,
        "share": row.share,
    }


def _point(point: Point, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "starts_at": point.starts_at,
        "partial": point.partial,
        "values": plain_values(point.figures, metrics),
    }


def group_body(group: Group) -> dict[str, Any]:
    """A group as JSON has it."""
    return {"kind": group.kind, "value": group.value or None, "name": group.name}


def plain_values(figures: Figures, metrics: Sequence[str]) -> dict[str, Any]:
    """Metrics as JSON has them: money as text, None for what is unknown."""
    return {key: plain(figures[key]) for key in metrics}


def plain(value: object) -> object:
    """Money without the zeros that the column's precision puts behind it."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _series_lines(found: Series, metrics: Sequence[str]) -> Lines:
    compared = any(line.previous_points for line in found.lines)
    before = [f"previous_{key}" for key in metrics] if compared else []
    yield ["group", "group_name", "starts_at", "partial", *metrics, *before]
    for line in found.lines:
        earlier: Iterable[Point | None] = (*line.previous_points, *[None] * len(line.points))
        for point, other in zip(line.points, earlier, strict=False):
            cells = _cells(other.figures if other else None, metrics) if compared else []
            yield [
                *_group_cells(line.group),
                point.starts_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "true" if point.partial else "false",
                *_cells(point.figures, metrics),
                *cells,
            ]


def _summary_lines(found: Summary, rows: Sequence[Row], metrics: Sequence[str]) -> Lines:
    compared = found.previous is not None
    yield ["group", "group_name", *metrics, *([f"previous_{key}" for key in metrics] if compared else [])]
    for row in rows:
        before = _cells(row.previous, metrics) if compared else []
        yield [*_group_cells(row.group), *_cells(row.total, metrics), *before]
    before = _cells(found.previous, metrics) if compared else []
    yield ["", "All requests", *_cells(found.total, metrics), *before]


def _group_cells(group: Group) -> list[object]:
    return [group.value, group.name]


def _cells(figures: Figures | None, metrics: Sequence[str]) -> list[object]:
    if figures is None:
        return [""] * len(metrics)
    return [_cell(figures, key) for key in metrics]


def _cell(figures: Figures, key: str) -> object:
    value = figures[key]
    return wording.missing(key, figures.sums) if value is None else plain(value)


def csv_file(lines: Lines) -> bytes:
    """Lines as a file that no spreadsheet takes for formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for line in lines:
        writer.writerow([safe_cell(cell) for cell in line])
    return buffer.getvalue().encode()
