"""The panels of the overview: each an address of its own, so that a slow or broken one fails alone.

Without scripts a panel's address is a page with this panel; with ``?export=csv`` it is a file of its figures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.analytics.dimensions import DIMENSIONS, NONE
from apps.analytics.queries import Asked
from apps.analytics.web import charts, tables, tiles
from apps.analytics.web.base import AnalyticsView
from apps.analytics.web.figures import in_sentence
from apps.analytics.web.state import State
from apps.core import ids
from apps.core.charts import Chart, draw
from apps.core.charts import Figures as FileFigures
from apps.core.errors import NotFound
from apps.prompts.models import Prompt

Filled = tuple[dict[str, Any], FileFigures | None]


@dataclass(frozen=True)
class Panel:
    """One panel. `shape` names its partial and how much room it keeps while it loads.

    `runs` leads to the runs behind its figures: words, and what the list of runs is narrowed to.
    """

    name: str
    title: str
    shape: str
    fill: Callable[[Asked, State], Any]
    grouped: bool = False
    late: bool = False
    runs: tuple[str, Mapping[str, str]] | None = None

    def titled(self, state: State) -> str:
        """The title over this state: what is split by the group says so."""
        group = DIMENSIONS[state.group_by or "prompt"].words
        return f"{self.title} by {in_sentence(group)}" if self.grouped else self.title


_ALL: Final = (
    Panel("figures", "Figures", "tiles", tiles.tiles_of),
    Panel("requests", "Requests", "chart", charts.requests, runs=("Runs", {})),
    Panel("cost", "Cost", "chart", charts.cost),
    Panel("latency", "Latency", "chart", charts.latency),
    Panel("errors", "Error rate", "chart", charts.errors, runs=("Failed runs", {"status": "failed"})),
    Panel("changes", "What changed most", "table", tables.what_changed_most),
    Panel("tokens", "Tokens", "chart", charts.tokens, late=True),
    Panel(
        "satisfaction",
        "Satisfaction",
        "chart",
        charts.satisfaction,
        late=True,
        runs=("Low scores", {"feedback": "low"}),
    ),
    Panel("latency-by", "p95 latency", "chart", charts.latency_by_group, grouped=True, late=True),
    Panel("errors-by", "Error rate", "chart", charts.errors_by_group, grouped=True, late=True),
    Panel("top-prompts", "Top prompts", "list", tables.top("prompt"), late=True),
    Panel("top-models", "Top models", "list", tables.top("model"), late=True),
    Panel("top-keys", "Top API keys", "list", tables.top("key"), late=True),
    Panel("overrides", "Overridden defaults", "list", tables.overridden, late=True),
)
# The list of runs knows these ranges too.
RANGES_OF_RUNS: Final = ("24h", "7d", "30d")
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
        context["runs"] = self._runs(found, state)
        context["overview"] = self.address("analytics:overview")
        if request.headers.get("HX-Request"):
            return self.render(f"analytics/panels.html#{found.shape}", context)
        context["panel_template"] = f"analytics/panels.html#{found.shape}"
        return self.page("analytics/panel.html", state, context)

    def _runs(self, panel: Panel, state: State) -> dict[str, str] | None:
        """The runs behind a panel, where the list of runs can be narrowed to the same."""
        several = any(len(values) > 1 or NONE in values for values in state.chosen.values())
        if panel.runs is None or state.range not in RANGES_OF_RUNS or several or state.sandbox:
            return None
        label, more = panel.runs
        one = {key: values[0] for key, values in state.chosen.items() if key != "version"}
        if len(one) < len(state.chosen):
            return None
        chosen = next(iter(state.filters.prompts), None)
        if chosen is not None:
            one["prompt"] = ids.encode(Prompt.PREFIX, chosen)
        query = urlencode({"range": state.range, **one, **more})
        return {"label": label, "href": f"{self.address('runs:list')}?{query}"}


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
