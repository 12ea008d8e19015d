"""What the API shows and takes of webhooks."""

from typing import Any

import orjson
from rest_framework import serializers

from apps.core import ids
from apps.core.crypto import SealBroken
from apps.notifications import services
from apps.notifications.bodies import body_of
from apps.notifications.catalogue import BY_NAME, TEST
from apps.notifications.models import (
    DeliveryStatus,
    DisabledReason,
    Failure,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)


class WebhookSerializer(serializers.Serializer[Any]):
    """An address that is told of what happens in the project. Its secret is shown once, when it is made."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["webhook_endpoint"])
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.CharField(), help_text="What it is told of; empty: everything."
    )
    enabled = serializers.BooleanField()
    disabled_reason = serializers.ChoiceField(
        choices=[each.value for each in DisabledReason if each.value], allow_null=True
    )
    disabled_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failure since anything was delivered."
    )
    secret_hint = serializers.CharField(help_text="The secret's last characters.")
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before the last rotation signs as well."
    )
    created_at = serializers.DateTimeField()


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with its new secret, which is told here and never again."""

    secret = serializers.CharField()


class ChangeWebhookSerializer(serializers.Serializer[Any]):
    """What can be changed of a webhook; what isn't named stays."""

    url = serializers.CharField(max_length=services.LONGEST_URL, required=False)
    description = serializers.CharField(
        max_length=services.LONGEST_DESCRIPTION, required=False, allow_blank=True
    )
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(BY_NAME)),
        required=False,
        max_length=len(BY_NAME),
        help_text="What it is told of; empty: everything.",
    )
    enabled = serializers.BooleanField(required=False)


class NewWebhookSerializer(ChangeWebhookSerializer):
    """A new webhook."""

    url = serializers.CharField(max_length=services.LONGEST_URL)
    enabled = None  # type: ignore[assignment]


class DeliverySerializer(serializers.Serializer[Any]):
    """One event for one webhook. The id is the `webhook-id` of every attempt."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["webhook_delivery"])
    webhook_endpoint = serializers.CharField()
    event_id = serializers.CharField()
    event_type = serializers.ChoiceField(choices=[*sorted(BY_NAME), TEST])
    status = serializers.ChoiceField(choices=DeliveryStatus.values)
    attempts = serializers.IntegerField(help_text="Of the present round; resending begins a new one.")
    last_status = serializers.IntegerField(
        allow_null=True, help_text="The HTTP status of the last answer; null where none came."
    )
    last_failure = serializers.ChoiceField(
        choices=[each.value for each in Failure if each.value], allow_null=True
    )
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)


class DeliveryAttemptSerializer(serializers.Serializer[Any]):
    """One try. What the receiver answered beside its status is not kept."""

    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    failure = serializers.ChoiceField(choices=[each.value for each in Failure if each.value], allow_null=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with what was sent and every attempt."""

    body = serializers.DictField(allow_null=True, help_text="The event as it was sent.")
    attempt_log = DeliveryAttemptSerializer(many=True)


def webhook_body(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """A webhook as the API shows it."""
    return {
        "id": endpoint.public_id,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "disabled_at": endpoint.disabled_at,
        "failing_since": endpoint.failing_since,
        "secret_hint": endpoint.secret_hint,
        "previous_secret_until": endpoint.previous_secret_until,
        "created_at": endpoint.created_at,
    }


def delivery_body(delivery: WebhookDelivery) -> dict[str, Any]:
    """A delivery as it stands in lists."""
    return {
        "id": delivery.public_id,
        "object": "webhook_delivery",
        "webhook_endpoint": ids.encode(WebhookEndpoint.PREFIX, delivery.endpoint_id),
        "event_id": ids.encode("evt", delivery.event_id),
        "event_type": delivery.event_type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "last_status": delivery.last_status,
        "last_failure": delivery.last_failure or None,
        "next_attempt_at": delivery.next_attempt_at,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
    }


def delivery_detail_body(delivery: WebhookDelivery, attempts: "list[WebhookAttempt]") -> dict[str, Any]:
    """A delivery with what was sent and every attempt."""
    try:
        body = orjson.loads(body_of(delivery))
    except SealBroken:
        body = None
    log = [
        {
            "started_at": each.started_at,
            "duration_ms": each.duration_ms,
            "status": each.status,
            "failure": each.failure or None,
        }
        for each in attempts
    ]
    return {**delivery_body(delivery), "body": body, "attempt_log": log}
