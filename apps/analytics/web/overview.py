"""Page 18: the frame of the overview. Its panels load after it."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.analytics import queries
from apps.analytics.web.base import AnalyticsView
from apps.analytics.web.clock import short_day
from apps.analytics.web.panels import PANELS
from apps.analytics.web.state import UNGROUPED, State

DAY: Final = timedelta(days=1)


class OverviewView(AnalyticsView):
    """What the project's prompts do and cost."""

    current: ClassVar[str] = "overview"

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Answer with the frame at once; each panel loads by its own address and fails alone."""
        state = self.read_state(timezone.now())
        last = queries.last_data(self.project.id, sandbox=state.sandbox)
        context: dict[str, Any] = {"last": last, "panels": self._panels(state) if last else []}
        if last is None:
            context["only_sandbox"] = not state.sandbox and queries.has_only_sandbox(self.project.id)
        elif last + DAY <= state.period.start:
            context["jump"] = f"?{state.query(**_around(last, state))}"
            context["last_day"] = f"{short_day(last.astimezone(UTC))} {last.astimezone(UTC).year}"
        return self.page("analytics/overview.html", state, context)

    def _panels(self, state: State) -> list[dict[str, Any]]:
        query = state.query()
        return [
            {
                "panel": panel,
                "title": panel.titled(state),
                "href": f"{address}?{query}" if query else address,
                "csv": f"{address}?{state.query(export='csv')}",
            }
            for panel in PANELS.values()
            if not panel.grouped or state.group != UNGROUPED
            for address in [self.address("analytics:panel", panel.name)]
        ]


def _around(last: datetime, state: State) -> dict[str, str]:
    """A range of the same length that ends with the last day of data."""
    end = last + DAY
    start = end - max(state.period.length, DAY)
    return {
        "range": "",
        "interval": "",
        "from": f"{start.astimezone(UTC):%Y-%m-%d}",
        "to": f"{last.astimezone(UTC):%Y-%m-%d}",
    }
