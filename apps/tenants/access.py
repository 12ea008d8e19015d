"""The doors: who is asking, for which organization and project, and what they may do there.

Two of the four places that look across organizations live here (API key, session); both read under the
system scope, once per request. After that every check is a set look-up on ``Access``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record_refused
from apps.core import errors
from apps.core.limit_bounds import UNBOUNDED, Bounds
from apps.core.scope import system_scope
from apps.tenants import tokens
from apps.tenants.account_queries import has_second_factor
from apps.tenants.limits import key_bounds, organization_bounds
from apps.tenants.models import APIKey, Membership, Organization, Project, ProjectUserObjectPermission, User
from apps.tenants.networks import allows
from apps.tenants.roles import (
    ANY_MEMBER,
    PROJECT_PERMISSIONS,
    completed,
    name_of_role,
    permissions_of_role,
    scope_permissions,
)

MARK_USED_EVERY: Final = timedelta(minutes=1)
MARK_ACTIVE_EVERY: Final = timedelta(minutes=5)
_UNKNOWN_DIGEST: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """What an API key may do, as plain data for the gateway's cache.

    Valid until ``expires_at`` and until the change feed names ``("api_key", api_key_id)``,
    ``("membership", created_by_id)``, ``("project", project_id)`` or ``("organization", organization_id)``.

    ``limits`` are the key's and the organization's.
    """

    organization_id: UUID
    project_id: UUID
    permissions: frozenset[str]
    livemode: bool
    api_key_id: UUID
    api_key_name: str
    created_by_id: UUID | None
    role: str
    expires_at: datetime | None
    allowed_networks: tuple[str, ...] = ()
    limits: Bounds = UNBOUNDED


@dataclass(frozen=True, slots=True)
class Access:
    """One request's identity and rights. ``project`` is None on pages of the whole organization."""

    actor: Actor
    organization: Organization
    project: Project | None
    permissions: frozenset[str]
    livemode: bool = True
    api_key_id: UUID | None = None

    def can(self, permission: str) -> bool:
        """Whether the permission is held."""
        return permission == ANY_MEMBER or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises PermissionDenied naming the permission that is missing."""
        if not self.can(permission):
            raise errors.PermissionDenied(f"This needs the permission {permission}.", permission=permission)


@dataclass(frozen=True, slots=True)
class SessionAccess:
    """A signed-in member's access, with what the page shell's switch lists.

    ``mfa_missing``: the organization asks for a second factor, and the member has none.
    """

    access: Access
    organizations: tuple[Organization, ...]
    projects: tuple[Project, ...]
    mfa_missing: bool = False


def open_session(
    user: User,
    *,
    organization: str,
    project: str | None = None,
    ip: str | None = None,
    request_id: str | None = None,
) -> SessionAccess:
    """The session door: a member's access by the slugs of the address.

    Raises NotFound for a stranger exactly as for what doesn't exist.
    """
    with system_scope():
        memberships = _memberships(user)
        membership = next((each for each in memberships if each.organization.slug == organization), None)
        if membership is None:
            raise errors.NotFound("There is no such page, or it isn't yours to see.")
        projects = _projects(membership.organization_id)
        chosen = next((each for each in projects if each.slug == project), None)
        if project is not None and chosen is None:
            raise errors.NotFound("There is no such page, or it isn't yours to see.")
        access = _member_access(membership, chosen, ip=ip, request_id=request_id)
        mfa_missing = _lacks_second_factor(membership)
    organizations = tuple(each.organization for each in memberships)
    return SessionAccess(access, organizations, projects, mfa_missing)


def open_session_for_project(
    user: User, *, project_id: UUID, ip: str | None = None, request_id: str | None = None
) -> Access:
    """The API's session door: a member's access to a project by its id.

    Raises NotFound for strangers, PermissionDenied for a member without the second factor that is asked for.
    """
    with system_scope():
        project = Project.all_organizations.filter(id=project_id).first()
        wanted = project.organization_id if project else None
        # The same statements whether the project is another's or nobody's.
        membership = next((each for each in _memberships(user) if each.organization_id == wanted), None)
        if membership is None:
            raise errors.NotFound("There is no such project.", param="Promptsaas-Project")
        if _lacks_second_factor(membership):
            raise errors.PermissionDenied(
                "This organization asks for a second factor. Set one up in your account's security settings.",
                code="mfa_required",
            )
        return _member_access(membership, project, ip=ip, request_id=request_id)


def organizations_asking_for_mfa(user: User) -> list[Organization]:
    """The organizations of a user that let only members with a second factor in."""
    with system_scope():
        organizations = [membership.organization for membership in _memberships(user)]
    return [organization for organization in organizations if organization.requires_mfa]


def places_of(user: User) -> tuple[tuple[Organization, tuple[Project, ...]], ...]:
    """The organizations a user belongs to, each with its projects, oldest first."""
    with system_scope():
        organizations = [membership.organization for membership in _memberships(user)]
        projects = Project.all_organizations.filter(organization__in=organizations).order_by("id")
        by_organization: dict[UUID, list[Project]] = {organization.id: [] for organization in organizations}
        for project in projects:
            by_organization[project.organization_id].append(project)
    return tuple((organization, tuple(by_organization[organization.id])) for organization in organizations)


def authenticate_key(token: str, *, ip: str | None = None, request_id: str | None = None) -> Access:
    """The API key door.

    Raises AuthenticationFailed for a malformed, unknown, revoked or expired key, PermissionDenied (audited)
    for an address outside its networks.
    """
    with system_scope():
        key, facts = _check_key(token, ip)
    if not allows(facts.allowed_networks, ip):
        raise refuse_network(facts, ip=ip, request_id=request_id)
    return Access(
        actor=key_actor(facts, ip=ip, request_id=request_id),
        organization=key.organization,
        project=key.project,
        permissions=facts.permissions,
        livemode=facts.livemode,
        api_key_id=facts.api_key_id,
    )


def authenticate_key_plain(token: str, ip: str | None = None) -> AccessFacts:
    """The API key door as plain data, for a process that caches it. Raises AuthenticationFailed.

    Whether the caller's address is allowed is for each request to check, since the answer is cached.
    """
    with system_scope():
        return _check_key(token, ip)[1]


def reopen_key(api_key_id: UUID) -> AccessFacts:
    """What a key may do now, for work that it asked for earlier. Raises AuthenticationFailed if it has ended.

    Opens the system scope.
    """
    with system_scope():
        key = APIKey.all_organizations.select_related("organization").filter(id=api_key_id).first()
        if key is None:
            raise errors.AuthenticationFailed("There is no such API key any more.", code="api_key_unknown")
        _refuse_ended(key)
        return _key_facts(key)


def refuse_network(
    facts: AccessFacts, *, ip: str | None, request_id: str | None = None
) -> errors.PermissionDenied:
    """Record the attempt to use a key from outside its networks; returns the error to raise."""
    record_refused(
        actor=key_actor(facts, ip=ip, request_id=request_id),
        action="access.refused",
        organization_id=facts.organization_id,
        reason="the address is outside the key's allowed networks",
    )
    return errors.PermissionDenied(
        f"This API key may only be used from its allowed networks, and {ip or 'an unknown address'} is not "
        "in them. They can be changed in the project's settings, under API keys.",
        code="network_not_allowed",
    )


def key_ended(how: str, when: datetime) -> errors.AuthenticationFailed:
    """What a caller is told whose key was "revoked", "replaced" or has "expired"."""
    words = {
        "revoked": "was revoked",
        "replaced": "was replaced by a newer one and stopped working",
        "expired": "expired",
    }[how]
    return errors.AuthenticationFailed(
        f"This API key {words} at {when:%Y-%m-%d %H:%M} UTC. Keys are made in the project's settings.",
        code="api_key_revoked" if how == "revoked" else "api_key_expired",
    )


def key_actor(facts: AccessFacts, *, ip: str | None = None, request_id: str | None = None) -> Actor:
    """The actor that a key acts as; its role is its creator's."""
    return Actor(
        kind="api_key",
        id=facts.api_key_id,
        role=facts.role,
        display=facts.api_key_name,
        ip=ip,
        request_id=request_id,
    )


def user_actor(user: User, *, role: str = "", ip: str | None = None, request_id: str | None = None) -> Actor:
    """The actor that a signed-in user acts as."""
    return Actor(kind="user", id=user.id, role=role, display=user.display_name, ip=ip, request_id=request_id)


def mark_keys_used(used: Mapping[UUID, str | None]) -> None:
    """Note that keys were used and from where, at most once a minute each; not audited.

    Opens the system scope.
    """
    with system_scope():
        for api_key_id in sorted(used):
            _mark_used(api_key_id, used[api_key_id])


def permissions_of(
    *, organization_id: UUID, user_id: UUID | None, project_id: UUID | None
) -> tuple[str, frozenset[str]]:
    """A user's role and permissions: the role's, widened by grants on the project; none without membership.

    Works in the system scope and in the organization's own.
    """
    membership = _active_membership(organization_id, user_id)
    return _held(membership, project_id)


def _active_membership(organization_id: UUID, user_id: UUID | None) -> Membership | None:
    found = Membership.all_organizations.filter(organization_id=organization_id, user__is_active=True)
    return found.select_related("custom_role").filter(user_id=user_id).first() if user_id else None


def _held(membership: Membership | None, project_id: UUID | None) -> tuple[str, frozenset[str]]:
    if membership is None:
        return "", frozenset()
    granted = _grants(membership.organization_id, membership.user_id, project_id)
    return name_of_role(membership), permissions_of_role(membership) | granted


def _lacks_second_factor(membership: Membership) -> bool:
    # API keys don't come this way: the rule is about people.
    return membership.organization.requires_mfa and not has_second_factor(membership.user_id)


def _memberships(user: User) -> list[Membership]:
    found = Membership.all_organizations.filter(user=user)
    return list(found.select_related("organization", "user", "custom_role").order_by("id"))


def _projects(organization_id: UUID) -> tuple[Project, ...]:
    return tuple(Project.all_organizations.filter(organization_id=organization_id).order_by("id"))


def _grants(organization_id: UUID, user_id: UUID, project_id: UUID | None) -> frozenset[str]:
    if project_id is None:
        return frozenset()
    rows = ProjectUserObjectPermission.all_organizations.filter(
        organization_id=organization_id, content_object_id=project_id, user_id=user_id
    )
    return completed(rows.values_list("permission__codename", flat=True)) & PROJECT_PERMISSIONS


def _member_access(
    membership: Membership, project: Project | None, *, ip: str | None, request_id: str | None
) -> Access:
    role, permissions = _held(membership, project.id if project else None)
    _mark_active(membership)
    return Access(
        actor=user_actor(membership.user, role=role, ip=ip, request_id=request_id),
        organization=membership.organization,
        project=project,
        permissions=permissions,
    )


def _mark_active(membership: Membership) -> None:
    now = timezone.now()
    if membership.last_active_at is not None and membership.last_active_at > now - MARK_ACTIVE_EVERY:
        return
    # A page doesn't wait for whoever is changing the member's role.
    free = Membership.all_organizations.select_for_update(skip_locked=True, no_key=True).filter(
        pk=membership.pk
    )
    Membership.all_organizations.filter(pk__in=free.values("pk")).update(last_active_at=now)


def _check_key(token: str, ip: str | None) -> tuple[APIKey, AccessFacts]:
    try:
        key_id = tokens.key_id_of(token)
    except tokens.MalformedToken as problem:
        raise errors.AuthenticationFailed(str(problem), code="api_key_malformed") from None
    key = APIKey.all_organizations.select_related("organization", "project").filter(key_id=key_id).first()
    # An unknown id takes the same comparison, and gets the same words, as a wrong secret.
    if not tokens.matches(token, bytes(key.digest) if key else _UNKNOWN_DIGEST) or key is None:
        raise errors.AuthenticationFailed("There is no such API key.", code="api_key_unknown")
    _refuse_ended(key)
    facts = _key_facts(key)
    stale = key.last_used_at is None or key.last_used_at < timezone.now() - MARK_USED_EVERY
    if stale and allows(facts.allowed_networks, ip):
        _mark_used(key.id, ip)
    return key, facts


def _refuse_ended(key: APIKey) -> None:
    if key.revoked_at is not None:
        raise key_ended("revoked", key.revoked_at)
    if key.expires_at is not None and key.expires_at <= timezone.now():
        raise key_ended("replaced" if key.replaced_by_id else "expired", key.expires_at)


def _key_facts(key: APIKey) -> AccessFacts:
    role, held = permissions_of(
        organization_id=key.organization_id, user_id=key.created_by_id, project_id=key.project_id
    )
    return AccessFacts(
        organization_id=key.organization_id,
        project_id=key.project_id,
        # Never wider than the creator's rights of this moment.
        permissions=scope_permissions(key.scopes) & held,
        livemode=key.livemode,
        api_key_id=key.id,
        api_key_name=key.name,
        created_by_id=key.created_by_id,
        role=role,
        expires_at=key.expires_at,
        allowed_networks=tuple(key.allowed_networks),
        limits=key_bounds(key) + organization_bounds(key.organization),
    )


def _mark_used(api_key_id: UUID, ip: str | None) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - MARK_USED_EVERY)
    APIKey.all_organizations.filter(stale, id=api_key_id).update(last_used_at=now, last_used_ip=ip)
