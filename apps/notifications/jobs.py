"""Cron entry points."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from apps.core.scope import system_scope
from apps.notifications.deliverer import Deliverer
from apps.notifications.models import WebhookDelivery

KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 1_000

_deliverer = Deliverer()


def deliver() -> None:
    """Every second: begin to send what is due."""
    _deliverer.turn()


def purge() -> int:
    """Every hour: delete deliveries older than 30 days with their attempts; returns how many."""
    deleted = 0
    while True:
        with system_scope():
            old = WebhookDelivery.all_organizations.filter(created_at__lt=timezone.now() - KEPT)
            chosen = list(old.order_by("created_at").values_list("pk", flat=True)[:AT_ONCE])
            WebhookDelivery.all_organizations.filter(pk__in=chosen).delete()
        deleted += len(chosen)
        if len(chosen) < AT_ONCE:
            return deleted
