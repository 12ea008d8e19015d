"""Rows of retention: policies, holds, purges."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PRIVACY = "<slug:organization>/settings/privacy"
_SEE, _MANAGE = Permission.RUNS_VIEW, Permission.PRIVACY_MANAGE

FILLS = {
    "hold": lambda project: public_id("retention.LegalHold", project),
    "run": lambda project: public_id("runs.Run", project),
    "data_class": lambda project: "run_payloads",
}

ROUTES = (
    Route("GET", f"{_PRIVACY}/", _SEE),
    Route("GET", f"{_PRIVACY}/due/", _SEE),
    Route("GET", f"{_PRIVACY}/purge/", _MANAGE),
    Route("POST", f"{_PRIVACY}/purge/", _MANAGE),
    Route("GET", f"{_PRIVACY}/classes/<str:data_class>/", _SEE, shared=True),
    Route("POST", f"{_PRIVACY}/classes/<str:data_class>/", _MANAGE, shared=True),
    Route("GET", f"{_PRIVACY}/holds/", _MANAGE),
    Route("GET", f"{_PRIVACY}/holds/new/", _MANAGE),
    Route("POST", f"{_PRIVACY}/holds/new/", _MANAGE),
    Route("GET", f"{_PRIVACY}/holds/<str:hold>/release/", _MANAGE),
    Route("POST", f"{_PRIVACY}/holds/<str:hold>/release/", _MANAGE),
    Route("GET", "<slug:organization>/<slug:project>/retention/runs/<str:run>/", _SEE),
    Route("GET", "api/v1/retention_policies", _SEE),
    Route("GET", "api/v1/retention_policies/dry_run", _MANAGE),
    Route("GET", "api/v1/retention_policies/<str:data_class>", _SEE, shared=True),
    Route("PUT", "api/v1/retention_policies/<str:data_class>", _MANAGE, shared=True),
    Route("DELETE", "api/v1/retention_policies/<str:data_class>", _MANAGE, shared=True),
    Route("GET", "api/v1/runs/<str:run>/retention", _SEE),
    Route("GET", "api/v1/legal_holds", _MANAGE),
    Route("POST", "api/v1/legal_holds", _MANAGE),
    Route("GET", "api/v1/legal_holds/<str:hold>", _MANAGE),
    Route("POST", "api/v1/legal_holds/<str:hold>/release", _MANAGE),
)
