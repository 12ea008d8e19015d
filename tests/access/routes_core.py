"""Rows of core and of the API's own description."""

from tests.access.matrix import ANY_METHOD, PUBLIC, Route

ROUTES = (
    Route(ANY_METHOD, "healthz", PUBLIC),
    Route(ANY_METHOD, "readyz", PUBLIC),
    Route(ANY_METHOD, "api/v1/openapi.json", PUBLIC),
    Route(ANY_METHOD, "^api/", PUBLIC),
    Route(ANY_METHOD, "^v1/", PUBLIC),
    Route(ANY_METHOD, "docs/api/", PUBLIC),
    Route(ANY_METHOD, "docs/api/postman.json", PUBLIC),
    Route(ANY_METHOD, "docs/errors", PUBLIC),
)
