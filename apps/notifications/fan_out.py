"""From a message of the outbox to one delivery for each endpoint that wants it."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from apps.core.errors import NotFound
from apps.core.ids import uuid7
from apps.core.logs import get_logger
from apps.core.outbox import OutboxEvent
from apps.core.scope import organization_scope
from apps.notifications.bodies import event_body, seal_body
from apps.notifications.catalogue import EventType, find_type, project_of
from apps.notifications.models import WebhookDelivery, WebhookEndpoint

logger = get_logger(__name__)


def hand_on(event: OutboxEvent) -> None:
    """The outbox's handler. Safe to call again: an endpoint has one delivery of an event."""
    kind = find_type(event.topic)
    if kind is None or event.organization_id is None:
        return
    with organization_scope(event.organization_id):
        endpoints = [each for each in _endpoints(kind, event) if each.wants(event.topic)]
        if not endpoints:
            return
        try:
            told, previous = kind.tell(event)
        except NotFound:
            # Retention or an erasure took it before anybody was told.
            logger.info("webhooks.object_gone", extra={"topic": event.topic})
            return
        body = event_body(event, told, previous)
        add_deliveries(event.organization_id, event.id, event.topic, body, endpoints)


def add_deliveries(
    organization_id: UUID, event_id: UUID, event_type: str, body: bytes, endpoints: list[WebhookEndpoint]
) -> None:
    """Put a body in line for endpoints, inside the organization's scope; who has it already keeps it."""
    now = timezone.now()
    rows = []
    for endpoint in sorted(endpoints, key=lambda each: each.pk):
        delivery_id = uuid7()
        rows.append(
            WebhookDelivery(
                id=delivery_id,
                organization_id=organization_id,
                endpoint=endpoint,
                event_id=event_id,
                event_type=event_type,
                sealed_body=seal_body(organization_id, delivery_id, body),
                next_attempt_at=now,
            )
        )
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)


def _endpoints(kind: EventType, event: OutboxEvent) -> "QuerySet[WebhookEndpoint]":
    found = WebhookEndpoint.objects.filter(enabled=True).order_by("pk")
    if kind.everywhere:
        return found
    project_id = project_of(event)
    return found.filter(project_id=project_id) if project_id else found.none()
