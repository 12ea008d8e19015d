"""Datasets for staff: numbers, never content."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.datasets.models import Dataset, DatasetImport, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Names."""

    list_display = ("name", "organization", "project", "created_at")
    list_select_related = ("organization", "project")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Numbers of rows."""

    list_display = ("dataset", "number", "row_count", "problem_count", "created_at")
    list_select_related = ("dataset",)
    exclude = ("columns",)


@admin.register(DatasetImport)
class DatasetImportAdmin(ReadOnlyAdmin):
    """Names and sizes of uploaded files."""

    list_display = ("file_name", "organization", "size", "created_at")
    list_select_related = ("organization",)
    exclude = ("facts", "mapping")
