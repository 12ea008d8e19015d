"""Asking for an archive of everything, and deleting one."""

from typing import Final

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import Conflict, NotFound
from apps.retention.exports import bell
from apps.retention.exports.writing import drop_parts
from apps.retention.models import ExportState, OrganizationExport
from apps.tenants.models import Organization

MOST_KEPT: Final = 5


def request_export(*, actor: Actor, organization: Organization) -> OrganizationExport:
    """Begin an archive; a worker makes it.

    Raises Conflict (`export_running`) while one is made, (`too_many_exports`) while five wait to be fetched.
    """
    if OrganizationExport.objects.filter(state=ExportState.READY).count() >= MOST_KEPT:
        raise Conflict(f"There are {MOST_KEPT} archives already. Delete one first.", code="too_many_exports")
    try:
        with transaction.atomic():
            export = OrganizationExport(
                organization=organization, requested_by_id=actor.id if actor.kind == "user" else None
            )
            export.save(force_insert=True)
    except IntegrityError:
        raise Conflict("An archive is being made already.", code="export_running") from None
    audit.record(actor=actor, action="export.requested", target=export, organization_id=organization.pk)
    bell.ring(export)
    return export


def delete_export(*, actor: Actor, export: OrganizationExport) -> None:
    """Delete an archive, or stop making it. Its content can't be fetched from now on.

    Raises NotFound for one that somebody else has deleted meanwhile.
    """
    # Whoever makes a part right now holds the row.
    locked = OrganizationExport.objects.select_for_update().filter(pk=export.pk).first()
    if locked is None:
        raise NotFound("There is no such archive in this organization.", code="export_not_found")
    audit.record(
        actor=actor,
        action="export.deleted",
        target=locked,
        organization_id=locked.organization_id,
        changes={"state": (locked.state, None)},
    )
    drop_parts(locked)
    locked.delete()


def note_download(*, actor: Actor, export: OrganizationExport) -> None:
    """Put into the audit log that somebody fetches the archive."""
    audit.record(
        actor=actor, action="export.downloaded", target=export, organization_id=export.organization_id
    )
