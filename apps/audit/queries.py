"""Reading the trail, and verifying that nothing in it was changed."""

import hmac
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from apps.audit import cutting, records, sealing
from apps.audit.models import AuditCut, AuditDetail, AuditEvent, AuditPending, AuditSeal
from apps.core import crypto
from apps.core.scope import system_scope

DETAIL_TABLE: Final = "audit_auditdetail"
AT_ONCE: Final = 1000
# The sealer works every second; an event that waits longer is told.
LONGEST_WAIT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the trail. `sequence` is None for what has no place in a chain."""

    organization_id: UUID | None
    sequence: int | None
    event_id: UUID | None
    what: str

    def __str__(self) -> str:
        owner = self.organization_id or "platform"
        place = "unsealed" if self.sequence is None else f"#{self.sequence}"
        return f"{owner} {place} event {self.event_id}: {self.what}"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain. Kept elsewhere, it shows that a chain was cut short."""

    organization_id: UUID | None
    sequence: int
    hash: str


def events(organization_id: UUID) -> QuerySet[AuditEvent]:
    """An organization's events, newest first; inside its scope."""
    return AuditEvent.objects.filter(organization_id=organization_id).order_by("-id")


def detail(event: AuditEvent, part: AuditDetail.Part) -> dict[str, Any] | None:
    """A part of an event's detail, or None when there is none (any more); inside the event's scope."""
    row = AuditDetail.all_organizations.filter(
        organization_id=event.organization_id, event_id=event.id, part=part
    ).first()
    return None if row is None else _open(row)[1]


def details(organization_id: UUID | None, event_ids: list[UUID]) -> dict[UUID, dict[str, dict[str, Any]]]:
    """The parts that are left of the events' details, by event; one statement, inside their scope."""
    rows = AuditDetail.all_organizations.filter(organization_id=organization_id, event_id__in=event_ids)
    found: dict[UUID, dict[str, dict[str, Any]]] = {}
    # Shredded or broken: verifying the trail says which; here it is shown as gone.
    with suppress(crypto.KeyGone):
        key = crypto.existing_data_key(organization_id)
        for row in rows:
            with suppress(crypto.SealBroken, orjson.JSONDecodeError):
                place = crypto.associated_data(
                    organization_id=organization_id, table=DETAIL_TABLE, column="sealed", row_id=row.id
                )
                plain = crypto.unseal_bytes(key, row.sealed, place)
                found.setdefault(row.event_id, {})[row.part] = orjson.loads(plain[records.SALT_BYTES :])
    return found


def verify() -> Iterator[Problem]:
    """Everything that is wrong with the trail, chain by chain; nothing for a sound one. Opens scopes."""
    for organization_id in _organizations():
        yield from verify_chain(organization_id)
    yield from _unsealed()


def verify_chain(organization_id: UUID | None) -> Iterator[Problem]:
    """What is wrong with one chain: order, hashes, and details that do not match their digest."""
    position = _Position(sequence=0, hash=records.FIRST_HASH)
    while True:
        with system_scope():
            cut = cutting.latest_cut(organization_id)
            problems, following = _judge_some(organization_id, position, cut)
        yield from problems
        if following is None:
            return
        position = following


def heads() -> list[Head]:
    """The end of every chain."""
    with system_scope():
        rows = (
            AuditSeal.all_organizations.order_by("organization_id", "-sequence")
            .distinct("organization_id")
            .values_list("organization_id", "sequence", "hash")
        )
        return [Head(owner, sequence, bytes(hash_).hex()) for owner, sequence, hash_ in rows]


def verify_heads(expected: list[Head]) -> Iterator[Problem]:
    """Chains that no longer hold a head that was kept elsewhere: cut short, or written anew."""
    for head in expected:
        with system_scope():
            seal = _of(head.organization_id).filter(sequence=head.sequence).first()
        if seal is None:
            yield Problem(head.organization_id, head.sequence, None, "the chain is cut short")
        elif bytes(seal.hash).hex() != head.hash:
            yield Problem(head.organization_id, head.sequence, seal.event_id, "the chain was written anew")


@dataclass(frozen=True, slots=True)
class _Position:
    """The seal that was judged last."""

    sequence: int
    hash: bytes


def _judge_some(
    organization_id: UUID | None, position: _Position, cut: AuditCut | None
) -> tuple[list[Problem], _Position | None]:
    seals = list(_of(organization_id).filter(sequence__gt=position.sequence).order_by("sequence")[:AT_ONCE])
    if not seals:
        return [], None
    found, details = {event.id: event for event in _events_of(seals)}, _details_of(seals)
    problems: list[Problem] = []
    for seal in seals:
        event = found.get(seal.event_id)
        complaints = [*_place_complaints(seal, position), *_complaints(seal, event, cut)]
        if event is not None:
            complaints += _detail_complaints(event, details.get(event.id, []))
        problems += [Problem(organization_id, seal.sequence, seal.event_id, what) for what in complaints]
        position = _Position(seal.sequence, bytes(seal.hash))
    return problems, position


def _place_complaints(seal: AuditSeal, before: _Position) -> Iterator[str]:
    if seal.sequence != before.sequence + 1:
        yield f"number {before.sequence + 1} is missing before it"
    if bytes(seal.previous_hash) != before.hash:
        yield "it does not follow from the one before it"


def _complaints(seal: AuditSeal, event: AuditEvent | None, cut: AuditCut | None) -> Iterator[str]:
    if cut is not None and seal.sequence == cut.sequence and bytes(seal.hash) != bytes(cut.hash):
        yield "it is not the seal that the chain was cut at"
    if event is None:
        if cut is None or seal.sequence > cut.sequence:
            yield "the event is gone"
        return
    hash_ = records.chain_hash(sealing.chain_key(), bytes(seal.previous_hash), seal.sequence, event)
    if event.organization_id != seal.organization_id or not hmac.compare_digest(hash_, bytes(seal.hash)):
        yield "the event or its seal was changed"


def _detail_complaints(event: AuditEvent, details: list[AuditDetail]) -> list[str]:
    return [f"its {row.part} detail was changed" for row in details if not _matches(row, event)]


def _matches(row: AuditDetail, event: AuditEvent) -> bool:
    try:
        salt, content = _open(row)
    except crypto.KeyGone:
        # Shredded with its organization: erased, not changed.
        return True
    except (crypto.SealBroken, orjson.JSONDecodeError):
        return False
    return bool(event.detail_digests.get(row.part) == records.digest(salt, content))


def content_of_detail(row: AuditDetail) -> dict[str, Any]:
    """What a detail holds. Raises SealBroken, or JSONDecodeError, for what was altered."""
    return _open(row)[1]


def _open(row: AuditDetail) -> tuple[bytes, dict[str, Any]]:
    plain = crypto.unseal(
        bytes(row.sealed),
        organization_id=row.organization_id,
        table=DETAIL_TABLE,
        column="sealed",
        row_id=row.id,
    )
    return plain[: records.SALT_BYTES], orjson.loads(plain[records.SALT_BYTES :])


def _unsealed() -> Iterator[Problem]:
    """Events that neither have a seal nor wait for one, or wait too long; marks whose event vanished."""
    oldest = timezone.now() - LONGEST_WAIT
    seals = AuditSeal.all_organizations.filter(event_id=OuterRef("id"))
    marks = AuditPending.objects.filter(event_id=OuterRef("id"))
    with system_scope():
        _allow_a_long_statement()
        bare = AuditEvent.all_organizations.filter(~Exists(seals)).annotate(waits=Exists(marks))
        rows = list(bare.order_by("id").values_list("organization_id", "id", "occurred_at", "waits"))
        event = AuditEvent.all_organizations.filter(id=OuterRef("event_id"))
        lost = list(AuditPending.objects.filter(~Exists(event)).order_by("event_id"))
    for owner, event_id, occurred_at, waits in rows:
        if not waits:
            yield Problem(owner, None, event_id, "it was never marked for sealing")
        elif occurred_at < oldest:
            yield Problem(owner, None, event_id, "it waits for its seal: is the sealer running?")
    for mark in lost:
        yield Problem(None, None, mark.event_id, "the event vanished before it was sealed")


def _allow_a_long_statement() -> None:
    """The whole trail is compared in one statement, which a web process's limit would cut off."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10min'")


def _organizations() -> list[UUID | None]:
    with system_scope():
        return list(
            AuditSeal.all_organizations.order_by("organization_id")
            .values_list("organization_id", flat=True)
            .distinct()
        )


def _of(organization_id: UUID | None) -> QuerySet[AuditSeal]:
    if organization_id is None:
        return AuditSeal.all_organizations.filter(organization_id__isnull=True)
    return AuditSeal.all_organizations.filter(organization_id=organization_id)


def _events_of(seals: list[AuditSeal]) -> QuerySet[AuditEvent]:
    return AuditEvent.all_organizations.filter(id__in=[seal.event_id for seal in seals])


def _details_of(seals: list[AuditSeal]) -> dict[UUID, list[AuditDetail]]:
    found: dict[UUID, list[AuditDetail]] = {}
    wanted = AuditDetail.all_organizations.filter(event_id__in=[seal.event_id for seal in seals])
    for row in wanted.order_by("id"):
        found.setdefault(row.event_id, []).append(row)
    return found
