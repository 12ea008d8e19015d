"""Writes: the organization's own roles. Whoever makes or changes one must hold all that it gives."""

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants.models import CustomRole, Invitation, Membership, Organization
from apps.tenants.roles import Permission, Role, completed
from apps.tenants.services.common import GivenRole, check_may_give, cleaned_name

LONGEST_NAME = 40
LONGEST_DESCRIPTION = 200
MOST_ROLES = 50


def create_custom_role(
    *, actor: Actor, organization: Organization, name: str, description: str, permissions: list[str]
) -> CustomRole:
    """A role of the organization's own. What a permission is of no use without comes along.

    Raises InvalidRequest for bad values, Conflict for a name in use, PermissionDenied for more than the
    actor holds.
    """
    role = CustomRole(
        organization=organization,
        name=_checked_name(name),
        description=_checked_description(description),
        permissions=_checked_permissions(permissions),
    )
    check_may_give(actor, organization.id, GivenRole("", role))
    if CustomRole.objects.count() >= MOST_ROLES:
        raise errors.Conflict(f"An organization has at most {MOST_ROLES} roles of its own.")
    _save(role)
    audit.record(
        actor=actor,
        action="role.created",
        target=role,
        organization_id=organization.id,
        changes={"permissions": (None, role.permissions), "description": (None, role.description)},
    )
    return role


def update_custom_role(
    *,
    actor: Actor,
    role: CustomRole,
    name: str | None = None,
    description: str | None = None,
    permissions: list[str] | None = None,
) -> CustomRole:
    """Change a role; who holds it, and their API keys, follow within a second. None leaves a value.

    Raises as ``create_custom_role``; the actor must hold what the role gave and what it will give.
    """
    locked = CustomRole.objects.select_for_update().get(id=role.id)
    check_may_give(actor, locked.organization_id, GivenRole("", locked))
    before = {field: getattr(locked, field) for field in ("name", "description", "permissions")}
    if name is not None:
        locked.name = _checked_name(name)
    if description is not None:
        locked.description = _checked_description(description)
    if permissions is not None:
        locked.permissions = _checked_permissions(permissions)
    check_may_give(actor, locked.organization_id, GivenRole("", locked))
    changed = {
        field: (value, getattr(locked, field))
        for field, value in before.items()
        if value != getattr(locked, field)
    }
    if not changed:
        return locked
    _save(locked)
    for user_id in (
        Membership.objects.filter(custom_role=locked).order_by("id").values_list("user_id", flat=True)
    ):
        changes.append("membership", str(user_id))
    audit.record(
        actor=actor,
        action="role.updated",
        target=locked,
        organization_id=locked.organization_id,
        changes=changed,
    )
    return locked


def delete_custom_role(*, actor: Actor, role: CustomRole) -> None:
    """Delete a role that nobody has. Raises Conflict (role_in_use) naming how many have it."""
    locked = CustomRole.objects.select_for_update().get(id=role.id)
    check_may_give(actor, locked.organization_id, GivenRole("", locked))
    members = Membership.objects.filter(custom_role=locked).count()
    invited = Invitation.objects.filter(custom_role=locked, accepted_at=None, revoked_at=None).count()
    if members or invited:
        who = " and ".join(
            f"{count} {word}{'' if count == 1 else 's'}"
            for count, word in ((members, "member"), (invited, "open invitation"))
            if count
        )
        raise errors.Conflict(
            f"{who} {'has' if members + invited == 1 else 'have'} the role {locked.name}. "
            "Give them another one first.",
            code="role_in_use",
        )
    # Invitations of the past keep their rows, so they keep a role too.
    past = Invitation.objects.filter(custom_role=locked)
    past.update(custom_role=None, role=Role.VIEWER.value)
    audit.record(
        actor=actor,
        action="role.deleted",
        target=locked,
        organization_id=locked.organization_id,
        changes={"permissions": (locked.permissions, None)},
    )
    locked.delete()


def _save(role: CustomRole) -> None:
    try:
        with transaction.atomic():
            role.save()
    except IntegrityError:
        raise errors.Conflict("There is a role of this name.", code="name_taken", param="name") from None


def _checked_name(name: str) -> str:
    name = cleaned_name(name, longest=LONGEST_NAME)
    if name.lower() in set(Role):
        raise errors.Conflict("A built-in role has this name.", code="name_taken", param="name")
    return name


def _checked_description(description: str) -> str:
    description = " ".join(description.split())
    if len(description) > LONGEST_DESCRIPTION:
        raise errors.InvalidRequest(
            f"A description has at most {LONGEST_DESCRIPTION} characters.", param="description"
        )
    return description


def _checked_permissions(permissions: list[str]) -> list[str]:
    unknown = sorted(set(permissions) - set(Permission))
    if unknown:
        raise errors.InvalidRequest(f"There is no permission {unknown[0][:60]}.", param="permissions")
    if not permissions:
        raise errors.InvalidRequest("Choose at least one permission.", param="permissions")
    return sorted(completed(permissions))
