"""Writing the trail: `record` with the change itself, `record_refused` on its own, seals after the commit."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from apps.audit import records
from apps.audit.actor import Actor
from apps.audit.models import AuditDetail, AuditEvent, AuditPending
from apps.core import crypto, ids
from apps.core.request_id import current_request_id
from apps.core.scope import ScopeError, in_scope, organization_scope

DETAIL_TABLE: Final = "audit_auditdetail"


def record(
    *,
    actor: Actor,
    action: str,
    target: models.Model | None = None,
    organization_id: UUID | None,
    changes: records.Changes | None = None,
    personal_changes: records.Changes | None = None,
    target_name: str = "",
) -> AuditEvent:
    """Write what was done, in the transaction that does it.

    `action` is a noun and a past verb, as "prompt.created". `changes` maps a field to (before, after); what
    is personal (an e-mail address, a person's name) goes into `personal_changes` and can be erased.
    Without organization it is a platform event and needs no scope.
    """
    return _write(
        actor=actor,
        action=action,
        outcome=AuditEvent.Outcome.DONE,
        target=target,
        organization_id=organization_id,
        changes=changes or {},
        personal_changes=personal_changes or {},
        target_name=target_name,
    )


def record_refused(
    *,
    actor: Actor,
    action: str,
    target: models.Model | None = None,
    organization_id: UUID | None,
    reason: str,
    target_name: str = "",
) -> AuditEvent:
    """Write an attempt that was refused, in a transaction of its own.

    Call it after the scope of the refused work has closed: that transaction is rolled back.
    Raises ScopeError inside a scope.
    """
    if in_scope():
        raise ScopeError("a refusal is recorded after its scope has closed")
    with _own_transaction(organization_id):
        return _write(
            actor=actor,
            action=action,
            outcome=AuditEvent.Outcome.REFUSED,
            target=target,
            organization_id=organization_id,
            changes={"reason": (None, reason)},
            personal_changes={},
            target_name=target_name,
        )


def erase_person(*, actor: Actor, subject_id: UUID, organization_id: UUID) -> int:
    """Delete what the trail knows of a person beside an id; the chain holds. Returns how many details."""
    deleted, _ = AuditDetail.objects.filter(
        organization_id=organization_id,
        part=AuditDetail.Part.PERSON,
        subject_ids__contains=[str(subject_id)],
    ).delete()
    record(
        actor=actor,
        action="audit_person.erased",
        organization_id=organization_id,
        changes={"subject_id": (None, subject_id), "details": (deleted, 0)},
    )
    return deleted


def _own_transaction(organization_id: UUID | None) -> AbstractContextManager[Any]:
    return transaction.atomic() if organization_id is None else organization_scope(organization_id)


def _write(
    *,
    actor: Actor,
    action: str,
    outcome: AuditEvent.Outcome,
    target: models.Model | None,
    organization_id: UUID | None,
    changes: records.Changes,
    personal_changes: records.Changes,
    target_name: str,
) -> AuditEvent:
    shown, long = records.split_changes(changes)
    name = (target_name or (str(target) if target is not None else ""))[:255]
    is_person = bool(getattr(target, "AUDIT_NAME_IS_PERSONAL", False))
    person = _person(actor, name if is_person else "", personal_changes)
    event = AuditEvent(
        organization_id=organization_id,
        occurred_at=timezone.now(),
        action=action,
        outcome=outcome,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_role=actor.role[:80],
        object_type=target._meta.model_name or "" if target is not None else "",
        object_id=_public_id(target),
        object_name="" if is_person else name,
        changes=shown | dict.fromkeys(personal_changes, "personal"),
        request_id=actor.request_id or current_request_id() or "",
    )
    subjects = [str(found) for found in (actor.id, target.pk if is_person and target else None) if found]
    # Without an organization's scope (a platform event) one transaction must still hold event and mark.
    with transaction.atomic() if organization_id is None else nullcontext():
        _add_detail(event, AuditDetail.Part.PERSON, person, subjects)
        _add_detail(event, AuditDetail.Part.VALUES, long, [])
        event.save(force_insert=True)
        AuditPending(event_id=event.id).save(force_insert=True)
    return event


def _person(actor: Actor, target_name: str, personal_changes: records.Changes) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if actor.kind != "system":
        content = {"display": actor.display, "ip": actor.ip}
    if target_name:
        content["object_name"] = target_name
    if personal_changes:
        content["changes"] = {name: records.plain(list(pair)) for name, pair in personal_changes.items()}
    return content


def _add_detail(
    event: AuditEvent, part: AuditDetail.Part, content: dict[str, Any], subjects: list[str]
) -> None:
    if not content:
        return
    salt = os.urandom(records.SALT_BYTES)
    event.detail_digests = event.detail_digests | {part.value: records.digest(salt, content)}
    detail = AuditDetail(
        event_id=event.id, organization_id=event.organization_id, part=part, subject_ids=subjects
    )
    detail.sealed = crypto.seal(
        salt + records.canonical(content),
        organization_id=event.organization_id,
        table=DETAIL_TABLE,
        column="sealed",
        row_id=detail.id,
    )
    detail.save(force_insert=True)


def _public_id(target: models.Model | None) -> str:
    if target is None:
        return ""
    prefix = getattr(target, "PREFIX", "")
    return ids.encode(prefix, target.pk) if prefix else str(target.pk)
