from django.urls import URLPattern

from apps.retention.web import erasure_urls, export_urls, policy_urls

app_name = "retention"

urlpatterns: list[URLPattern] = [
    *policy_urls.urlpatterns,
    *erasure_urls.urlpatterns,
    *export_urls.urlpatterns,
]
