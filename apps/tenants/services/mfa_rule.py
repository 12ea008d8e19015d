"""The organization's rule that its members need a second factor."""

from uuid import UUID

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants.account_queries import has_second_factor
from apps.tenants.models import Organization


def set_mfa_rule(*, actor: Actor, organization: Organization, required: bool) -> Organization:
    """Ask every member for a second factor, or no longer. It holds from each member's next page on.

    API keys are not affected. Raises Conflict when the actor, who would be locked out first, has none.
    """
    if required and not (isinstance(actor.id, UUID) and has_second_factor(actor.id)):
        raise errors.Conflict(
            "Set up a second factor for yourself first: the rule would lock you out.", code="mfa_own_missing"
        )
    locked = Organization.objects.select_for_update().get(id=organization.id)
    if locked.requires_mfa == required:
        return locked
    locked.requires_mfa = required
    locked.save(update_fields=["requires_mfa"])
    changes.append("organization", str(locked.id))
    audit.record(
        actor=actor,
        action="organization.mfa_rule_changed",
        target=locked,
        organization_id=locked.id,
        changes={"requires_mfa": (not required, required)},
    )
    return locked
