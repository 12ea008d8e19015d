"""The outbox: what happened is written with the change itself, and handed on after the commit.

Higher rooms listen by topic: `settings.OUTBOX_HANDLERS` maps a topic's beginning ("prompt.") to a dotted
function that takes one OutboxEvent. Delivery is at least once, so handlers must be idempotent.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.core.logs import get_logger
from apps.core.models import OutboxMessage
from apps.core.scope import system_scope

AT_ONCE: Final = 100
MOST_ROUNDS: Final = 30
LEASE: Final = timedelta(seconds=60)
MOST_ATTEMPTS: Final = 12
LONGEST_WAIT: Final = timedelta(hours=1)

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """What a handler gets. `id` stays the same over repeated deliveries."""

    id: UUID
    topic: str
    payload: dict[str, Any]
    organization_id: UUID | None
    created_at: datetime
    attempt: int


Handler = Callable[[OutboxEvent], None]


def write(topic: str, payload: dict[str, Any], organization_id: UUID | None) -> None:
    """Write a message in the caller's transaction. `topic` as "prompt.label.moved"; ids, not content."""
    OutboxMessage(topic=topic, payload=payload, organization_id=organization_id).save(force_insert=True)


def relay(limit: int = AT_ONCE) -> int:
    """Hand on up to `limit` due messages; returns how many succeeded. Safe to run in several processes.

    Handlers run outside any scope and transaction, under a lease of a minute.
    """
    return sum(_deliver(event) for event in _claim(limit))


def relay_waiting() -> int:
    """`relay` as long as there is more, for a few thousand messages a turn; returns how many succeeded."""
    done = 0
    for _ in range(MOST_ROUNDS):
        events = _claim(AT_ONCE)
        done += sum(_deliver(event) for event in events)
        if len(events) < AT_ONCE:
            break
    return done


def retry_messages(*, message_ids: Sequence[UUID]) -> int:
    """Make messages due now, with all their attempts before them; returns how many."""
    with system_scope():
        return OutboxMessage.objects.filter(id__in=message_ids).update(
            attempts=0, failed_at=None, due_at=timezone.now()
        )


def handlers_for(topic: str) -> list[str]:
    """The dotted functions that listen to a topic, in a fixed order."""
    return [handler for start, handler in sorted(settings.OUTBOX_HANDLERS.items()) if topic.startswith(start)]


def wait_before_attempt(attempt: int) -> timedelta:
    """Exponential, with full jitter, at most an hour."""
    longest = min(LONGEST_WAIT.total_seconds(), 2.0**attempt)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311


def _claim(limit: int) -> list[OutboxEvent]:
    """Take a lease on due messages and commit, so that no transaction is open while handlers work."""
    now = timezone.now()
    with system_scope():
        rows = list(
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(due_at__lte=now, failed_at__isnull=True)
            .order_by("due_at")[:limit]
        )
        for row in rows:
            row.attempts += 1
            row.due_at = now + LEASE
        OutboxMessage.objects.bulk_update(rows, ["attempts", "due_at"])
    return [
        OutboxEvent(row.id, row.topic, row.payload, row.organization_id, row.created_at, row.attempts)
        for row in rows
    ]


def _deliver(event: OutboxEvent) -> bool:
    try:
        for name in handlers_for(event.topic):
            cast(Handler, import_string(name))(event)
    except Exception as error:
        # One bad message or handler must not stop the others.
        logger.exception("outbox.delivery_failed", extra={"topic": event.topic, "message_id": str(event.id)})
        _put_back(event, error)
        return False
    with system_scope():
        OutboxMessage.objects.filter(id=event.id).delete()
    return True


def _put_back(event: OutboxEvent, error: Exception) -> None:
    now = timezone.now()
    with system_scope():
        OutboxMessage.objects.filter(id=event.id).update(
            last_error=f"{type(error).__name__}: {error}"[:500],
            due_at=now + wait_before_attempt(event.attempt),
            failed_at=now if event.attempt >= MOST_ATTEMPTS else None,
        )
