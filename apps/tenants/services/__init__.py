"""Writes: people, organizations, projects, memberships, API keys, grants; by topic."""

from apps.tenants.services.grants import grant_project_permission, revoke_project_permission
from apps.tenants.services.keys import create_api_key, revoke_api_key
from apps.tenants.services.lists import choose_columns
from apps.tenants.services.memberships import add_membership, change_role, remove_membership
from apps.tenants.services.organizations import DEFAULT_PROJECT, create_organization, create_project
from apps.tenants.services.users import create_user, deactivate_user, set_theme

__all__ = [
    "DEFAULT_PROJECT",
    "add_membership",
    "change_role",
    "choose_columns",
    "create_api_key",
    "create_organization",
    "create_project",
    "create_user",
    "deactivate_user",
    "grant_project_permission",
    "remove_membership",
    "revoke_api_key",
    "revoke_project_permission",
    "set_theme",
]
