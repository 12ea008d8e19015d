"""Addresses of archives."""

from typing import Final

from django.urls import URLPattern, path

from apps.retention.web import export_views

_HERE: Final = "<slug:organization>/settings/privacy/export/"

urlpatterns: list[URLPattern] = [
    path(_HERE, export_views.ExportsView.as_view(), name="export"),
    path(f"{_HERE}progress/", export_views.ExportProgressView.as_view(), name="export-progress"),
    path(f"{_HERE}<str:export>/download/", export_views.DownloadExportView.as_view(), name="export-download"),
    path(f"{_HERE}<str:export>/delete/", export_views.DeleteExportView.as_view(), name="delete-export"),
]
