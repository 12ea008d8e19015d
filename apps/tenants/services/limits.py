"""Writes: the limits of an organization."""

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes
from apps.tenants.limits import MOST, Limits, change_limits, check_limits
from apps.tenants.models import Organization


def set_organization_limits(*, actor: Actor, organization: Organization, limits: Limits) -> Organization:
    """Bound all keys of an organization together, everywhere within a second; None does not limit.

    Names that are left out stay. Raises InvalidRequest for what is no limit.
    """
    check_limits(limits, MOST)
    locked = Organization.objects.select_for_update().get(id=organization.id)
    changed = change_limits(locked, limits)
    if not changed:
        return locked
    locked.save(update_fields=list(changed))
    changes.append("organization", str(locked.id))
    audit.record(
        actor=actor,
        action="organization.limits_changed",
        target=locked,
        organization_id=locked.id,
        changes=changed,
    )
    return locked
