"""Deleting what is due now, instead of in the coming night."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import Conflict
from apps.retention.models import PurgeRun
from apps.tenants.models import Organization


def request_purge(*, actor: Actor, organization: Organization) -> PurgeRun:
    """Begin a purge of what is due at this moment; cron carries it out, seconds later.

    Raises Conflict (`purge_running`) while one runs.
    """
    try:
        with transaction.atomic():
            purge = PurgeRun(
                organization=organization,
                judged_at=timezone.now(),
                requested_by_id=actor.id if actor.kind == "user" else None,
            )
            purge.save(force_insert=True)
    except IntegrityError:
        raise Conflict("A purge is running already.", code="purge_running") from None
    audit.record(actor=actor, action="purge.requested", target=purge, organization_id=organization.id)
    return purge
