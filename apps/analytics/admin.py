"""Analytics for staff: what is watched and what was told, never content."""

from django.contrib import admin

from apps.analytics.models import (
    AlertEvent,
    AlertRule,
    CountedHistory,
    DegradationLook,
    DegradationSetting,
    Incident,
    KeptFacts,
    Rollup,
    Segment,
)
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


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """Versions that got worse, from what to what."""

    list_display = (
        "id",
        "organization",
        "project",
        "metric",
        "version_number",
        "before_value",
        "now_value",
        "score",
        "opened_at",
        "closed_at",
        "closed_because",
    )
    list_filter = ("metric", "rule", "closed_because", "opened_at")
    list_select_related = ("organization", "project")
    search_fields = ("=organization__slug",)
    search_ids = ("project_id", "prompt_id", "version_id")
    ordering = ("-id",)


@admin.register(DegradationSetting)
class DegradationSettingAdmin(ReadOnlyAdmin):
    """By which rule projects find incidents, where it isn't the usual one."""

    list_display = ("project", "organization", "rule", "updated_at")
    list_filter = ("rule",)
    list_select_related = ("organization", "project")
    search_fields = ("=organization__slug",)
    search_ids = ("project_id",)
    ordering = ("-id",)


@admin.register(DegradationLook)
class DegradationLookAdmin(ReadOnlyAdmin):
    """Up to when versions have been looked at."""

    list_display = ("id", "until")


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    """What runs are counted by."""

    list_display = (
        "id",
        "organization_id",
        "prompt_id",
        "version_number",
        "label",
        "model",
        "source",
        "sandbox",
    )
    list_filter = ("source", "sandbox")
    search_ids = ("project_id", "prompt_id", "version_id", "api_key_id")
    ordering = ("-id",)


@admin.register(Rollup)
class RollupAdmin(ReadOnlyAdmin):
    """The numbers of segments, longest periods first."""

    list_display = ("starts_at", "grain", "organization_id", "segment_id", "requests", "failed", "cost")
    list_filter = ("grain",)
    search_ids = ("segment_id",)
    # As the index has it.
    ordering = ("-grain", "-starts_at")


@admin.register(KeptFacts)
class KeptFactsAdmin(ReadOnlyAdmin):
    """Since when projects' run facts are all there."""

    list_display = ("project_id", "organization_id", "since")
    search_ids = ("project_id",)
    ordering = ("-id",)


@admin.register(CountedHistory)
class CountedHistoryAdmin(ReadOnlyAdmin):
    """How far the runs from before the roll-ups are counted."""

    list_display = ("id", "next_day")
