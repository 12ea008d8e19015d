"""The tabs of analytics: pages that exist, in their order."""

from typing import Any, Final

from django.urls import NoReverseMatch

from apps.tenants.web.base import ProjectView

_TABS: Final = (
    ("overview", "Overview", "analytics:overview"),
    ("costs", "Costs", "analytics:costs"),
    ("versions", "Versions", "analytics:versions-of"),
    ("alerts", "Alerts", "analytics:alerts"),
    ("incidents", "Incidents", "analytics:incidents"),
)


def analytics_tabs(view: ProjectView, current: str, query: str = "") -> list[dict[str, Any]]:
    """The tabs, `current` marked by its key; those that show the same range take it along."""
    tabs: list[dict[str, Any]] = []
    for key, label, name in _TABS:
        try:
            href = view.address(name)
        except NoReverseMatch:
            continue
        taken = f"?{query}" if query and key in {"overview", "costs", "versions"} else ""
        tabs.append({"label": label, "href": f"{href}{taken}", "current": key == current})
    return tabs
