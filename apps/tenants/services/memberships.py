"""Writes: who is what in an organization."""

from django.db.models import QuerySet

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors, outbox
from apps.tenants.models import APIKey, Invitation, Membership, Organization, User
from apps.tenants.roles import Role, name_of_role
from apps.tenants.services.common import GivenRole, check_may_give, find_role, insert_membership
from apps.tenants.services.invitations import revoke_invitation
from apps.tenants.services.keys import revoke_api_key


def add_membership(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Make a user a member; ``role`` is a built-in name or a ``rol_…`` id.

    Raises Conflict for a member, PermissionDenied for a role above the actor's.
    """
    given = find_role(role)
    check_may_give(actor, organization.id, given)
    return insert_membership(actor=actor, organization=organization, user=user, given=given)


def change_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member another role; ``role`` is a built-in name or a ``rol_…`` id.

    Raises Conflict for the last owner, PermissionDenied above the actor's.
    """
    locked = _locked_membership(membership)
    given, held = find_role(role), _held_role(locked)
    check_may_give(actor, locked.organization_id, given, held)
    if given == held:
        return locked
    _keep_an_owner(locked)
    return _set_role(actor, locked, given)


def remove_membership(*, actor: Actor, membership: Membership) -> None:
    """Take a member out: their API keys are revoked, their open invitations withdrawn, their grants deleted.

    Raises Conflict for the last owner, PermissionDenied for a role above the actor's.
    """
    locked = _locked_membership(membership)
    check_may_give(actor, locked.organization_id, _held_role(locked))
    _end(actor, locked, "membership.removed")


def leave_organization(*, actor: Actor, membership: Membership) -> None:
    """End one's own membership, with what it ends. Raises Conflict for the last owner."""
    locked = _locked_membership(membership)
    if actor.id != locked.user_id:
        raise errors.PermissionDenied("Everybody leaves for themselves.")
    _end(actor, locked, "membership.left")


def transfer_ownership(*, actor: Actor, membership: Membership, to: Membership) -> Membership:
    """Make another member owner and oneself an admin, in one step.

    Raises PermissionDenied unless `membership` is the actor's own and an owner's, Conflict for an inactive
    or the same member.
    """
    owners = _locked_owners()
    own = next((each for each in owners if each.id == membership.id), None)
    if own is None or own.user_id != actor.id:
        raise errors.PermissionDenied("Only an owner can hand ownership over.")
    heir = (
        Membership.objects.select_related("user", "custom_role").select_for_update(of=("self",)).get(id=to.id)
    )
    if heir.id == own.id or not heir.user.is_active:
        raise errors.Conflict("Choose another member, whose account is active.", param="member")
    if heir.role != Role.OWNER:
        _set_role(actor, heir, GivenRole(Role.OWNER.value))
    return _set_role(actor, own, GivenRole(Role.ADMIN.value))


def _held_role(membership: Membership) -> GivenRole:
    return GivenRole(membership.role, membership.custom_role)


def _set_role(actor: Actor, locked: Membership, given: GivenRole) -> Membership:
    before = name_of_role(locked)
    locked.role, locked.custom_role = given.role, given.custom_role
    locked.save(update_fields=["role", "custom_role"])
    changes.append("membership", str(locked.user_id))
    audit.record(
        actor=actor,
        action="membership.role_changed",
        target=locked,
        organization_id=locked.organization_id,
        changes={"role": (before, given.name)},
        target_name=locked.user.display_name,
    )
    payload = {
        "id": locked.public_id,
        "role": given.name,
        "previous": {"role": before},
        "actor": actor.told(),
    }
    outbox.write("member.role_changed", payload, locked.organization_id)
    return locked


def _end(actor: Actor, locked: Membership, action: str) -> None:
    _keep_an_owner(locked)
    for key in APIKey.objects.filter(created_by_id=locked.user_id, revoked_at=None).order_by("id"):
        revoke_api_key(actor=actor, key=key)
    _withdraw_invitations(actor, locked)
    audit.record(
        actor=actor,
        action=action,
        target=locked,
        organization_id=locked.organization_id,
        changes={"role": (name_of_role(locked), None)},
        target_name=locked.user.display_name,
    )
    changes.append("membership", str(locked.user_id))
    payload = {"id": locked.public_id, "role": name_of_role(locked), "actor": actor.told()}
    outbox.write("member.removed", payload, locked.organization_id)
    # The database deletes the member's grants with the membership, on projects and on prompts.
    locked.delete()


def _withdraw_invitations(actor: Actor, locked: Membership) -> None:
    mine = Invitation.objects.filter(invited_by_id=locked.user_id, accepted_at=None, revoked_at=None)
    for invitation in mine.order_by("id"):
        revoke_invitation(actor=actor, invitation=invitation)


def _locked_owners() -> list[Membership]:
    # All owners are locked in one order, so that two of them can't leave at the same time.
    return list(_lockable().filter(role=Role.OWNER).order_by("id"))


def _locked_membership(membership: Membership) -> Membership:
    found = next((each for each in _locked_owners() if each.id == membership.id), None)
    return found or _lockable().get(id=membership.id)


def _lockable() -> QuerySet[Membership]:
    return Membership.objects.select_related("user", "custom_role").select_for_update(of=("self",))


def _keep_an_owner(membership: Membership) -> None:
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True).exclude(id=membership.id)
    if membership.role == Role.OWNER and not others.exists():
        raise errors.Conflict(
            "The last owner can't go. Make somebody else an owner first.", code="last_owner", param="role"
        )
