"""Webhooks: who is told of what happens in a project, and what became of each message."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel


class DisabledReason(models.TextChoices):
    """Why an endpoint gets nothing."""

    NONE = "", "Not disabled"
    REQUESTED = "requested", "Turned off by hand"
    FAILING = "failing", "Nothing but failures for a day"
    GONE = "gone", "It answered 410 Gone"


class DeliveryStatus(models.TextChoices):
    """How a delivery stands."""

    PENDING = "pending", "On its way"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Given up"


class Failure(models.TextChoices):
    """Why an attempt did not deliver."""

    NONE = "", "Delivered"
    STATUS = "status", "It answered with another status than 2xx"
    TIMEOUT = "timeout", "No answer within 10 seconds"
    UNREACHABLE = "unreachable", "No connection could be made"
    ADDRESS_REFUSED = "address_refused", "The address is not on the public internet"
    REDIRECT = "redirect_refused", "It answered with a redirect, which is not followed"


class WebhookEndpoint(TenantModel):
    """An address of the customer's that is told of what happens in a project.

    Without `event_types` it is told of everything. The secret that signs lies sealed; the one before signs
    as well until `previous_secret_until`, so that a receiver may change it at leisure. `failing_since` is the
    first failure since anything was delivered.
    """

    PREFIX: ClassVar[str] = "whk"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=16, choices=DisabledReason.choices, blank=True, default="")
    disabled_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    sealed_secret = models.BinaryField()
    secret_hint = models.CharField(max_length=4)
    sealed_previous_secret = models.BinaryField(null=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "project", "-id"], name="webhook_endpoint_list")]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="webhook_endpoint_of_organization")
        ]

    def __str__(self) -> str:
        return self.url

    def wants(self, event_type: str) -> bool:
        """Whether it is told of events of this type."""
        return not self.event_types or event_type in self.event_types


class WebhookDelivery(TenantModel):
    """One event for one endpoint. Its id is the `webhook-id` of every attempt.

    `attempts` counts those of the present round: sending again by hand begins a new one.
    """

    PREFIX: ClassVar[str] = "whd"

    # The database's own keys name the organization as well, and take the rows below along.
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+"
    )
    endpoint_id: UUID
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=64)
    sealed_body = models.BinaryField()
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_failure = models.CharField(max_length=20, choices=Failure.choices, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "endpoint", "-id"], name="webhook_delivery_list"),
            models.Index(
                fields=["organization", "endpoint", "next_attempt_at"],
                name="webhook_delivery_due",
                condition=Q(status="pending"),
            ),
            # The purge works across organizations.
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="webhook_delivery_of_organization"),
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_of_event"),
        ]

    def __str__(self) -> str:
        return self.public_id


class WebhookAttempt(TenantModel):
    """One try to deliver. What the receiver answered is not kept: it may hold others' secrets."""

    delivery = models.ForeignKey(
        WebhookDelivery, on_delete=models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+"
    )
    delivery_id: UUID
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    failure = models.CharField(max_length=20, choices=Failure.choices, blank=True, default="")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "delivery", "-id"], name="webhook_attempt_list"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} at {self.started_at}"
