"""What Prometheus is told of webhooks."""

from typing import Final

from apps.core.metrics import counter

DELIVERIES: Final = counter(
    "promptsaas_webhook_deliveries",
    "Attempts to deliver webhooks: delivered, retried later, failed for good.",
    ("outcome",),
)
