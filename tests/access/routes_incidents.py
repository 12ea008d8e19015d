"""Rows of incidents."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_ROOM = "<slug:organization>/<slug:project>/incidents/"

FILLS = {"incident": lambda project: public_id("analytics.Incident", project)}

ROUTES = (
    Route("GET", _ROOM, Permission.RUNS_VIEW),
    Route("GET", f"{_ROOM}acknowledge/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_ROOM}acknowledge/", Permission.ALERTS_MANAGE),
    Route("GET", f"{_ROOM}rule/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_ROOM}rule/", Permission.ALERTS_MANAGE),
    Route("GET", f"{_ROOM}<str:incident>/", Permission.RUNS_VIEW),
    Route("POST", f"{_ROOM}<str:incident>/acknowledge/", Permission.ALERTS_MANAGE),
    Route("GET", "api/v1/incidents", Permission.RUNS_VIEW),
    Route("GET", "api/v1/incidents/rule", Permission.RUNS_VIEW),
    Route("PUT", "api/v1/incidents/rule", Permission.ALERTS_MANAGE),
    Route("GET", "api/v1/incidents/<str:incident>", Permission.RUNS_VIEW),
    Route("POST", "api/v1/incidents/<str:incident>/acknowledge", Permission.ALERTS_MANAGE),
)
