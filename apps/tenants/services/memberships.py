"""Writes: who is what in an organization."""

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants.models import Membership, Organization, ProjectUserObjectPermission, User
from apps.tenants.roles import Role, role_permissions


def add_membership(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Make a user a member. Raises Conflict for a member, PermissionDenied for a role above the actor's."""
    _check_role(actor, role)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(organization=organization, user=user, role=role)
    except IntegrityError:
        raise errors.Conflict("This person is already a member.", code="already_a_member") from None
    changes.append("membership", str(user.id))
    audit.record(
        actor=actor,
        action="membership.created",
        target=membership,
        organization_id=organization.id,
        changes={"role": (None, role)},
        target_name=user.display_name,
    )
    return membership


def change_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member another role. Raises Conflict for the last owner, PermissionDenied above the actor's."""
    locked = _locked_membership(membership)
    _check_role(actor, role)
    _check_role(actor, locked.role)
    if locked.role == role:
        return locked
    _keep_an_owner(locked)
    before, locked.role = locked.role, role
    locked.save(update_fields=["role"])
    changes.append("membership", str(locked.user_id))
    audit.record(
        actor=actor,
        action="membership.role_changed",
        target=locked,
        organization_id=locked.organization_id,
        changes={"role": (before, role)},
        target_name=locked.user.display_name,
    )
    return locked


def remove_membership(*, actor: Actor, membership: Membership) -> None:
    """Take a member out, with their grants; their API keys lose their power at once.

    Raises Conflict for the last owner, PermissionDenied for a role above the actor's.
    """
    locked = _locked_membership(membership)
    _check_role(actor, locked.role)
    _keep_an_owner(locked)
    ProjectUserObjectPermission.objects.filter(user_id=locked.user_id).delete()
    audit.record(
        actor=actor,
        action="membership.removed",
        target=locked,
        organization_id=locked.organization_id,
        changes={"role": (locked.role, None)},
        target_name=locked.user.display_name,
    )
    changes.append("membership", str(locked.user_id))
    locked.delete()


def _locked_membership(membership: Membership) -> Membership:
    # All owners are locked in one order, so that two of them can't leave at the same time.
    owners = list(Membership.objects.select_for_update().filter(role=Role.OWNER).order_by("id"))
    found = next((each for each in owners if each.id == membership.id), None)
    return found or Membership.objects.select_for_update().get(id=membership.id)


def _keep_an_owner(membership: Membership) -> None:
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True).exclude(id=membership.id)
    if membership.role == Role.OWNER and not others.exists():
        raise errors.Conflict(
            "The last owner can't go. Make somebody else an owner first.", code="last_owner", param="role"
        )


def _check_role(actor: Actor, role: str) -> None:
    if role not in set(Role):
        raise errors.InvalidRequest("There is no such role.", param="role")
    # Nobody hands out, or takes away, more than they have: an admin makes no owner.
    if actor.kind in {"user", "api_key"} and not role_permissions(role) <= role_permissions(actor.role):
        raise errors.PermissionDenied(f"Only a role that holds all its rights can give or take {role}.")
