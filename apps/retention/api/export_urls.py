"""Addresses of archives."""

from django.urls import URLPattern, path

from apps.retention.api import exports

urlpatterns: list[URLPattern] = [
    path("exports", exports.ExportsAPIView.as_view(), name="exports"),
    path("exports/<str:export>", exports.ExportAPIView.as_view(), name="export"),
    path("exports/<str:export>/content", exports.ExportContentAPIView.as_view(), name="export-content"),
]
