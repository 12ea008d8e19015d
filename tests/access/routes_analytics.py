"""Rows of analytics."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_ROOM = "<slug:organization>/<slug:project>/analytics/"

FILLS = {
    "panel": lambda project: "requests",
    "prompt": lambda project: public_id("prompts.Prompt", project),
}

ROUTES = (
    Route("GET", _ROOM, Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}panels/<slug:panel>/", Permission.RUNS_VIEW, shared=True),
    Route("GET", f"{_ROOM}costs/", Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}versions/", Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}versions/<str:prompt>/", Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}parts/prompts/", Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}parts/prompts/<str:prompt>/", Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}parts/prompts/<str:prompt>/versions/", Permission.RUNS_VIEW),
    Route("GET", "api/v1/analytics/series", Permission.RUNS_VIEW),
    Route("GET", "api/v1/analytics/summary", Permission.RUNS_VIEW),
    Route("GET", "api/v1/analytics/costs", Permission.RUNS_VIEW),
    Route("GET", "api/v1/analytics/versions", Permission.RUNS_VIEW),
)
