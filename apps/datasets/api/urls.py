from django.urls import path

from apps.datasets.api import import_views, views

app_name = "datasets-api"

_VERSION = "dataset_versions/<str:version>"
_IMPORT = "dataset_imports/<str:dataset_import>"

urlpatterns = [
    path("datasets", views.DatasetListAPI.as_view(), name="list"),
    path("datasets/<str:dataset>", views.DatasetAPI.as_view(), name="detail"),
    path("datasets/<str:dataset>/rows", views.DatasetWriteRowsAPI.as_view(), name="write-rows"),
    path("datasets/<str:dataset>/versions", views.DatasetVersionListAPI.as_view(), name="versions"),
    path(_VERSION, views.DatasetVersionAPI.as_view(), name="version"),
    path(f"{_VERSION}/rows", views.DatasetRowListAPI.as_view(), name="rows"),
    path(f"{_VERSION}/problems", views.ProblemsAPI.as_view(), name="problems"),
    path(f"{_VERSION}/export", views.ExportAPI.as_view(), name="export"),
    path(f"{_VERSION}/original", views.OriginalAPI.as_view(), name="original"),
    path(f"{_VERSION}/compare", views.CompareAPI.as_view(), name="compare"),
    path(f"{_VERSION}/restore", views.RestoreAPI.as_view(), name="restore"),
    path("dataset_imports", import_views.DatasetImportListAPI.as_view(), name="imports"),
    path(_IMPORT, import_views.DatasetImportAPI.as_view(), name="import"),
    path(f"{_IMPORT}/import", import_views.ImportRowsAPI.as_view(), name="import-rows"),
]
