"""The change feed: what a process has cached and must forget.

A service appends a line in its own transaction; each process reads new lines every 300 ms. Redis only rings
sooner. Reading is exact without a clock: a line carries its writer's transaction id, and a reader goes on
from the oldest transaction that was still open at its last read, so a late commit is never missed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.core import redis
from apps.core.logs import get_logger
from apps.core.models import Change
from apps.core.scope import current_organization_id, in_scope, in_system_scope, system_scope

CHANNEL: Final = "promptsaas:changes"
POLL_SECONDS: Final = 0.3
KEPT: Final = timedelta(hours=1)

# One statement, so that the snapshot's oldest open transaction belongs to the very rows that are read.
READ: Final = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, c.id, c.kind, c.key, c.organization_id
    FROM (SELECT 1) one LEFT JOIN core_change c
        ON c.transaction_id >= least(%s, pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    ORDER BY c.id
"""
START: Final = 9_223_372_036_854_775_807

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """Something changed: `kind` such as "label", `key` as its writer and reader agreed."""

    id: int
    kind: str
    key: str
    organization_id: UUID | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands: the oldest transaction it may not have seen, and the lines it has seen since."""

    transaction_id: int = START
    seen: frozenset[int] = field(default_factory=frozenset)


Row = tuple[Any, ...]
OnChange = Callable[[ChangeLine], None]


def append(kind: str, key: str, *, organization_id: UUID | None = None) -> None:
    """Tell every process that something changed, in the transaction that changes it.

    The organization is the open scope's unless given; None outside a scope means the platform's.
    """
    if organization_id is None and in_scope() and not in_system_scope():
        organization_id = current_organization_id()
    Change(kind=kind, key=key, organization_id=organization_id).save(force_insert=True)
    transaction.on_commit(partial(_ring, kind))


def _ring(kind: str) -> None:
    try:
        redis.client().publish(CHANNEL, kind)
    except redis.DEAD_REDIS as error:
        logger.info("changes.redis_is_away", extra={"error": str(error)})


def advance(position: Position, rows: list[Row]) -> tuple[list[ChangeLine], Position]:
    """Pure: from the rows of `READ` to the lines not seen yet and the next position."""
    found = [ChangeLine(*row[1:]) for row in rows if row[1] is not None]
    # At the start, what is there already counts as seen: nothing has been cached yet.
    is_start = position.transaction_id == START
    fresh = [] if is_start else [line for line in found if line.id not in position.seen]
    return fresh, Position(rows[0][0], frozenset(line.id for line in found))


def trim() -> int:
    """Delete lines older than an hour; returns how many. A reader away for longer starts afresh."""
    with system_scope():
        deleted, _ = Change.objects.filter(created_at__lt=Now() - KEPT).delete()
    return deleted
