"""Every web and API address. The gateway's own table is ``apps.gateway.routes``."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from apps.core.web.views import nothing_here
from apps.tenants.web.views import addresses
from promptsaas.api_reference.views import collection, openapi, reference

ROOMS = (
    *("dashboard", "tenants", "prompts", "datasets", "batches", "runs", "providers", "billing"),
    *("analytics", "retention", "notifications"),
)

api: list[URLPattern | URLResolver] = [path("", include(f"apps.{room}.api.urls")) for room in ROOMS]

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/email/", addresses),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("apps.tenants.web.mfa_urls")),
    path("api/v1/", include(api)),
    path("api/v1/openapi.json", openapi, name="openapi"),
    # Ours alone: else a slash too many would lead to the pages of an organization named "api".
    re_path(r"^api/", nothing_here),
    path("v1/", include("apps.batches.api.openai_urls")),
    re_path(r"^v1/", nothing_here),
    path("docs/api/", reference, name="api-reference"),
    path("docs/api/postman.json", collection, name="postman"),
    path("", include("apps.core.web.urls")),
    *[path("", include(f"apps.{room}.web.urls")) for room in ROOMS],
]

handler400 = "apps.core.web.errors.bad_request"
handler403 = "apps.core.web.errors.permission_denied"
handler404 = "apps.core.web.errors.not_found"
handler429 = "apps.core.web.errors.too_many_requests"
handler500 = "apps.core.web.errors.server_error"
