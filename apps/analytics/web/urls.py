"""Addresses of analytics' pages."""

from django.urls import URLPattern, path

from apps.analytics.web import alert_urls, costs, incident_urls, overview, panels, parts, versions

app_name = "analytics"

_PROJECT = "<slug:organization>/<slug:project>/"
_ROOM = f"{_PROJECT}analytics/"

urlpatterns: list[URLPattern] = [
    *alert_urls.urlpatterns,
    *incident_urls.urlpatterns,
    path(_ROOM, overview.OverviewView.as_view(), name="overview"),
    path(f"{_ROOM}panels/<slug:panel>/", panels.PanelView.as_view(), name="panel"),
    path(f"{_ROOM}costs/", costs.CostsView.as_view(), name="costs"),
    path(f"{_ROOM}versions/", versions.VersionsIndexView.as_view(), name="versions-of"),
    path(f"{_ROOM}versions/<str:prompt>/", versions.VersionsView.as_view(), name="versions"),
    path(f"{_ROOM}parts/prompts/", parts.PromptsPart.as_view(), name="prompts-part"),
    path(f"{_ROOM}parts/prompts/<str:prompt>/", parts.PromptPart.as_view(), name="prompt-part"),
    path(f"{_ROOM}parts/prompts/<str:prompt>/versions/", parts.HistoryPart.as_view(), name="history-part"),
]
