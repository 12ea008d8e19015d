from django.urls import path

from apps.datasets.api import views

app_name = "datasets-api"

urlpatterns = [
    path("datasets", views.DatasetListAPI.as_view(), name="list"),
    path("datasets/<str:dataset>", views.DatasetAPI.as_view(), name="detail"),
    path("datasets/<str:dataset>/versions", views.DatasetVersionListAPI.as_view(), name="versions"),
    path("dataset_versions/<str:version>", views.DatasetVersionAPI.as_view(), name="version"),
    path("dataset_versions/<str:version>/rows", views.DatasetRowListAPI.as_view(), name="rows"),
    path("dataset_versions/<str:version>/problems", views.ProblemsAPI.as_view(), name="problems"),
    path("dataset_imports", views.DatasetImportListAPI.as_view(), name="imports"),
    path("dataset_imports/<str:dataset_import>", views.DatasetImportAPI.as_view(), name="import"),
    path("dataset_imports/<str:dataset_import>/import", views.ImportRowsAPI.as_view(), name="import-rows"),
]
