"""Runs for staff: numbers, never content."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.runs.models import Run


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
