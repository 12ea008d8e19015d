"""Datasets for staff: numbers, never content."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.datasets.models import Dataset, DatasetImport, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Names."""

    list_display = ("name", "organization", "project", "origin", "created_at")
    list_filter = ("origin", ("archived_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("organization", "project")
    search_fields = ("name", "=organization__slug")
    ordering = ("-id",)


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Numbers of rows."""

    list_display = ("dataset", "number", "row_count", "problem_count", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "=organization__slug")
    search_ids = ("dataset_id",)
    ordering = ("-id",)
    exclude = ("columns",)


@admin.register(DatasetImport)
class DatasetImportAdmin(ReadOnlyAdmin):
    """Names and sizes of uploaded files."""

    list_display = ("file_name", "organization", "state", "size", "created_at")
    list_filter = ("state", "created_at")
    list_select_related = ("organization",)
    search_fields = ("file_name", "=organization__slug")
    ordering = ("-id",)
    exclude = ("facts", "mapping", "variables", "error_message", "started_by_name")
