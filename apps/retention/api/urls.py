from django.urls import URLPattern

from apps.retention.api import erasure_urls

app_name = "retention-api"

urlpatterns: list[URLPattern] = [*erasure_urls.urlpatterns]
