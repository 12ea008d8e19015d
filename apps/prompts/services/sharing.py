"""Giving a member a right on one prompt, and taking it back."""

from django.contrib.auth.models import Permission as StoredPermission

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import errors
from apps.prompts.models import GRANTABLE, Prompt, PromptUserObjectPermission
from apps.tenants.models import Membership, User
from apps.tenants.roles import Permission
from apps.tenants.services import check_holds


def share_prompt(*, actor: Actor, prompt: Prompt, user: User, permission: Permission) -> None:
    """Give a member a permission on one prompt, on top of the role; seeing it comes along.

    Raises PermissionDenied for a permission that the actor doesn't hold in the project, InvalidRequest for a
    non-member or a permission that isn't about a prompt.
    """
    _check(actor, prompt, permission)
    if not Membership.objects.filter(user=user).exists():
        raise errors.InvalidRequest("Only a member can be given a permission.", param="user")
    _, created = PromptUserObjectPermission.objects.get_or_create(
        organization_id=prompt.organization_id,
        content_object=prompt,
        user=user,
        permission=_stored(permission),
    )
    if created:
        given = {"permission": (None, permission.value), "user": (None, str(user.id))}
        audit.record(
            actor=actor,
            action="prompt_permission.granted",
            target=prompt,
            organization_id=prompt.organization_id,
            changes=given,
        )


def unshare_prompt(*, actor: Actor, prompt: Prompt, user: User, permission: Permission) -> None:
    """Take back a permission on one prompt; what role and project give stays. Twice changes nothing.

    Raises PermissionDenied for a permission that the actor doesn't hold in the project.
    """
    _check(actor, prompt, permission)
    rows = PromptUserObjectPermission.objects.filter(
        content_object=prompt, user=user, permission=_stored(permission)
    )
    deleted, _ = rows.delete()
    if deleted:
        taken = {"permission": (permission.value, None), "user": (str(user.id), None)}
        audit.record(
            actor=actor,
            action="prompt_permission.revoked",
            target=prompt,
            organization_id=prompt.organization_id,
            changes=taken,
        )


def _check(actor: Actor, prompt: Prompt, permission: Permission) -> None:
    if permission not in GRANTABLE:
        raise errors.InvalidRequest(f"{permission} can't be given on a prompt.", param="permission")
    check_holds(actor, prompt.organization_id, prompt.project_id, permission)


def _stored(permission: Permission) -> StoredPermission:
    return StoredPermission.objects.get(
        content_type__app_label="prompts", content_type__model="prompt", codename=permission.value
    )
