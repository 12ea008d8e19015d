"""Reads of people, projects and keys, inside the organization's scope."""

from django.db.models import Q, QuerySet

from apps.core import errors
from apps.core.models import find
from apps.tenants.models import APIKey, Membership, Project
from apps.tenants.roles import Permission, granters_of


def granters(permission: str) -> list[str]:
    """Names of up to five members who can give somebody a permission, the longest-standing first."""
    built_in = Q(role__in=granters_of(permission))
    own = Q(custom_role__permissions__contains=[Permission.MEMBERS_MANAGE, permission])
    members = Membership.objects.filter(built_in | own, user__is_active=True)
    return [member.user.display_name for member in members.select_related("user").order_by("id")[:5]]


def projects() -> QuerySet[Project]:
    """The organization's projects, newest first."""
    return Project.objects.order_by("-id")


def keys_of(project: Project) -> QuerySet[APIKey]:
    """A project's API keys with their creators, newest first; revoked ones included."""
    return APIKey.objects.filter(project=project).select_related("created_by").order_by("-id")


def get_key(project: Project, public_id: str) -> APIKey:
    """One key of a project. Raises NotFound."""
    key = find(keys_of(project), public_id)
    if key is None:
        raise errors.NotFound("There is no such API key in this project.")
    return key
