"""Rows of alert rules."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"
_ALERT = f"{_PROJECT}/alerts/<str:alert>"

FILLS = {"alert": lambda project: public_id("analytics.AlertRule", project)}

ROUTES = (
    Route("GET", "api/v1/alerts", Permission.RUNS_VIEW),
    Route("POST", "api/v1/alerts", Permission.ALERTS_MANAGE),
    Route("POST", "api/v1/alerts/preview", Permission.RUNS_VIEW),
    Route("GET", "api/v1/alerts/<str:alert>", Permission.RUNS_VIEW),
    Route("PATCH", "api/v1/alerts/<str:alert>", Permission.ALERTS_MANAGE),
    Route("DELETE", "api/v1/alerts/<str:alert>", Permission.ALERTS_MANAGE),
    Route("POST", "api/v1/alerts/<str:alert>/acknowledge", Permission.ALERTS_MANAGE),
    Route("POST", "api/v1/alerts/<str:alert>/mute", Permission.ALERTS_MANAGE),
    Route("POST", "api/v1/alerts/<str:alert>/test", Permission.ALERTS_MANAGE),
    Route("GET", "api/v1/alerts/<str:alert>/events", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/alerts/", Permission.RUNS_VIEW),
    Route("GET", f"{_PROJECT}/alerts/new/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_PROJECT}/alerts/new/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_PROJECT}/alerts/preview/", Permission.ALERTS_MANAGE),
    *[
        Route(method, f"{_PROJECT}/alerts/{verb}/", Permission.ALERTS_MANAGE)
        for verb in ("acknowledge", "mute", "enable", "disable", "delete")
        for method in ("GET", "POST")
    ],
    Route("GET", f"{_ALERT}/", Permission.RUNS_VIEW),
    Route("GET", f"{_ALERT}/chart/", Permission.RUNS_VIEW),
    Route("GET", f"{_ALERT}/edit/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_ALERT}/edit/", Permission.ALERTS_MANAGE),
    Route("GET", f"{_ALERT}/delete/", Permission.ALERTS_MANAGE),
    Route("POST", f"{_ALERT}/delete/", Permission.ALERTS_MANAGE),
    *[
        Route("POST", f"{_ALERT}/{verb}/", Permission.ALERTS_MANAGE)
        for verb in ("acknowledge", "mute", "enable", "test")
    ],
    Route("POST", f"{_ALERT}/leave/", Permission.RUNS_VIEW),
)
