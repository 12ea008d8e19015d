"""Writes: permissions given to one member on one project."""

from uuid import UUID

from django.contrib.auth.models import Permission as StoredPermission

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants.access import permissions_of
from apps.tenants.models import Membership, Project, ProjectUserObjectPermission, User
from apps.tenants.roles import Permission


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
