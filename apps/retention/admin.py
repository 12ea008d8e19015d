"""Erasures for staff: what was asked and done, never whom it was about."""

from typing import ClassVar

from django.contrib import admin

from apps.core import ids
from apps.core.admin import ReadOnlyAdmin
from apps.retention.models import ErasureRequest


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
