"""Reads of people, projects and keys, inside the organization's scope."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core import errors
from apps.core.limit_bounds import Bounds
from apps.core.models import find
from apps.tenants.limits import organization_bounds
from apps.tenants.models import APIKey, Membership, Organization, Project
from apps.tenants.roles import Permission, granters_of

# What the change feed calls a change of what `stores_content` says; its key is the organization's id.
CONTENT_CHANGED: Final = "content"


def stores_content(project_id: UUID) -> bool:
    """Whether what a project's runs send and answer is stored: as it says itself, else its organization."""
    found = Project.objects.filter(pk=project_id).values_list(
        "stores_content", "organization__stores_content"
    )
    own, inherited = found.first() or (None, True)
    return bool(inherited if own is None else own)


def bounds_of_organization(organization_id: UUID) -> Bounds:
    """What bounds an organization at the serving plane, whoever runs for it."""
    return organization_bounds(Organization.objects.get(id=organization_id))


def granters(permission: str) -> list[str]:
    """Names of up to five members who can give somebody a permission, the longest-standing first."""
    built_in = Q(role__in=granters_of(permission))
    own = Q(custom_role__permissions__contains=[Permission.MEMBERS_MANAGE, permission])
    members = Membership.objects.filter(built_in | own, user__is_active=True)
    return [member.user.display_name for member in members.select_related("user").order_by("id")[:5]]


def projects() -> QuerySet[Project]:
    """The organization's projects, newest first."""
    return Project.objects.order_by("-id")


def keys_of(project: Project, *, search: str = "", state: str = "") -> QuerySet[APIKey]:
    """A project's API keys with their creators, newest first; by a part of the name or key id, by state."""
    keys = APIKey.objects.filter(project=project).select_related("created_by").order_by("-id")
    if search:
        keys = keys.filter(Q(name__icontains=search) | Q(key_id__icontains=search))
    ended = Q(expires_at__lte=timezone.now())
    states = {
        "active": Q(revoked_at__isnull=True) & ~(Q(expires_at__isnull=False) & ended),
        "expired": Q(revoked_at__isnull=True) & ended,
        "revoked": Q(revoked_at__isnull=False),
    }
    return keys.filter(states[state]) if state in states else keys


def key_state(key: APIKey) -> str:
    """active, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= timezone.now() else "active"


def keys_by_id(key_ids: Iterable[UUID]) -> dict[UUID, APIKey]:
    """Keys of the organization by their ids."""
    return APIKey.objects.in_bulk(list(key_ids))


def get_key(project: Project, public_id: str) -> APIKey:
    """One key of a project. Raises NotFound."""
    key = find(keys_of(project), public_id)
    if key is None:
        raise errors.NotFound("There is no such API key in this project.")
    return key
