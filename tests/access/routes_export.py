"""Rows of archives."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_HERE = "<slug:organization>/settings/privacy/export"
_MANAGE = Permission.PRIVACY_MANAGE

FILLS = {"export": lambda project: public_id("retention.OrganizationExport", project)}

ROUTES = (
    Route("GET", f"{_HERE}/", _MANAGE),
    Route("POST", f"{_HERE}/", _MANAGE),
    Route("GET", f"{_HERE}/progress/", _MANAGE),
    Route("GET", f"{_HERE}/<str:export>/download/", _MANAGE),
    Route("GET", f"{_HERE}/<str:export>/delete/", _MANAGE),
    Route("POST", f"{_HERE}/<str:export>/delete/", _MANAGE),
    Route("GET", "api/v1/exports", _MANAGE),
    Route("POST", "api/v1/exports", _MANAGE),
    Route("GET", "api/v1/exports/<str:export>", _MANAGE),
    Route("DELETE", "api/v1/exports/<str:export>", _MANAGE),
    Route("GET", "api/v1/exports/<str:export>/content", _MANAGE),
)
