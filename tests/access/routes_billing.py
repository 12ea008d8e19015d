"""Rows of billing."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route

ROUTES = (
    Route("GET", "api/v1/usage", Permission.USAGE_VIEW),
    Route("GET", "<slug:organization>/settings/usage/", Permission.USAGE_VIEW),
)
