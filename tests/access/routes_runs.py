"""Rows of runs."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {
    "run": lambda project: public_id("runs.Run", project),
    "feedback": lambda project: public_id("runs.Feedback", project),
}

ROUTES = (
    Route("GET", "api/v1/runs", Permission.RUNS_VIEW),
    Route("GET", "api/v1/runs/<str:run>", Permission.RUNS_VIEW),
    Route("GET", "api/v1/runs/<str:run>/feedback", Permission.RUNS_VIEW),
    Route("POST", "api/v1/runs/<str:run>/feedback", Permission.RUNS_CREATE),
    Route("GET", "api/v1/runs/<str:run>/feedback/<str:feedback>", Permission.RUNS_VIEW),
    Route("DELETE", "api/v1/runs/<str:run>/feedback/<str:feedback>", Permission.RUNS_CREATE),
    Route("GET", "api/v1/feedback", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/<str:run>/", Permission.RUNS_VIEW),
)
