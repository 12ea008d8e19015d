"""Writes: permissions given to one member on one project."""

from uuid import UUID

from django.contrib.auth.models import Permission as StoredPermission

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants.models import Membership, Project, ProjectUserObjectPermission, User
from apps.tenants.roles import PROJECT_PERMISSIONS, Permission
from apps.tenants.services.common import held_by


def grant_project_permission(*, actor: Actor, project: Project, user: User, permission: Permission) -> None:
    """Widen a member's role by one permission on one project. Granting twice changes nothing.

    Raises PermissionDenied for a permission that the actor doesn't hold, InvalidRequest for a non-member or
    for a permission that is about the whole organization.
    """
    if permission not in PROJECT_PERMISSIONS:
        raise errors.InvalidRequest(f"{permission} can't be given on a project.", param="permission")
    check_holds(actor, project.organization_id, project.id, permission)
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
    """Take back a permission on one project; what the role gives stays. Revoking twice changes nothing.

    Raises PermissionDenied for a permission that the actor doesn't hold.
    """
    check_holds(actor, project.organization_id, project.id, permission)
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


def check_holds(actor: Actor, organization_id: UUID, project_id: UUID, permission: str) -> None:
    """Raises PermissionDenied unless the actor holds what they give or take back in a project."""
    if permission not in held_by(actor, organization_id, project_id):
        raise errors.PermissionDenied(
            f"Only who holds {permission} can give it or take it back.", code="permission_not_held"
        )


def _stored(permission: Permission) -> StoredPermission:
    return StoredPermission.objects.get(
        content_type__app_label="tenants", content_type__model="project", codename=permission.value
    )
