"""The panels of the overview: each an address of its own, so that a slow or broken one fails alone.

Without scripts a panel's address is a page with this panel; with ``?export=csv`` it is a file of its figures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.queries import Asked
from apps.analytics.web import charts, tables, tiles
from apps.analytics.web.base import AnalyticsView
from apps.analytics.web.figures import in_sentence
from apps.analytics.web.state import State
from apps.core.charts import Chart, draw
from apps.core.charts import Figures as FileFigures
from apps.core.errors import NotFound

Filled = tuple[dict[str, Any], FileFigures | None]


@dataclass(frozen=True)
class Panel:
    """One panel. `shape` names its partial and how much room it keeps while it loads."""

    name: str
    title: str
    shape: str
    fill: Callable[[Asked, State], Any]
    grouped: bool = False
    late: bool = False

    def titled(self, state: State) -> str:
        """The title over this state: what is split by the group says so."""
        group = DIMENSIONS[state.group_by or "prompt"].words
        return f"{self.title} by {in_sentence(group)}" if self.grouped else self.title


_ALL: Final = (
    Panel("figures", "Figures", "tiles", tiles.tiles_of),
    Panel("requests", "Requests", "chart", charts.requests),
    Panel("cost", "Cost", "chart", charts.cost),
    Panel("latency", "Latency", "chart", charts.latency),
    Panel("errors", "Error rate", "chart", charts.errors),
    Panel("changes", "What changed most", "table", tables.what_changed_most),
    Panel("tokens", "Tokens", "chart", charts.tokens, late=True),
    Panel("satisfaction", "Satisfaction", "chart", charts.satisfaction, late=True),
    Panel("latency-by", "p95 latency", "chart", charts.latency_by_group, grouped=True, late=True),
    Panel("errors-by", "Error rate", "chart", charts.errors_by_group, grouped=True, late=True),
    Panel("top-prompts", "Top prompts", "list", tables.top("prompt"), late=True),
    Panel("top-models", "Top models", "list", tables.top("model"), late=True),
    Panel("top-keys", "Top API keys", "list", tables.top("key"), late=True),
    Panel("overrides", "Overridden defaults", "list", tables.overridden, late=True),
)
PANELS: Final = {panel.name: panel for panel in _ALL}


class PanelView(AnalyticsView):
    """One panel of the overview."""

    current: ClassVar[str] = "overview"
    offers_filters: ClassVar[bool] = False

    def get(self, request: HttpRequest, *, panel: str, **_: str) -> HttpResponse:
        """Answer with the fragment, the page around it, or the file. Raises NotFound."""
        found = PANELS.get(panel)
        if found is None:
            raise NotFound("There is no such panel.")
        state = self.read_state(timezone.now())
        filled = found.fill(state.asked(self.project), state)
        if request.GET.get("export") == "csv":
            return self.file(panel, state, _file_of(filled))
        context = {"panel": found, "title": found.titled(state), **_context_of(filled), "state": state}
        context["csv"] = f"{request.path}?{state.query(export='csv')}"
        context["overview"] = self.address("analytics:overview")
        if request.headers.get("HX-Request"):
            return self.render(f"analytics/panels.html#{found.shape}", context)
        context["panel_template"] = f"analytics/panels.html#{found.shape}"
        return self.page("analytics/panel.html", state, context)


def _context_of(filled: Any) -> dict[str, Any]:
    if isinstance(filled, Chart):
        return {"chart": draw(filled), "is_empty": not filled.heads}
    if isinstance(filled, tables.Listed):
        return {"listed": filled}
    return {"tiles": filled}


def _file_of(filled: Any) -> FileFigures:
    if isinstance(filled, Chart):
        return draw(filled).figures
    return filled.file() if isinstance(filled, tables.Listed) else tiles.file_of(filled)
