"""Retention for staff: policies, purges, archives, and erasures without whom they were about."""

from typing import ClassVar

from django.contrib import admin

from apps.core import ids
from apps.core.admin import ReadOnlyAdmin
from apps.retention.models import (
    ErasureRequest,
    LegalHold,
    OrganizationExport,
    PurgeRun,
    RetentionPolicy,
)


@admin.register(ErasureRequest)
class ErasureRequestAdmin(ReadOnlyAdmin):
    """Erasures of every organization, those that are deleted included: hence no join with their rows."""

    list_display = ("public_id", "owner", "kind", "state", "step", "execute_after", "started_at", "ended_at")
    list_filter = ("kind", "state")
    ordering = ("-id",)
    exclude: ClassVar = ("organization", "requested_by")
    content_fields = ("reason", "position")
    readonly_fields = ("owner",)

    @admin.display(description="Organization")
    def owner(self, row: ErasureRequest) -> str:
        """The organization's id, whether it is there or not."""
        return ids.encode("org", row.organization_id)


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(ReadOnlyAdmin):
    """How long organizations keep what."""

    list_display = ("public_id", "organization", "project", "data_class", "days", "updated_at")
    list_select_related = ("organization", "project")
    list_filter = ("data_class",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnlyAdmin):
    """Legal holds; why is the organization's own business."""

    list_display = ("public_id", "organization", "project", "placed_at", "released_at")
    list_select_related = ("organization", "project")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("reason", "release_reason")


@admin.register(PurgeRun)
class PurgeRunAdmin(ReadOnlyAdmin):
    """Purges with their counts, and how long their longest piece took."""

    list_display = (
        "public_id",
        "organization",
        "night",
        "state",
        "started_at",
        "ended_at",
        "chunks",
        "longest_ms",
    )
    list_select_related = ("organization",)
    list_filter = ("state",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)


@admin.register(OrganizationExport)
class OrganizationExportAdmin(ReadOnlyAdmin):
    """Archives by state and size; what is in them is fetched by members only."""

    list_display = (
        "public_id",
        "organization",
        "state",
        "part_count",
        "size",
        "failures",
        "created_at",
        "ended_at",
        "expires_at",
    )
    list_select_related = ("organization",)
    list_filter = ("state",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
