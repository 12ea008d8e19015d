"""Handing on and sending in a test, without the cron process."""

import asyncio
from datetime import timedelta

from django.db.models import F

from apps.core.outbox import relay
from apps.core.scope import organization_scope, system_scope
from apps.notifications.claiming import due_places
from apps.notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.notifications.sending import open_sender


def deliver() -> int:
    """Hand on what the outbox has and send all that is due; returns how many deliveries were tried."""
    relay()

    async def send() -> int:
        async with open_sender() as sender:
            return sum(await asyncio.gather(*(sender.deliver(place) for place in places)))

    places = due_places(100)
    return asyncio.run(send())


def pass_time(by: timedelta) -> None:
    """Let so much time pass for everything that waits."""
    with system_scope():
        waiting = WebhookDelivery.all_organizations.filter(next_attempt_at__isnull=False)
        waiting.update(next_attempt_at=F("next_attempt_at") - by)
        failing = WebhookEndpoint.all_organizations.filter(failing_since__isnull=False)
        failing.update(failing_since=F("failing_since") - by)


def deliveries(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    """The endpoint's deliveries, the oldest first."""
    with organization_scope(endpoint.organization_id):
        return list(WebhookDelivery.objects.filter(endpoint=endpoint).order_by("pk"))


def attempts(delivery: WebhookDelivery) -> list[WebhookAttempt]:
    """The delivery's attempts, the oldest first."""
    with organization_scope(delivery.organization_id):
        return list(WebhookAttempt.objects.filter(delivery=delivery).order_by("pk"))


def reload(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """The endpoint as the database has it now."""
    with organization_scope(endpoint.organization_id):
        return WebhookEndpoint.objects.get(pk=endpoint.pk)
