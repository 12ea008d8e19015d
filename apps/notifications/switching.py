"""Turning endpoints off by themselves, and the mail about it."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.notifications.models import DisabledReason, WebhookEndpoint
from apps.tenants import people
from apps.tenants.roles import Permission


def switch_off(endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    """Turn a locked endpoint off, and tell those who can mend it. What waits is sent once it is on again."""
    if not endpoint.enabled:
        return
    endpoint.enabled = False
    endpoint.disabled_reason, endpoint.disabled_at = reason, timezone.now()
    endpoint.save(update_fields=["enabled", "disabled_reason", "disabled_at"])
    audit.record(
        actor=SYSTEM,
        action="webhook.disabled",
        target=endpoint,
        organization_id=endpoint.organization_id,
        changes={"enabled": (True, False), "reason": (None, reason)},
    )
    _mail(endpoint, reason)


def address_of(endpoint: WebhookEndpoint) -> str:
    """The endpoint's page, as a mail links it."""
    slugs = [endpoint.organization.slug, endpoint.project.slug, endpoint.public_id]
    return settings.PUBLIC_URL + reverse("notifications:endpoint", args=slugs)


def _mail(endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    context = {
        "endpoint": endpoint,
        "is_gone": reason == DisabledReason.GONE,
        "project": endpoint.project.name,
        "organization": endpoint.organization.name,
        "address": address_of(endpoint),
    }
    body = render_to_string("notifications/mail/disabled.txt", context)
    subject = " ".join(f"Webhook turned off · {endpoint.project.name}".split())
    for member in people.members_who_may(endpoint.project, Permission.WEBHOOKS_MANAGE):
        # One mail each: nobody's address is shown to the others.
        EmailMessage(subject=subject, body=body, to=[member.user.email]).send()
