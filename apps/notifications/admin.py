"""Webhooks for staff: states and times, never bodies, secrets or whole addresses."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Endpoints of every organization. An address may hold a secret, as those of chat services do."""

    list_display = (
        *("public_id", "organization", "project_id", "enabled", "disabled_reason", "failing_since"),
        "created_at",
    )
    list_select_related = ("organization",)
    list_filter = ("enabled", "disabled_reason")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("url", "description", "secret_hint")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Deliveries with how they stand."""

    list_display = (
        *("public_id", "organization_id", "endpoint_id", "event_type", "status", "attempts", "last_status"),
        *("last_failure", "next_attempt_at", "created_at"),
    )
    list_filter = ("status", "last_failure", "event_type")
    search_ids = ("endpoint_id",)
    ordering = ("-id",)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    """Attempts with how they ended."""

    list_display = ("id", "organization_id", "delivery_id", "started_at", "duration_ms", "status", "failure")
    list_filter = ("failure",)
    search_ids = ("delivery_id",)
    ordering = ("-id",)
