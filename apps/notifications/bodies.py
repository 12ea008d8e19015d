"""The bodies of deliveries: written once, sealed at rest, sent byte for byte the same every time."""

from typing import Any, Final
from uuid import UUID

from apps.core import crypto, ids
from apps.core.api_version import API_VERSION
from apps.core.json_bodies import dump_json
from apps.core.outbox import OutboxEvent
from apps.notifications.models import WebhookDelivery

TABLE: Final = "notifications_webhookdelivery"


def event_body(event: OutboxEvent, told: dict[str, Any], previous: dict[str, Any]) -> bytes:
    """What receivers get: facts and ids, never what a prompt said or a model answered."""
    return dump_json(
        {
            "id": ids.encode("evt", event.id),
            "object": "event",
            "type": event.topic,
            "created_at": event.created_at,
            "api_version": API_VERSION,
            "project_id": event.payload.get("project_id"),
            "data": {"object": told, "previous": previous},
            "actor": event.payload.get("actor"),
        }
    )


def seal_body(organization_id: UUID, delivery_id: UUID, body: bytes) -> bytes:
    """The body under the organization's data key; call it inside the organization's scope."""
    return crypto.seal(body, **_place(organization_id, delivery_id))


def body_of(delivery: WebhookDelivery) -> bytes:
    """The body as it is sent. Raises SealBroken; call it inside the organization's scope."""
    return crypto.unseal(bytes(delivery.sealed_body), **_place(delivery.organization_id, delivery.pk))


def _place(organization_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "table": TABLE,
        "column": "sealed_body",
        "row_id": delivery_id,
    }
