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
    Route("POST", "api/v1/runs/<str:run>/cancel", Permission.RUNS_CREATE),
    Route("GET", "api/v1/runs/<str:run>/feedback", Permission.RUNS_VIEW),
    Route("POST", "api/v1/runs/<str:run>/feedback", Permission.RUNS_CREATE),
    Route("GET", "api/v1/runs/<str:run>/feedback/<str:feedback>", Permission.RUNS_VIEW),
    Route("DELETE", "api/v1/runs/<str:run>/feedback/<str:feedback>", Permission.RUNS_CREATE),
    Route("GET", "api/v1/feedback", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/playground/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/token/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/variables/", Permission.RUNS_CREATE),
    Route("GET", f"{_PROJECT}/playground/runs/<str:run>/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/code/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/save/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/playground/rows/", Permission.DATASETS_EDIT),
    Route("GET", f"{_PROJECT}/runs/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/unknown-prices/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/panel/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/dataset/", Permission.DATASETS_EDIT),
    Route("POST", f"{_PROJECT}/runs/dataset/", Permission.DATASETS_EDIT),
    Route("GET", f"{_PROJECT}/runs/<str:run>/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/runs/<str:run>/json/", Permission.RUNS_VIEW),
    Route("POST", f"{_PROJECT}/runs/<str:run>/cancel/", Permission.RUNS_CREATE),
    Route("GET", f"{_PROJECT}/runs/<str:run>/dataset/", Permission.DATASETS_EDIT),
    Route("POST", f"{_PROJECT}/runs/<str:run>/dataset/", Permission.DATASETS_EDIT),
    Route("POST", f"{_PROJECT}/runs/<str:run>/feedback/", Permission.RUNS_CREATE),
    Route("POST", f"{_PROJECT}/runs/<str:run>/feedback/remove/", Permission.RUNS_CREATE),
)
