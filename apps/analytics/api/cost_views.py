"""``/api/v1/analytics/costs``: where the money went, by one or two dimensions."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.analytics import queries
from apps.analytics.api import asking, bodies, serializers
from apps.analytics.freshness import rolled_up_until
from apps.analytics.periods import WORDS
from apps.analytics.queries import Asked, Cost, CostTable
from apps.analytics.queries.costs import BY, MOST_ROWS
from apps.core.formatting import UNKNOWN
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

NAMES: Final = (asking.COMMON_NAMES - {"metrics", "group_by", "compare", "error"}) | {
    "rows",
    "columns",
    "limit",
}
COLUMNS: Final = 6
HEAD: Final = ("row", "row_name", "column", "column_name", "requests", "cost", "unknown_price", "share")
NONE: Final = "no data"


class AnalyticsCostsAPIView(ProjectAPIView):
    """Costs of a period."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="get_analytics_costs",
        tags=["Analytics"],
        parameters=[
            OpenApiParameter("rows", str, enum=list(BY), description="prompt by default."),
            OpenApiParameter(
                "columns", str, enum=list(BY), description="A second dimension; none by default."
            ),
            *[each for each in asking.COMMON_PARAMETERS if each.name in NAMES],
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 10},
                description="How many rows, the dearest first; the rest is one row.",
            ),
        ],
        responses={
            (200, "application/json"): serializers.AnalyticsCostsSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=[serializers.COSTS_EXAMPLE],
    )
    def get(self, request: Request) -> Response | HttpResponse:
        """What a period cost, by one or two dimensions, the dearest first and all others together last.

        An amount sums the known prices; `unknown_price` counts the requests that it leaves out.
        """
        asking.check_names(request, NAMES)
        rows = asking.choice(request, "rows", BY) or "prompt"
        columns = asking.choice(request, "columns", BY)
        asked = asking.asked_figures(request, self.project)
        limit = asking.number(request, "limit", 10, MOST_ROWS)
        kind = asking.choice(request, "format", asking.FORMATS)
        table = queries.costs(asked, rows=rows, columns=columns, most=limit, most_columns=COLUMNS)
        if kind == "csv":
            return bodies.download(bodies.csv_file(_lines(table)), "costs")
        return Response(_body(asked, table, rows, columns))


def _body(asked: Asked, table: CostTable, rows: str, columns: str | None) -> dict[str, Any]:
    return {
        "object": "analytics_costs",
        "from": asked.period.start,
        "to": asked.period.end,
        "interval": WORDS[asked.period.interval],
        "rolled_up_until": rolled_up_until(),
        "sandbox": asked.sandbox,
        "rows_by": rows,
        "columns_by": columns,
        "columns": [bodies.group_body(group) for group in table.columns],
        "rows": [
            {
                "group": bodies.group_body(row.group),
                "cells": [_cost(cell) for cell in row.cells],
                "total": _cost(row.total),
            }
            for row in table.rows
        ],
        "totals": [_cost(cell) for cell in table.totals],
        "total": _cost(table.total),
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "amount": bodies.plain(cost.amount),
        "unknown_price": cost.unknown_price,
        "requests": cost.requests,
        "share": cost.share,
    }


def _lines(table: CostTable) -> Iterator[list[object]]:
    """A line of the file for each cell that anything ran in, and one of everything."""
    yield list(HEAD)
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell.requests:
                yield [row.group.value, row.group.name, column.value, column.name, *_cells(cell)]
    yield ["", "All requests", "", "All requests", *_cells(table.total)]


def _cells(cost: Cost) -> list[object]:
    missing = UNKNOWN if cost.requests else NONE
    amount = missing if cost.amount is None else bodies.plain(cost.amount)
    return [cost.requests, amount, cost.unknown_price, missing if cost.share is None else cost.share]
