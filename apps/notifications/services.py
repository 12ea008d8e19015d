"""Writes of webhooks. Call them inside the organization's scope."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import outbound
from apps.core.errors import Conflict, InvalidRequest
from apps.core.ids import encode, uuid7
from apps.core.outbox import OutboxEvent
from apps.notifications import secrets, signing
from apps.notifications.bodies import event_body
from apps.notifications.catalogue import BY_NAME, TEST
from apps.notifications.fan_out import add_deliveries
from apps.notifications.models import (
    DeliveryStatus,
    DisabledReason,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.tenants.models import Project

OVERLAP: Final = timedelta(hours=24)
"""For so long the secret before a rotation signs as well."""

MOST_ENDPOINTS: Final = 20
LONGEST_URL: Final = 2048
LONGEST_DESCRIPTION: Final = 200


def create_endpoint(
    *,
    actor: Actor,
    project: Project,
    url: str,
    description: str = "",
    event_types: Sequence[str] = (),
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is returned here and never again.

    Raises InvalidRequest for an address that may not be called, an unknown event type, or one endpoint too
    many.
    """
    # The project's row keeps two that come at once from both being the last.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if WebhookEndpoint.objects.filter(project=project).count() >= MOST_ENDPOINTS:
        raise InvalidRequest(
            f"A project has at most {MOST_ENDPOINTS} webhooks.", code="too_many_webhooks", param="url"
        )
    endpoint = WebhookEndpoint(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        url=checked_url(url),
        description=_description(description),
        event_types=_event_types(event_types),
    )
    secret = signing.new_secret()
    secrets.store(endpoint, secret)
    endpoint.save(force_insert=True)
    _record(
        actor,
        endpoint,
        "webhook.created",
        url=(None, _place(endpoint.url)),
        event_types=(None, endpoint.event_types),
    )
    return endpoint, secret


def update_endpoint(*, actor: Actor, endpoint: WebhookEndpoint, **values: Any) -> WebhookEndpoint:
    """Change url, description, event_types or enabled; what isn't given stays. Raises InvalidRequest.

    One that is turned on again is sent what waits, at once.
    """
    locked = _locked(endpoint)
    checks: dict[str, Callable[[Any], Any]] = {
        "url": checked_url,
        "description": _description,
        "event_types": _event_types,
        "enabled": bool,
    }
    wanted = {name: checks[name](value) for name, value in values.items()}
    before = {name: getattr(locked, name) for name in wanted}
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    if not changed:
        return locked
    for name, value in changed.items():
        setattr(locked, name, value)
    if "enabled" in changed:
        _switched(locked)
    locked.save()
    told = {name: (_told(name, before[name]), _told(name, value)) for name, value in changed.items()}
    _record(actor, locked, "webhook.updated", **told)
    return locked


def rotate_secret(*, actor: Actor, endpoint: WebhookEndpoint) -> tuple[WebhookEndpoint, str]:
    """A new secret, which is returned here and never again; the old one signs as well for 24 hours more."""
    locked = _locked(endpoint)
    secrets.keep_previous(locked)
    before, locked.previous_secret_until = locked.secret_hint, timezone.now() + OVERLAP
    secret = signing.new_secret()
    secrets.store(locked, secret)
    locked.save()
    _record(
        actor,
        locked,
        "webhook.secret_rotated",
        secret=(f"…{before}", f"…{locked.secret_hint}"),
        previous_secret_until=(None, locked.previous_secret_until),
    )
    return locked, secret


def delete_endpoint(*, actor: Actor, endpoint: WebhookEndpoint) -> None:
    """Delete an endpoint with its deliveries; what waits is not sent any more."""
    locked = _locked(endpoint)
    _record(actor, locked, "webhook.deleted", url=(_place(locked.url), None))
    locked.delete()


def send_test(*, actor: Actor, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Put an event `webhook.test` in line for one endpoint, whatever types it wants.

    Raises Conflict for one that is turned off.
    """
    _demand_on(endpoint)
    event = OutboxEvent(
        id=uuid7(),
        topic=TEST,
        payload={"project_id": encode("prj", endpoint.project_id), "actor": actor.told()},
        organization_id=endpoint.organization_id,
        created_at=timezone.now(),
        attempt=1,
    )
    told = {"id": endpoint.public_id, "object": "webhook_endpoint", "description": endpoint.description}
    add_deliveries(endpoint.organization_id, event.id, TEST, event_body(event, told, {}), [endpoint])
    _record(actor, endpoint, "webhook.tested")
    return WebhookDelivery.objects.get(endpoint=endpoint, event_id=event.id)


def resend(*, actor: Actor, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery once more, now, with the same id and body, and a whole round of attempts.

    Raises Conflict for one whose endpoint is turned off.
    """
    locked = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
    endpoint = WebhookEndpoint.objects.get(pk=locked.endpoint_id)
    _demand_on(endpoint)
    before = locked.status
    locked.status, locked.attempts = DeliveryStatus.PENDING, 0
    locked.next_attempt_at, locked.delivered_at = timezone.now(), None
    locked.save()
    audit.record(
        actor=actor,
        action="webhook.resent",
        target=locked,
        target_name=_place(endpoint.url),
        organization_id=locked.organization_id,
        changes={"status": (before, locked.status)},
    )
    return locked


def checked_url(url: str) -> str:
    """An address whose form may be called; where it leads to is checked at every call.

    Raises InvalidRequest.
    """
    url = url.strip()
    if len(url) > LONGEST_URL:
        raise InvalidRequest(
            f"A URL has at most {LONGEST_URL:,} characters.", code="url_invalid", param="url"
        )
    try:
        outbound.check_url(url)
    except outbound.OutboundRefused as problem:
        raise InvalidRequest(problem.message, code=problem.code, param="url") from None
    if urlsplit(url).fragment:
        raise InvalidRequest(
            "A webhook's URL has no part after '#': it would not be sent.", code="url_invalid", param="url"
        )
    return url


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)


def _demand_on(endpoint: WebhookEndpoint) -> None:
    if not endpoint.enabled:
        raise Conflict("This webhook is turned off. Turn it on first.", code="webhook_disabled")


def _switched(endpoint: WebhookEndpoint) -> None:
    now = timezone.now()
    endpoint.failing_since = None
    endpoint.disabled_reason = DisabledReason.NONE if endpoint.enabled else DisabledReason.REQUESTED
    endpoint.disabled_at = None if endpoint.enabled else now
    if endpoint.enabled:
        waiting = WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
        waiting.update(next_attempt_at=now, attempts=0)


def _description(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            f"A description has at most {LONGEST_DESCRIPTION} characters.", param="description"
        )
    return text


def _event_types(names: Sequence[str]) -> list[str]:
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise InvalidRequest(
            f"There is no event type '{unknown[0][:64]}'.", code="event_type_unknown", param="event_types"
        )
    return sorted(set(names))


def _place(url: str) -> str:
    """As far as an address may stand in the audit log: a path may hold a secret, as chat services' do."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _told(name: str, value: Any) -> Any:
    return _place(value) if name == "url" else value


def _record(actor: Actor, endpoint: WebhookEndpoint, action: str, **changed: tuple[Any, Any]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target=endpoint,
        target_name=_place(endpoint.url),
        organization_id=endpoint.organization_id,
        changes=changed,
    )
