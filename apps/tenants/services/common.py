"""What several services check alike."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors, outbox
from apps.core.models import find
from apps.tenants.access import permissions_of
from apps.tenants.models import CustomRole, Membership, Organization, User
from apps.tenants.roles import Permission, Role, name_of_role, permissions_of_role


@dataclass(frozen=True, slots=True)
class GivenRole:
    """A role about to be given: a built-in one by its name, or one of the organization's own."""

    role: str
    custom_role: CustomRole | None = None

    @property
    def name(self) -> str:
        return name_of_role(self)

    @property
    def permissions(self) -> frozenset[str]:
        return permissions_of_role(self)


def cleaned_name(name: str, *, param: str = "name", longest: int = 100) -> str:
    """A name with single spaces. Raises InvalidRequest for an empty or too long one."""
    name = " ".join(name.split())
    if not name:
        raise errors.InvalidRequest("Give it a name.", code="parameter_missing", param=param)
    if len(name) > longest:
        raise errors.InvalidRequest(f"A name has at most {longest} characters.", param=param)
    return name


def find_role(reference: str) -> GivenRole:
    """The role that a built-in name or a ``rol_…`` id names. Raises InvalidRequest (role_invalid).

    A role of the organization's own is locked, so that it isn't deleted while it is being given.
    """
    if reference in set(Role):
        return GivenRole(reference)
    own = find(CustomRole.objects.select_for_update(), reference)
    if own is None:
        raise errors.InvalidRequest("There is no such role.", code="role_invalid", param="role")
    return GivenRole("", own)


def held_by(actor: Actor, organization_id: UUID, project_id: UUID | None = None) -> frozenset[str]:
    """What an actor may hand out: staff and the system everything, an API key nothing.

    A person's rights are read from the membership, never from what the actor calls itself.
    """
    if actor.kind in {"staff", "system"}:
        return frozenset(Permission)
    if actor.kind != "user" or actor.id is None:
        return frozenset()
    return permissions_of(organization_id=organization_id, user_id=actor.id, project_id=project_id)[1]


def check_may_give(actor: Actor, organization_id: UUID, *roles: GivenRole) -> None:
    """Nobody hands out, or takes away, more than they have; raises PermissionDenied."""
    held = held_by(actor, organization_id)
    for given in roles:
        if not given.permissions <= held:
            raise errors.PermissionDenied(
                f"Only who holds all rights of the role {given.name} can give it or take it away.",
                code="role_above_own",
                param="role",
            )


def insert_membership(
    *, actor: Actor, organization: Organization, user: User, given: GivenRole
) -> Membership:
    """The row, the audit event and the messages of a new member; whoever calls has checked the right."""
    try:
        with transaction.atomic():
            membership = Membership.objects.create(
                organization=organization, user=user, role=given.role, custom_role=given.custom_role
            )
    except IntegrityError:
        raise errors.Conflict("This person is already a member.", code="already_a_member") from None
    changes.append("membership", str(user.id))
    audit.record(
        actor=actor,
        action="membership.created",
        target=membership,
        organization_id=organization.id,
        changes={"role": (None, given.name)},
        target_name=user.display_name,
    )
    payload = {"id": membership.public_id, "role": given.name, "actor": actor.told()}
    outbox.write("member.joined", payload, organization.id)
    return membership
