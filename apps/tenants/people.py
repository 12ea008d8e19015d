"""Reads of who is in an organization: members, invitations, roles. Call inside the organization's scope."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils import timezone

from apps.core import errors, ids
from apps.core.models import find
from apps.tenants.account_queries import SECOND_FACTORS
from apps.tenants.models import (
    APIKey,
    CustomRole,
    Invitation,
    Membership,
    Project,
    ProjectUserObjectPermission,
)
from apps.tenants.roles import (
    PROJECT_PERMISSIONS,
    ROLE_DESCRIPTIONS,
    Role,
    completed,
    name_of_role,
    permissions_of_role,
    role_permissions,
)

WITH_MFA, WITHOUT_MFA = "with", "without"


def members(*, search: str = "", role: str = "", second_factor: str = "") -> QuerySet[Membership]:
    """The members with their people and roles; `role` is a built-in name or a ``rol_…`` id."""
    found = Membership.objects.select_related("user", "custom_role").annotate(
        shown_name=Lower(Coalesce(NullIf("user__name", Value("")), "user__email", output_field=CharField()))
    )
    if search:
        found = found.filter(Q(user__name__icontains=search) | Q(user__email__icontains=search))
    if role in set(Role):
        found = found.filter(role=role)
    elif role:
        found = found.filter(custom_role=find(CustomRole.objects.all(), role))
    if second_factor:
        has_one = Exists(Authenticator.objects.filter(user_id=OuterRef("user_id"), type__in=SECOND_FACTORS))
        found = found.filter(has_one if second_factor == WITH_MFA else ~has_one)
    return found


def members_who_may(
    project: Project, permission: str, member_ids: Iterable[UUID] | None = None
) -> list[Membership]:
    """Active members with a permission in a project, by name; those of `member_ids` if given.

    Two statements.
    """
    found = members().filter(user__is_active=True)
    if member_ids is not None:
        found = found.filter(pk__in=list(member_ids))
    granted: dict[UUID, set[str]] = {}
    for grant in project_grants(project):
        granted.setdefault(grant.user_id, set()).add(grant.permission.codename)
    return [
        each
        for each in sorted(found, key=lambda member: (member.user.display_name.lower(), member.pk))
        if permission in permissions_of_role(each)
        or permission in completed(granted.get(each.user_id, ())) & PROJECT_PERMISSIONS
    ]


def get_member(public_id: str) -> Membership:
    """One member. Raises NotFound."""
    found = find(members(), public_id)
    if found is None:
        raise errors.NotFound("There is no such member.")
    return found


def member_by_email(email: str) -> Membership | None:
    """The member with an e-mail address, whatever its case."""
    return members().filter(user__email__iexact=email.strip()).first()


def member_by_user(user_id: UUID) -> Membership | None:
    """The membership of a user, if they have one here."""
    return members().filter(user_id=user_id).first()


def role_word(membership: Membership) -> str:
    """A member's role as it is written: built-in ones begin with a capital."""
    name = name_of_role(membership)
    return name if membership.custom_role_id else name.capitalize()


@dataclass(frozen=True, slots=True)
class Ending:
    """What goes when a member goes."""

    keys: int
    project_grants: int
    invitations: int


def ending_of(membership: Membership) -> Ending:
    """How much ends with a membership: working API keys, grants on projects, open invitations."""
    keys = APIKey.objects.filter(created_by_id=membership.user_id, revoked_at=None)
    working = keys.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    grants = ProjectUserObjectPermission.objects.filter(user_id=membership.user_id)
    mine = Invitation.objects.filter(invited_by_id=membership.user_id, accepted_at=None, revoked_at=None)
    return Ending(working.count(), grants.count(), mine.count())


def project_grants(project: Project) -> QuerySet[ProjectUserObjectPermission]:
    """The rights given on a project beside the roles."""
    return ProjectUserObjectPermission.objects.select_related("permission").filter(content_object=project)


def open_invitations() -> QuerySet[Invitation]:
    """Invitations that wait for an answer, expired ones included, newest first."""
    return invitations().filter(accepted_at=None, revoked_at=None).order_by("-id")


def invitations() -> QuerySet[Invitation]:
    """Every invitation of the organization."""
    return Invitation.objects.select_related("invited_by", "accepted_by", "custom_role")


def get_invitation(public_id: str) -> Invitation:
    """One invitation. Raises NotFound."""
    found = find(invitations(), public_id)
    if found is None:
        raise errors.NotFound("There is no such invitation.")
    return found


def custom_roles() -> QuerySet[CustomRole]:
    """The organization's own roles by name."""
    return CustomRole.objects.order_by(Lower("name"))


def get_custom_role(public_id: str) -> CustomRole:
    """One of the organization's own roles. Raises NotFound."""
    found = find(CustomRole.objects.all(), public_id)
    if found is None:
        raise errors.NotFound("There is no such role.")
    return found


def members_by_role() -> dict[str, int]:
    """How many members each role has, by the role's reference: a built-in name or a ``rol_…`` id."""
    rows = Membership.objects.order_by().values_list("role", "custom_role").annotate(total=Count("id"))
    return {ids.encode(CustomRole.PREFIX, own) if own else role: total for role, own, total in rows}


@dataclass(frozen=True, slots=True)
class RoleOption:
    """A role that can be chosen."""

    reference: str
    name: str
    description: str
    permissions: frozenset[str]


def role_options() -> list[RoleOption]:
    """Every role of the organization: the built-in ones, then its own by name."""
    options = [
        RoleOption(role.value, role.value.capitalize(), ROLE_DESCRIPTIONS[role], role_permissions(role))
        for role in Role
    ]
    return options + [
        RoleOption(role.public_id, role.name, role.description, frozenset(role.permissions))
        for role in custom_roles()
    ]
