"""Letting old events of a chain go: up to a cut, which is signed, while the seals stay as its skeleton.

Numbers and hashes of every event that ever was remain, so the chain still verifies and can't be shortened in
secret: whoever deletes events without the key can't sign the cut that would explain it.
"""

import hashlib
import hmac
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from apps.audit import sealing
from apps.audit.models import AuditCut, AuditDetail, AuditEvent, AuditSeal

AT_ONCE: Final = 2000


def cut(organization_id: UUID | None, *, sequence: int | None = None) -> AuditCut | None:
    """Allow the events of a chain up to a number (by default its head) to be deleted; in the system scope.

    None when there is nothing to cut that has not been cut already.
    """
    seals = _seals(organization_id)
    if sequence is not None:
        seals = seals.filter(sequence__lte=sequence)
    last = seals.order_by("-sequence").first()
    done = latest_cut(organization_id)
    if last is None or (done is not None and done.sequence >= last.sequence):
        return None
    row = AuditCut(organization_id=organization_id, sequence=last.sequence, hash=bytes(last.hash))
    row.mac = _mac(row)
    row.save(force_insert=True)
    return row


def latest_cut(organization_id: UUID | None) -> AuditCut | None:
    """The furthest cut of a chain whose signature holds; in the system scope."""
    rows = AuditCut.all_organizations.filter(
        **{"organization_id__isnull": True}
        if organization_id is None
        else {"organization_id": organization_id}
    )
    signed = (row for row in rows.order_by("-sequence") if hmac.compare_digest(bytes(row.mac), _mac(row)))
    return next(signed, None)


def delete_cut_events(organization_id: UUID | None, *, limit: int = AT_ONCE) -> int:
    """Delete up to `limit` events before the cut, oldest first, with their details; how many went.

    In the system scope. The database refuses an event that no cut covers.
    """
    done = latest_cut(organization_id)
    if done is None:
        return 0
    events = AuditEvent.all_organizations.filter(
        id__in=_seals(organization_id).filter(sequence__lte=done.sequence).values("event_id")
    )
    event_ids = list(events.order_by("id").values_list("id", flat=True)[:limit])
    AuditDetail.all_organizations.filter(event_id__in=event_ids).delete()
    AuditEvent.all_organizations.filter(id__in=event_ids).delete()
    return len(event_ids)


def _seals(organization_id: UUID | None) -> QuerySet[AuditSeal]:
    if organization_id is None:
        return AuditSeal.all_organizations.filter(organization_id__isnull=True)
    return AuditSeal.all_organizations.filter(organization_id=organization_id)


def _mac(row: AuditCut) -> bytes:
    place = f"cut\x1f{row.organization_id or 'platform'}\x1f{row.sequence}\x1f".encode()
    return hmac.new(sealing.chain_key(), place + bytes(row.hash), hashlib.sha256).digest()
