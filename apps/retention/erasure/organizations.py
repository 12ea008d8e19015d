"""A whole organization: shut, its key destroyed, every row deleted but what the law and the chain keep."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.utils import timezone

from apps.audit import cutting
from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.audit.models import AuditDetail, AuditEvent, AuditPending, AuditSeal
from apps.audit.sealing import seal_pending
from apps.core import changes, crypto
from apps.core.models import DataKey, OutgoingMail
from apps.retention.erasure.work import Work
from apps.retention.inventory import Treatment
from apps.retention.inventory_table import PARTS
from apps.retention.models import OPEN_STATES, ErasureRequest, ErasureState
from apps.tenants.models import APIKey, Membership, Organization

DELETED_AT_ONCE: Final = 5_000
# These go in steps of their own.
APART: Final = (Organization, AuditEvent, AuditDetail, DataKey, OutgoingMail)


def shut(work: Work) -> bool:
    """Nobody comes in any more: API keys end, memberships too; within a second everywhere."""
    ours = {"organization_id": work.organization_id}
    keys = APIKey.all_organizations.filter(**ours)
    for key_id in keys.filter(revoked_at=None).order_by("pk").values_list("pk", flat=True):
        changes.append("api_key", str(key_id), organization_id=work.organization_id)
    keys.filter(revoked_at=None).update(revoked_at=timezone.now())
    members = Membership.all_organizations.filter(**ours).order_by("pk")
    for user_id in members.values_list("user_id", flat=True):
        changes.append("membership", str(user_id), organization_id=work.organization_id)
    work.count("memberships", members.count())
    members.delete()
    others = ErasureRequest.all_organizations.filter(**ours).exclude(pk=work.request.pk)
    others.filter(state__in=OPEN_STATES).update(
        state=ErasureState.CANCELLED, ended_at=timezone.now(), sealed_subject=None
    )
    others.update(reason="", refusal="")
    return True


def shred_key(work: Work) -> bool:
    """Destroy the data key: from here on nothing that was sealed can be read, in a backup of rows neither."""
    crypto.shred(work.organization_id)
    return True


def delete_tables(work: Work) -> bool:
    """The next few thousand rows of the next table, children before their parents."""
    tables = list(owned_models())
    at = int(work.position.get("table", 0))
    if at >= len(tables):
        return True
    model = tables[at]
    rows = unscoped(model).filter(organization_id=work.organization_id)
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE])
    if some:
        # Without the ORM's cascade: children have gone already, and partitions take no lock of their rows.
        unscoped(model).filter(pk__in=some)._raw_delete("default")
        work.count(str(model._meta.verbose_name_plural), len(some))
    if len(some) < DELETED_AT_ONCE:
        work.position["table"] = at + 1
    return False


def delete_mails_of_organization(work: Work) -> bool:
    """Mails that were sent or wait to be."""
    deleted, _ = OutgoingMail.objects.filter(organization_id=work.organization_id).delete()
    work.count("mails", deleted)
    return True


def seal_trail(work: Work) -> bool:
    """Give the last events their place in the chain, so that the cut covers all of them."""
    seal_pending()
    waiting = AuditPending.objects.values("event_id")
    return not AuditEvent.all_organizations.filter(
        organization_id=work.organization_id, pk__in=waiting
    ).exists()


def delete_trail(work: Work) -> bool:
    """The next events of the chain, with their details, behind a signed cut; the seals stay."""
    cutting.cut(work.organization_id)
    deleted = cutting.delete_cut_events(work.organization_id)
    work.count("audit_events", deleted)
    return deleted == 0


def end_organization(work: Work) -> bool:
    """The organization's own row, the platform's record of it, and a mail to who asked."""
    head = (
        AuditSeal.all_organizations.filter(organization_id=work.organization_id).order_by("-sequence").first()
    )
    DataKey.objects.filter(organization_id=work.organization_id).delete()
    audit.record(
        actor=SYSTEM,
        action="organization.erased",
        target=work.request,
        organization_id=None,
        changes={
            "organization": (str(work.organization_id), None),
            "counts": ({}, dict(work.counts)),
            "audit_head": (None, bytes(head.hash).hex() if head else None),
        },
    )
    for model in owned_models():
        # A night's purge, or the roll-up of what was counted last, may have begun since.
        unscoped(model).filter(organization_id=work.organization_id)._raw_delete("default")
    unscoped(Organization).filter(pk=work.organization_id)._raw_delete("default")
    work.count("organizations", 1)
    return True


def owned_models() -> Iterator[type[models.Model]]:
    """The tables whose rows go with their organization, children before their parents."""
    kept = {part.model for part in PARTS if part.organization.treatment is Treatment.STAYS}
    wanted = [
        model
        for model in apps.get_models()
        if _has_organization(model) and model not in APART and model._meta.label not in kept
    ]
    yield from _children_first(wanted)


def unscoped(model: type[models.Model]) -> "models.QuerySet[Any]":
    """Every organization's rows of a model."""
    manager: models.Manager[Any] = getattr(model, "all_organizations", model._default_manager)
    return manager.all()


def _has_organization(model: type[models.Model]) -> bool:
    return any(field.attname == "organization_id" for field in model._meta.concrete_fields)


def _children_first(wanted: list[type[models.Model]]) -> list[type[models.Model]]:
    left, ordered = list(wanted), []
    while left:
        # Whoever nobody of the rest points at, in a fixed order.
        free = [
            model
            for model in left
            if not any(_points_at(other, model) for other in left if other is not model)
        ]
        ordered += sorted(free, key=lambda model: model._meta.label)
        left = [model for model in left if model not in free]
        if not free:
            raise RuntimeError(f"tables point at each other in a circle: {left}")
    return ordered


def _points_at(model: type[models.Model], other: type[models.Model]) -> bool:
    return any(field.related_model is other for field in model._meta.concrete_fields)
