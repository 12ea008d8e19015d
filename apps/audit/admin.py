"""The trail for staff: who did what; personal details stay sealed."""

from django.contrib import admin

from apps.audit.models import AuditEvent, AuditSeal
from apps.core.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Events, newest first."""

    list_display = (
        "occurred_at",
        "action",
        "outcome",
        "actor_kind",
        "actor_id",
        "object_name",
        "organization_id",
    )
    list_filter = ("outcome", "actor_kind")
    search_fields = ("=action",)
    search_ids = ("actor_id", "object_id", "request_id")
    ordering = ("-id",)


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """The chains' links."""

    list_display = ("organization_id", "sequence", "event_id", "sealed_at")
    ordering = ("-id",)
