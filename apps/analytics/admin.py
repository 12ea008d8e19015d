"""Analytics for staff: what is watched and what was told, never content."""

from django.contrib import admin

from apps.analytics.models import AlertEvent, AlertRule
from apps.core.admin import ReadOnlyAdmin


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnlyAdmin):
    """Rules with what they said last."""

    list_display = ("name", "organization", "project", "kind", "state", "enabled", "evaluated_at", "due_at")
    list_filter = ("kind", "state", "enabled", ("problem", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "project")
    search_fields = ("name", "=organization__slug")
    search_ids = ("project_id", "prompt_id")
    ordering = ("-id",)


@admin.register(AlertEvent)
class AlertEventAdmin(ReadOnlyAdmin):
    """What rules said, and how many members were told."""

    list_display = ("rule", "organization", "reason", "from_state", "to_state", "mails", "created_at")
    list_filter = ("reason", "to_state", "created_at")
    list_select_related = ("rule", "organization")
    search_fields = ("rule__name", "=organization__slug")
    search_ids = ("rule_id",)
    ordering = ("-id",)
