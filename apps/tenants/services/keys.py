"""Writes: API keys."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors, ids, outbox
from apps.tenants import tokens
from apps.tenants.access import permissions_of
from apps.tenants.limits import MOST, Limits, change_limits, check_limits, limits_of, most_of_key
from apps.tenants.models import APIKey, Project, User
from apps.tenants.networks import checked_networks
from apps.tenants.roles import Scope, scope_permissions
from apps.tenants.services.common import cleaned_name

DEFAULT_OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)
NO_LIMITS: Final[Limits] = MappingProxyType({})


def create_api_key(
    *,
    actor: Actor,
    project: Project,
    created_by: User,
    name: str,
    scopes: list[str],
    livemode: bool = True,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    limits: Limits = NO_LIMITS,
) -> tuple[APIKey, str]:
    """A new key and its token, which is returned here and never again.

    `allowed_networks` are addresses and CIDR networks; none allow all. `limits` bound what it may ask for,
    see `tenants.limits`. Raises PermissionDenied for a scope
    wider than the creator's rights, InvalidRequest for other bad values.
    """
    name = cleaned_name(name)
    _check_scopes(project, created_by, scopes)
    if expires_at is not None and expires_at <= timezone.now():
        raise errors.InvalidRequest("The expiry must lie in the future.", param="expires_at")
    check_limits(limits, most_of_key())
    key = APIKey(
        organization_id=project.organization_id,
        project=project,
        name=name,
        scopes=sorted(set(scopes)),
        livemode=livemode,
        created_by=created_by,
        expires_at=expires_at,
        allowed_networks=checked_networks(allowed_networks),
        **limits,
    )
    token = _store(key)
    _record_created(actor, key)
    return key, token


def rotate_api_key(
    *, actor: Actor, key: APIKey, created_by: User, overlap: timedelta = DEFAULT_OVERLAP
) -> tuple[APIKey, str]:
    """A key that takes another's place, and its token, which is returned here and never again.

    It has the same name, scopes, networks, limits and lifetime. The old one works for `overlap` more, at most
    a week. Raises Conflict for a key that has ended or was replaced, PermissionDenied for a scope wider than
    the rights of who rotates, InvalidRequest for another overlap.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise errors.InvalidRequest("The overlap is between 0 and 7 days.", param="overlap_seconds")
    old = APIKey.objects.select_for_update().select_related("project").get(id=key.id)
    now = timezone.now()
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise errors.Conflict("This key has ended. Make a new one.", code="api_key_ended")
    if old.replaced_by_id is not None:
        raise errors.Conflict(
            "This key was replaced already. Rotate the key that took its place.", code="api_key_replaced"
        )
    _check_scopes(old.project, created_by, old.scopes)
    new = APIKey(
        organization_id=old.organization_id,
        project=old.project,
        name=old.name,
        scopes=old.scopes,
        livemode=old.livemode,
        created_by=created_by,
        expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
        allowed_networks=old.allowed_networks,
        **limits_of(old),
    )
    token = _store(new)
    before, ends = old.expires_at, now + overlap
    old.replaced_by, old.expires_at = new, min(before, ends) if before else ends
    old.save(update_fields=["replaced_by", "expires_at"])
    changes.append("api_key", str(old.id))
    _record_created(actor, new)
    audit.record(
        actor=actor,
        action="api_key.rotated",
        target=old,
        organization_id=old.organization_id,
        changes={"expires_at": (before, old.expires_at), "replaced_by": (None, new.public_id)},
    )
    return new, token


def update_api_key(
    *,
    actor: Actor,
    key: APIKey,
    name: str | None = None,
    allowed_networks: Iterable[str] | None = None,
    limits: Limits = NO_LIMITS,
) -> APIKey:
    """Rename a key, or change its limits or the networks it may be used from, everywhere within a second.

    Limits that aren't named stay. Raises InvalidRequest for what is no network or no limit, Conflict for a
    revoked key.
    """
    check_limits(limits, most_of_key())
    locked = APIKey.objects.select_for_update().get(id=key.id)
    if locked.revoked_at is not None:
        raise errors.Conflict("This key was revoked.", code="api_key_ended")
    before = {"name": locked.name, "allowed_networks": locked.allowed_networks}
    if name is not None:
        locked.name = cleaned_name(name)
    if allowed_networks is not None:
        locked.allowed_networks = checked_networks(allowed_networks)
    changed: dict[str, Any] = {
        field: (old, getattr(locked, field)) for field, old in before.items() if getattr(locked, field) != old
    }
    changed |= change_limits(locked, limits)
    if not changed:
        return locked
    locked.save(update_fields=list(changed))
    changes.append("api_key", str(locked.id))
    audit.record(
        actor=actor,
        action="api_key.updated",
        target=locked,
        organization_id=locked.organization_id,
        changes=changed,
    )
    return locked


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
    _tell("key.revoked", actor, locked)
    return locked


def _store(key: APIKey) -> str:
    """Save a new key; returns its token."""
    token = tokens.new_token(livemode=key.livemode)
    key.key_id, key.digest, key.last_four = token.key_id, token.digest, token.last_four
    key.save(force_insert=True)
    changes.append("api_key", str(key.id))
    return token.text


def _record_created(actor: Actor, key: APIKey) -> None:
    limits = [name for name in MOST if getattr(key, name) is not None]
    told = ("scopes", "expires_at", "livemode", "allowed_networks", *limits)
    audit.record(
        actor=actor,
        action="api_key.created",
        target=key,
        organization_id=key.organization_id,
        changes={name: (None, getattr(key, name)) for name in told},
    )
    _tell("key.created", actor, key)


def _tell(topic: str, actor: Actor, key: APIKey) -> None:
    payload = {
        "id": key.public_id,
        "name": key.name,
        "scopes": key.scopes,
        "livemode": key.livemode,
        "project_id": ids.encode("prj", key.project_id),
        "actor": actor.told(),
    }
    outbox.write(topic, payload, key.organization_id)


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
