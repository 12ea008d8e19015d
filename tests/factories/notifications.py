"""Rows of webhooks."""

from typing import Any

from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.notifications import services
from apps.notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


def make_webhook(
    *, project: Project, url: str = "https://hooks.example.com/promptsaas", **values: Any
) -> tuple[WebhookEndpoint, str]:
    """An endpoint and its secret."""
    with organization_scope(project.organization_id):
        return services.create_endpoint(actor=SYSTEM, project=project, url=url, **values)


def _made(project: Project) -> WebhookEndpoint:
    """One more, in the place of the oldest where a project has no room."""
    there = WebhookEndpoint.objects.filter(project=project).order_by("pk")
    if there.count() >= services.MOST_ENDPOINTS:
        there[0].delete()
    return make_webhook(project=project)[0]


@tenant_factory("notifications.WebhookEndpoint")
def _endpoint(project: Project) -> TenantModel:
    return _made(project)


@tenant_factory("notifications.WebhookDelivery")
def _delivery(project: Project) -> TenantModel:
    return services.send_test(actor=SYSTEM, endpoint=_made(project))


@tenant_factory("notifications.WebhookAttempt")
def _attempt(project: Project) -> TenantModel:
    delivery = services.send_test(actor=SYSTEM, endpoint=_made(project))
    return WebhookAttempt.objects.create(
        organization_id=project.organization_id,
        delivery=WebhookDelivery.objects.get(pk=delivery.pk),
        started_at=timezone.now(),
        duration_ms=12,
        status=500,
        failure="status",
    )
