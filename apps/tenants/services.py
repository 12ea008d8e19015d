"""Writes: people, organizations, projects, memberships, API keys, grants."""

from datetime import datetime
from typing import Final
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission as StoredPermission
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from apps.tenants import tokens
from apps.tenants.access import permissions_of
from apps.tenants.models import APIKey, Membership, Organization, Project, ProjectUserObjectPermission, User
from apps.tenants.roles import Permission, Role, Scope, role_permissions, scope_permissions
from apps.tenants.slugs import RESERVED_ORGANIZATIONS, RESERVED_PROJECTS, candidates

DEFAULT_PROJECT: Final = "Default"


def create_user(
    *, actor: Actor, email: str, password: str | None, name: str = "", verified: bool = False
) -> User:
    """A person with an e-mail address. Raises Conflict when the address is taken."""
    with transaction.atomic():
        if User.objects.filter(email__iexact=email).exists():
            raise errors.Conflict("There is already an account with this e-mail address.", param="email")
        user = User.objects.create_user(email, password, name=name)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
        audit.record(actor=actor, action="user.created", target=user, organization_id=None)
    return user


def set_theme(*, actor: Actor, user: User, theme: str) -> User:
    """Store a user's theme: "", light or dark. Raises InvalidRequest for anything else."""
    if theme not in User.Theme.values:
        raise errors.InvalidRequest("The theme is light, dark or empty for the system's.", param="theme")
    if theme == user.theme:
        return user
    with transaction.atomic():
        before, user.theme = user.theme, theme
        user.save(update_fields=["theme"])
        audit.record(
            actor=actor,
            action="user.updated",
            target=user,
            organization_id=None,
            changes={"theme": (before, theme)},
        )
    return user


def deactivate_user(*, actor: Actor, user: User) -> User:
    """Shut a user out: no sign-in, no session, no power in any of their API keys."""
    with system_scope():
        user = User.objects.select_for_update().get(id=user.id)
        if not user.is_active:
            return user
        user.is_active = False
        user.save(update_fields=["is_active"])
        changes.append("membership", str(user.id))
        audit.record(
            actor=actor,
            action="user.deactivated",
            target=user,
            organization_id=None,
            changes={"is_active": (True, False)},
        )
    return user


def create_organization(*, actor: Actor, name: str, owner: User) -> Organization:
    """A new organization with its owner and a first project. Called outside every scope.

    Raises InvalidRequest for an empty name, Conflict when no address is free for it.
    """
    name = _named(name)
    for slug in _free_slugs(name):
        organization = Organization(id=uuid7(), name=name, slug=slug)
        try:
            with organization_scope(organization.id):
                _fill_organization(actor, organization, owner)
        except IntegrityError:
            # Somebody took the address in between; the next candidate gets its turn.
            continue
        return organization
    raise errors.Conflict("No address is free for this name; choose another.", param="name")


def create_project(*, actor: Actor, organization: Organization, name: str) -> Project:
    """A new project with an address made from its name. Raises InvalidRequest for an empty name."""
    name = _named(name)
    taken = set(Project.objects.values_list("slug", flat=True))
    slugs = candidates(name, fallback="project", reserved=RESERVED_PROJECTS)
    slug = next((each for each in slugs if each not in taken), None)
    if slug is None:
        raise errors.Conflict("No address is free for this name; choose another.", param="name")
    try:
        with transaction.atomic():
            project = Project.objects.create(organization=organization, name=name, slug=slug)
    except IntegrityError:
        raise errors.Conflict("A project of this name was created just now.", param="name") from None
    changes.append("project", str(project.id))
    audit.record(actor=actor, action="project.created", target=project, organization_id=organization.id)
    return project


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


def create_api_key(
    *,
    actor: Actor,
    project: Project,
    created_by: User,
    name: str,
    scopes: list[str],
    livemode: bool = True,
    expires_at: datetime | None = None,
) -> tuple[APIKey, str]:
    """A new key and its token, which is returned here and never again.

    Raises PermissionDenied for a scope wider than the creator's rights, InvalidRequest for other bad values.
    """
    name = _named(name)
    _check_scopes(project, created_by, scopes)
    if expires_at is not None and expires_at <= timezone.now():
        raise errors.InvalidRequest("The expiry must lie in the future.", param="expires_at")
    token = tokens.new_token(livemode=livemode)
    key = APIKey.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=name,
        key_id=token.key_id,
        digest=token.digest,
        last_four=token.last_four,
        scopes=sorted(set(scopes)),
        livemode=livemode,
        created_by=created_by,
        expires_at=expires_at,
    )
    changes.append("api_key", str(key.id))
    audit.record(
        actor=actor,
        action="api_key.created",
        target=key,
        organization_id=project.organization_id,
        changes={name: (None, getattr(key, name)) for name in ("scopes", "expires_at", "livemode")},
    )
    return key, token.text


def revoke_api_key(*, actor: Actor, key: APIKey) -> APIKey:
    """End a key for good, everywhere within a second. Revoking twice changes nothing."""
    locked = APIKey.objects.select_for_update().get(id=key.id)
    if locked.revoked_at is not None:
        return locked
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    changes.append("api_key", str(locked.id))
    audit.record(
        actor=actor,
        action="api_key.revoked",
        target=locked,
        organization_id=locked.organization_id,
        changes={"revoked_at": (None, locked.revoked_at)},
    )
    return locked


def grant_project_permission(*, actor: Actor, project: Project, user: User, permission: Permission) -> None:
    """Widen a member's role by one permission on one project. Granting twice changes nothing.

    Raises PermissionDenied for a permission that the actor doesn't hold, InvalidRequest for a non-member.
    """
    _check_holds(actor, project, permission)
    if not Membership.objects.filter(user=user).exists():
        raise errors.InvalidRequest("Only a member can be given a permission.", param="user")
    _, created = ProjectUserObjectPermission.objects.get_or_create(
        organization_id=project.organization_id,
        content_object=project,
        user=user,
        permission=_stored(permission),
    )
    if created:
        changes.append("membership", str(user.id))
        audit.record(
            actor=actor,
            action="project_permission.granted",
            target=project,
            organization_id=project.organization_id,
            changes={"permission": (None, permission.value), "user": (None, str(user.id))},
        )


def revoke_project_permission(*, actor: Actor, project: Project, user: User, permission: Permission) -> None:
    """Take back a permission on one project; what the role gives stays. Revoking twice changes nothing."""
    rows = ProjectUserObjectPermission.objects.filter(
        content_object=project, user=user, permission=_stored(permission)
    )
    deleted, _ = rows.delete()
    if deleted:
        changes.append("membership", str(user.id))
        audit.record(
            actor=actor,
            action="project_permission.revoked",
            target=project,
            organization_id=project.organization_id,
            changes={"permission": (permission.value, None), "user": (str(user.id), None)},
        )


def _fill_organization(actor: Actor, organization: Organization, owner: User) -> None:
    organization.save(force_insert=True)
    audit.record(
        actor=actor, action="organization.created", target=organization, organization_id=organization.id
    )
    membership = Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
    changes.append("membership", str(owner.id))
    audit.record(
        actor=actor,
        action="membership.created",
        target=membership,
        organization_id=organization.id,
        changes={"role": (None, Role.OWNER.value)},
        target_name=owner.display_name,
    )
    create_project(actor=actor, organization=organization, name=DEFAULT_PROJECT)


def _free_slugs(name: str) -> list[str]:
    slugs = list(candidates(name, fallback="organization", reserved=RESERVED_ORGANIZATIONS))
    with system_scope():
        taken = set(Organization.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    return [slug for slug in slugs if slug not in taken]


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise errors.InvalidRequest("Give it a name.", code="parameter_missing", param="name")
    if len(name) > 100:
        raise errors.InvalidRequest("A name has at most 100 characters.", param="name")
    return name


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


def _check_scopes(project: Project, creator: User, scopes: list[str]) -> None:
    if not scopes or set(scopes) - set(Scope):
        raise errors.InvalidRequest(f"Choose at least one of {', '.join(Scope)}.", param="scopes")
    _, held = permissions_of(
        organization_id=project.organization_id, user_id=creator.id, project_id=project.id
    )
    missing = scope_permissions(scopes) - held
    if missing:
        raise errors.PermissionDenied(
            f"A key can't do more than its maker, who lacks {', '.join(sorted(missing))}.",
            code="scope_too_wide",
            param="scopes",
        )


def _check_holds(actor: Actor, project: Project, permission: Permission) -> None:
    if actor.kind not in {"user", "api_key"}:
        return
    held: frozenset[str] = frozenset()
    if actor.kind == "user" and isinstance(actor.id, UUID):
        _, held = permissions_of(
            organization_id=project.organization_id, user_id=actor.id, project_id=project.id
        )
    if permission not in held:
        raise errors.PermissionDenied("Only a permission that you hold yourself can be given.")


def _stored(permission: Permission) -> StoredPermission:
    return StoredPermission.objects.get(
        content_type__app_label="tenants", content_type__model="project", codename=permission.value
    )
