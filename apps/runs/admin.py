"""Runs for staff: numbers, never content."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.runs.models import BackgroundPump, BackgroundRun, Run


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "organization_id",
        "created_at",
        "status",
        "source",
        "model",
        "error_code",
        "latency_ms",
        "price_status",
        "price_amount",
    )
    list_filter = ("status", "source", "sandbox")
    search_ids = ("request_id", "prompt_id", "api_key_id")
    ordering = ("-id",)
    # A provider's message and what callers attach may quote what a customer sent.
    content_fields = ("error_message", "metadata", "end_user")


@admin.register(BackgroundRun)
class BackgroundRunAdmin(ReadOnlyAdmin):
    """Background runs with their leases; what they were asked for stays sealed."""

    list_display = (
        *("public_id", "organization_id", "status", "attempts", "lease_expires_at", "error_code"),
        *("created_at", "started_at", "finished_at"),
    )
    list_filter = ("status",)
    search_ids = ("api_key_id",)
    ordering = ("-id",)
    content_fields = ("error_message",)


@admin.register(BackgroundPump)
class BackgroundPumpAdmin(ReadOnlyAdmin):
    """What is rung or running for background runs."""

    list_display = ("id", "slots", "started_at", "expires_at")
    ordering = ("-id",)
