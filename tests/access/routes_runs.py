"""Rows of runs."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {"run": lambda project: public_id("runs.Run", project)}

ROUTES = (
    Route("GET", "api/v1/runs", Permission.RUNS_VIEW),
    Route("GET", "api/v1/runs/<str:run>", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/<str:run>/", Permission.RUNS_VIEW),
)
