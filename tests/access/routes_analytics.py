"""Rows of analytics."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route

ROUTES = (
    Route("GET", "api/v1/analytics/series", Permission.RUNS_VIEW),
    Route("GET", "api/v1/analytics/summary", Permission.RUNS_VIEW),
)
