"""Writes: API keys."""

from datetime import datetime

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.tenants import tokens
from apps.tenants.access import permissions_of
from apps.tenants.models import APIKey, Project, User
from apps.tenants.roles import Scope, scope_permissions
from apps.tenants.services.common import cleaned_name


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
    name = cleaned_name(name)
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
