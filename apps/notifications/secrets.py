"""The secrets of endpoints, as they lie in the table."""

from typing import Any, Final

from django.utils import timezone

from apps.core import crypto
from apps.notifications.models import WebhookEndpoint

TABLE: Final = "notifications_webhookendpoint"
HINT: Final = 4


def store(endpoint: WebhookEndpoint, secret: str) -> None:
    """Put a new secret into the row, unsaved."""
    endpoint.sealed_secret = crypto.seal(secret.encode(), **_place(endpoint, "sealed_secret"))
    endpoint.secret_hint = secret[-HINT:]


def keep_previous(endpoint: WebhookEndpoint) -> None:
    """Put the present secret in the place of the previous one, unsaved."""
    present = crypto.unseal(bytes(endpoint.sealed_secret), **_place(endpoint, "sealed_secret"))
    endpoint.sealed_previous_secret = crypto.seal(present, **_place(endpoint, "sealed_previous_secret"))


def signing_secrets(endpoint: WebhookEndpoint) -> list[str]:
    """The secrets that sign now, the newest first. Raises SealBroken."""
    sealed = {"sealed_secret": endpoint.sealed_secret}
    until = endpoint.previous_secret_until
    if endpoint.sealed_previous_secret is not None and until is not None and until > timezone.now():
        sealed["sealed_previous_secret"] = endpoint.sealed_previous_secret
    return [
        crypto.unseal(bytes(value), **_place(endpoint, column)).decode() for column, value in sealed.items()
    ]


def _place(endpoint: WebhookEndpoint, column: str) -> dict[str, Any]:
    return {
        "organization_id": endpoint.organization_id,
        "table": TABLE,
        "column": column,
        "row_id": endpoint.pk,
    }
