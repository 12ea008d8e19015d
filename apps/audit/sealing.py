"""Sealing the trail: each event gets its place and hash in its organization's chain, after its commit."""

from collections import defaultdict
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import connection

from apps.audit import records
from apps.audit.models import AuditEvent, AuditPending, AuditSeal
from apps.core import crypto
from apps.core.logs import get_logger
from apps.core.scope import system_scope

# The number of the advisory lock that lets one sealer work at a time.
LOCK: Final = 7_340_311
AT_ONCE: Final = 1000

logger = get_logger(__name__)


def seal_pending(limit: int = AT_ONCE) -> int:
    """Seal up to `limit` events that have committed; returns how many. Another sealer at work: 0.

    The chain head is locked here and never in a writer's transaction, where it would be a queue for all.
    """
    with system_scope():
        if not _take_lock():
            return 0
        waiting = list(AuditPending.objects.order_by("event_id")[:limit])
        events = list(
            AuditEvent.all_organizations.filter(id__in=[row.event_id for row in waiting]).order_by("id")
        )
        by_organization: dict[UUID | None, list[AuditEvent]] = defaultdict(list)
        for event in events:
            by_organization[event.organization_id].append(event)
        for organization_id in sorted(by_organization, key=str):
            _extend(organization_id, by_organization[organization_id])
        AuditPending.objects.filter(event_id__in=[event.id for event in events]).delete()
    if len(events) < len(waiting):
        # verify names them: their marks stay.
        logger.error("audit.events_vanished", extra={"count": len(waiting) - len(events)})
    return len(events)


def seal_all() -> int:
    """Seal until nothing waits; returns how many."""
    total = 0
    while count := seal_pending():
        total += count
    return total


def chain_key() -> bytes:
    """The key of the chains' hashes: derived from the platform's data key, so rotation does not change it."""
    return _derive(crypto.data_key(None))


@lru_cache(maxsize=4)
def _derive(key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"promptsaas audit chain").derive(key)


def _take_lock() -> bool:
    with connection.cursor() as cursor:
        # Ends with the transaction: session locks don't survive a transaction-mode pooler.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def _extend(organization_id: UUID | None, events: list[AuditEvent]) -> None:
    head = _head(organization_id)
    sequence, previous = (head.sequence, bytes(head.hash)) if head else (0, records.FIRST_HASH)
    key = chain_key()
    seals = []
    for event in events:
        sequence += 1
        hash_ = records.chain_hash(key, previous, sequence, event)
        seals.append(
            AuditSeal(
                event_id=event.id,
                organization_id=organization_id,
                sequence=sequence,
                previous_hash=previous,
                hash=hash_,
            )
        )
        previous = hash_
    AuditSeal.all_organizations.bulk_create(seals)


def _head(organization_id: UUID | None) -> AuditSeal | None:
    seals = AuditSeal.all_organizations.order_by("-sequence")
    if organization_id is None:
        return seals.filter(organization_id__isnull=True).first()
    return seals.filter(organization_id=organization_id).first()
