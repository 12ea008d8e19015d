"""Staff pages: connections without their secrets, default models, own prices."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import ReadOnlyAdmin
from apps.providers.models import DefaultModel, ModelAlias, PriceOverride, ProviderCredential


class EveryProjectFilter(admin.SimpleListFilter):
    """Whether a row serves every project; a filter on the foreign key would ask the scoped manager."""

    title = "serves"
    parameter_name = "serves"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("every", "Every project"), ("one", "One project")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("every", "one"):
            return queryset
        return queryset.filter(project__isnull=self.value() == "every")


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnlyAdmin):
    """Provider connections; keys and headers are sealed and not shown."""

    list_display = (
        "name",
        "api",
        "base_url",
        "organization",
        "project",
        "test_passed",
        "offers_batches",
        "tested_at",
        "created_at",
    )
    list_filter = ("api", "test_passed", EveryProjectFilter, "created_at")
    list_select_related = ("organization", "project")
    search_fields = ("name", "base_url", "organization__name", "organization__slug")
    ordering = ("-id",)


@admin.register(DefaultModel)
class DefaultModelAdmin(ReadOnlyAdmin):
    """The models that projects' new prompts begin with."""

    list_display = ("reference", "organization", "project")
    list_select_related = ("organization", "project")
    search_fields = ("reference", "organization__name", "organization__slug")
    ordering = ("-id",)


@admin.register(ModelAlias)
class ModelAliasAdmin(ReadOnlyAdmin):
    """Names that stand for models."""

    list_display = ("name", "target", "organization", "project", "created_by", "created_at")
    list_filter = (EveryProjectFilter, "created_at")
    list_select_related = ("organization", "project")
    search_fields = ("name", "target", "organization__name", "organization__slug")
    ordering = ("-id",)


@admin.register(PriceOverride)
class PriceOverrideAdmin(ReadOnlyAdmin):
    """Organizations' own prices."""

    list_display = (
        "pattern",
        "organization",
        "project",
        "input_price",
        "output_price",
        "cached_input_price",
        "starts_at",
        "ends_at",
    )
    list_filter = (EveryProjectFilter, "starts_at", "ends_at")
    list_select_related = ("organization", "project")
    search_fields = ("pattern", "organization__name", "organization__slug")
    ordering = ("-id",)
