"""Rows of providers."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {
    "connection": lambda project: public_id("providers.ProviderCredential", project),
    "price": lambda project: public_id("providers.PriceOverride", project),
    "alias": lambda project: public_id("providers.ModelAlias", project),
}

ROUTES = (
    Route("GET", "api/v1/providers", Permission.PROVIDERS_VIEW),
    Route("POST", "api/v1/providers", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/providers/<str:connection>", Permission.PROVIDERS_VIEW),
    Route("PATCH", "api/v1/providers/<str:connection>", Permission.PROVIDERS_MANAGE),
    Route("DELETE", "api/v1/providers/<str:connection>", Permission.PROVIDERS_MANAGE),
    Route("POST", "api/v1/providers/<str:connection>/test", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/providers/<str:connection>/health", Permission.PROVIDERS_VIEW),
    Route("GET", "api/v1/models", Permission.PROVIDERS_VIEW),
    Route("GET", "api/v1/models/default", Permission.PROVIDERS_VIEW),
    Route("PUT", "api/v1/models/default", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/model_aliases", Permission.PROVIDERS_VIEW),
    Route("POST", "api/v1/model_aliases", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/model_aliases/<str:alias>", Permission.PROVIDERS_VIEW),
    Route("PATCH", "api/v1/model_aliases/<str:alias>", Permission.PROVIDERS_MANAGE),
    Route("DELETE", "api/v1/model_aliases/<str:alias>", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/prices", Permission.PROVIDERS_VIEW),
    Route("POST", "api/v1/prices", Permission.PROVIDERS_MANAGE),
    Route("GET", "api/v1/prices/<str:price>", Permission.PROVIDERS_VIEW),
    Route("POST", "api/v1/prices/<str:price>/end", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/", Permission.PROVIDERS_VIEW),
    Route("GET", f"{_PROJECT}/settings/providers/new/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/new/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/default/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/aliases/", Permission.PROVIDERS_VIEW),
    Route("GET", f"{_PROJECT}/settings/providers/aliases/new/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/aliases/new/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/aliases/<str:alias>/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/aliases/<str:alias>/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/aliases/<str:alias>/delete/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/aliases/<str:alias>/delete/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/prices/", Permission.PROVIDERS_VIEW),
    Route("GET", f"{_PROJECT}/settings/providers/prices/new/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/prices/new/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/prices/<str:price>/end/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/prices/<str:price>/end/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/<str:connection>/models/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/<str:connection>/models/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/<str:connection>/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/<str:connection>/", Permission.PROVIDERS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/providers/<str:connection>/delete/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/<str:connection>/delete/", Permission.PROVIDERS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/providers/<str:connection>/test/", Permission.PROVIDERS_MANAGE),
)
