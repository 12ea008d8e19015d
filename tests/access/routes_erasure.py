"""Rows of erasure. Managing privacy is in no key's scope, on purpose."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PRIVACY = "<slug:organization>/settings/privacy"
_ERASURE = f"{_PRIVACY}/erasure/<str:erasure>"
_MANAGE = Permission.PRIVACY_MANAGE

FILLS = {
    "erasure": lambda project: public_id("retention.ErasureRequest", project),
    "ending": lambda project: "json",
}

ROUTES = (
    Route("GET", f"{_PRIVACY}/erasure/", _MANAGE),
    Route("GET", f"{_PRIVACY}/erasure/end-user/", _MANAGE),
    Route("POST", f"{_PRIVACY}/erasure/end-user/", _MANAGE),
    Route("GET", f"{_PRIVACY}/erasure/member/", _MANAGE),
    Route("POST", f"{_PRIVACY}/erasure/member/", _MANAGE),
    Route("GET", f"{_ERASURE}/", _MANAGE),
    Route("GET", f"{_ERASURE}/progress/", _MANAGE),
    Route("GET", f"{_ERASURE}/cancel/", _MANAGE),
    Route("POST", f"{_ERASURE}/cancel/", _MANAGE),
    Route("GET", f"{_ERASURE}/certificate.<str:ending>", _MANAGE),
    Route("GET", f"{_PRIVACY}/delete/", Permission.ORGANIZATION_DELETE),
    Route("POST", f"{_PRIVACY}/delete/", Permission.ORGANIZATION_DELETE),
    Route("GET", "api/v1/erasures", _MANAGE),
    Route("POST", "api/v1/erasures", _MANAGE),
    Route("GET", "api/v1/erasures/<str:erasure>", _MANAGE),
    Route("POST", "api/v1/erasures/<str:erasure>/cancel", _MANAGE),
    Route("GET", "api/v1/erasures/<str:erasure>/certificate", _MANAGE),
)
