"""What is due at an endpoint, taken under a lease, and what became of it. Each in a short scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import ids
from apps.core.crypto import SealBroken
from apps.core.scope import organization_scope, system_scope
from apps.notifications import schedule
from apps.notifications.bodies import body_of
from apps.notifications.delivery_metrics import DELIVERIES
from apps.notifications.models import (
    DeliveryStatus,
    DisabledReason,
    Failure,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.notifications.secrets import signing_secrets
from apps.notifications.switching import switch_off

AT_ONCE: Final = 8
"""Requests to one endpoint at the same moment."""

LEASE: Final = timedelta(seconds=60)
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint."""

    organization_id: UUID
    endpoint_id: UUID


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery to be sent; `attempt` is the claim's fence."""

    delivery_id: UUID
    attempt: int
    url: str
    secrets: tuple[str, ...]
    body: bytes

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same however often it is sent."""
        return ids.encode(WebhookDelivery.PREFIX, self.delivery_id)


class Sent(Protocol):
    """What became of a post."""

    @property
    def post(self) -> Post: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def duration_ms(self) -> int: ...
    @property
    def status(self) -> int | None: ...
    @property
    def failure(self) -> Failure: ...
    @property
    def delivered(self) -> bool: ...


def due_places(most: int) -> list[Place]:
    """Enabled endpoints at which something is due. Opens the system scope."""
    due = WebhookDelivery.all_organizations.filter(
        organization_id=OuterRef("organization_id"),
        endpoint_id=OuterRef("pk"),
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=Now(),
    )
    with system_scope():
        found = WebhookEndpoint.all_organizations.filter(Exists(due), enabled=True)
        return [Place(*row) for row in found.values_list("organization_id", "pk")[:most]]


def claim(place: Place) -> list[Post]:
    """Take the next due deliveries of an endpoint for a minute; none for one that is turned off."""
    with organization_scope(place.organization_id):
        endpoint = WebhookEndpoint.objects.filter(pk=place.endpoint_id, enabled=True).first()
        if endpoint is None:
            return []
        due = WebhookDelivery.objects.filter(
            endpoint=endpoint, status=DeliveryStatus.PENDING, next_attempt_at__lte=Now()
        )
        rows = list(
            due.select_for_update(skip_locked=True, no_key=True).order_by("next_attempt_at", "pk")[:AT_ONCE]
        )
        until = timezone.now() + LEASE
        for row in rows:
            row.attempts += 1
            row.next_attempt_at = until
        WebhookDelivery.objects.bulk_update(rows, ["attempts", "next_attempt_at"])
        secrets = tuple(signing_secrets(endpoint)) if rows else ()
        return [post for row in rows if (post := _post(row, endpoint, secrets)) is not None]


def store(place: Place, sent: Sequence[Sent]) -> None:
    """Keep what became of posts. A delivery that was claimed anew meanwhile is left to its new holder."""
    with organization_scope(place.organization_id):
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=place.endpoint_id).first()
        if endpoint is None:
            return
        ours = {each.post.delivery_id: each for each in sent}
        rows = WebhookDelivery.objects.select_for_update(no_key=True).filter(pk__in=list(ours))
        for row in rows.order_by("pk"):
            _keep_outcome(row, ours[row.pk])
        _judge(endpoint, sent)


def _post(row: WebhookDelivery, endpoint: WebhookEndpoint, secrets: tuple[str, ...]) -> Post | None:
    try:
        return Post(row.pk, row.attempts, endpoint.url, secrets, body_of(row))
    except SealBroken:
        # Nobody can read it any more, so nobody can be told.
        row.status, row.next_attempt_at = DeliveryStatus.FAILED, None
        row.save(update_fields=["status", "next_attempt_at"])
        return None


def _keep_outcome(row: WebhookDelivery, outcome: Sent) -> None:
    WebhookAttempt.objects.create(
        organization_id=row.organization_id,
        delivery=row,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        failure=outcome.failure,
    )
    if row.status != DeliveryStatus.PENDING or row.attempts != outcome.post.attempt:
        return
    wait = None if outcome.delivered else schedule.wait_after(row.attempts)
    row.last_status, row.last_failure = outcome.status, outcome.failure
    row.next_attempt_at = timezone.now() + wait if wait else None
    if outcome.delivered:
        row.status, row.delivered_at = DeliveryStatus.DELIVERED, timezone.now()
    elif wait is None:
        row.status = DeliveryStatus.FAILED
    row.save()
    DELIVERIES.labels("retried" if wait else row.status).inc()


def _judge(endpoint: WebhookEndpoint, sent: Sequence[Sent]) -> None:
    """Note since when nothing but failures came, and turn the endpoint off after a day of them."""
    if any(each.status == GONE for each in sent):
        switch_off(endpoint, DisabledReason.GONE)
    elif any(each.delivered for each in sent):
        if endpoint.failing_since is not None:
            endpoint.failing_since = None
            endpoint.save(update_fields=["failing_since"])
    elif endpoint.failing_since is None:
        endpoint.failing_since = min(each.started_at for each in sent)
        endpoint.save(update_fields=["failing_since"])
    elif timezone.now() - endpoint.failing_since >= schedule.DISABLE_AFTER:
        switch_off(endpoint, DisabledReason.FAILING)
