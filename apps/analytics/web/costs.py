"""The cost explorer: what was spent, by one dimension over time and by two beside each other."""

from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.analytics import queries
from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.queries import Cost, CostTable
from apps.analytics.web.base import AnalyticsView
from apps.analytics.web.figures import MADE_UP, in_sentence, unknown_words
from apps.analytics.web.panels import PANELS
from apps.analytics.web.state import GROUPS, State
from apps.analytics.web.tables import narrowed
from apps.core.charts import Figures
from apps.core.charts.figures import Cell, Row, exact_figure
from apps.core.errors import InvalidRequest
from apps.core.formatting import UNKNOWN, format_money, format_percent

NOTHING: Final = "none"
MOST_ROWS: Final = 25


class CostsView(AnalyticsView):
    """Where the money goes. Unknown prices are counted apart; sandbox runs cost nothing."""

    current: ClassVar[str] = "costs"

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Answer with the page, or with the table or the chart as a file."""
        state = self.read_state(timezone.now())
        across = self._across(state)
        asked = state.asked(self.project)
        rows = state.group_by or "prompt"
        table = queries.costs(asked, rows=rows, columns=across or None, most=MOST_ROWS)
        if request.GET.get("export") == "csv":
            return self.file("costs", state, _file_of(table, DIMENSIONS[rows].words))
        return self.page(
            "analytics/costs.html",
            state,
            {
                "panel": PANELS["cost"],
                "panel_title": PANELS["cost"].title,
                "panel_address": f"{self.address('analytics:panel', 'cost')}?{state.query()}",
                "is_empty": not table.rows,
                "table": _shown(table, rows, state),
                "row_words": DIMENSIONS[rows].words,
                "across": across,
                "across_options": [("", "Total only")]
                + [(key, f"By {in_sentence(DIMENSIONS[key].words)}") for key in GROUPS if key != rows],
                "total": _words(table.total),
                "made_up": MADE_UP,
                "unknown": unknown_words(table.total.unknown_price),
                "per_call": _per_call(table.total),
                "calls": table.total.requests,
                "table_csv": f"?{state.query(export='csv', across=across)}",
                "unknown_address": self.address("runs:unknown-prices"),
                "across_fields": state.fields(),
                "kept": [("across", across)] if across else [],
            },
        )

    def _across(self, state: State) -> str:
        across = self.request.GET.get("across", "")
        if across and across not in GROUPS:
            raise InvalidRequest(f"across is one of {', '.join(GROUPS)}.", param="across")
        return "" if across == (state.group_by or "prompt") else across


def _shown(table: CostTable, dimension: str, state: State) -> dict[str, Any]:
    names = [group.name for group in table.columns if group.kind != "all"]
    highest = max((each.total.share or 0.0 for each in table.rows), default=0.0)
    return {
        "columns": names,
        "rows": [
            {
                "name": row.group.name,
                "href": "" if row.group.kind == "others" else narrowed(state, dimension, row.group),
                "cells": [(name, _words(cell)) for name, cell in zip(names, row.cells, strict=bool(names))],
                "total": _words(row.total),
                "unknown": row.total.unknown_price,
                "calls": row.total.requests,
                "share": row.total.share,
                "share_words": f"{row.group.name}: {format_percent(row.total.share)} of known cost",
                "bar": 100 * row.total.share / highest if row.total.share and highest else 0,
            }
            for row in table.rows
        ],
        "totals": [(name, _words(cell)) for name, cell in zip(names, table.totals, strict=bool(names))],
        "total": table.total,
    }


def _words(cost: Cost) -> str:
    """Money of known prices, "unknown", or "none" where nothing was asked."""
    if not cost.requests:
        return NOTHING
    if cost.unknown_price and not cost.amount:
        return UNKNOWN
    return format_money(cost.amount) if cost.amount is not None else UNKNOWN


def _per_call(cost: Cost) -> str:
    known = cost.requests - cost.unknown_price
    return format_money(cost.amount / known) if cost.amount and known else _words(cost)


def _file_of(table: CostTable, head: str) -> Figures:
    columns = [group.name for group in table.columns if group.kind != "all"]
    heads = [*columns, "Cost", "Calls of unknown price", "Calls"]
    exact_heads = [*(f"{name} (USD)" for name in columns), "Cost (USD)", "Calls of unknown price", "Calls"]

    def row(name: str, cells: Any, total: Cost) -> Row:
        shown = [_cell(cell) for cell in cells] if columns else []
        counts = [Cell(f"{each:,}", str(each)) for each in (total.unknown_price, total.requests)]
        return Row(name, name, [*shown, _cell(total), *counts])

    rows = [row(each.group.name, each.cells, each.total) for each in table.rows]
    return Figures(head, heads, exact_heads, [*rows, row("Total", table.totals, table.total)])


def _cell(cost: Cost) -> Cell:
    words = _words(cost)
    return Cell(words, words if cost.amount is None or words == UNKNOWN else exact_figure(cost.amount))
