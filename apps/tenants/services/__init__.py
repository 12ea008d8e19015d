"""Writes: people, organizations, projects, members, invitations, roles, API keys, grants; by topic."""

from apps.tenants.services.custom_roles import create_custom_role, delete_custom_role, update_custom_role
from apps.tenants.services.grants import check_holds, grant_project_permission, revoke_project_permission
from apps.tenants.services.invitations import (
    InvitationOutcome,
    accept_invitation,
    invite,
    invite_many,
    resend_invitation,
    revoke_invitation,
)
from apps.tenants.services.keys import create_api_key, revoke_api_key, rotate_api_key, update_api_key
from apps.tenants.services.limits import set_organization_limits
from apps.tenants.services.lists import choose_columns
from apps.tenants.services.memberships import (
    add_membership,
    change_role,
    leave_organization,
    remove_membership,
    transfer_ownership,
)
from apps.tenants.services.organizations import (
    DEFAULT_PROJECT,
    create_organization,
    create_project,
    rename_organization,
    rename_project,
)
from apps.tenants.services.users import create_user, deactivate_user, set_theme

__all__ = [
    "DEFAULT_PROJECT",
    "InvitationOutcome",
    "accept_invitation",
    "add_membership",
    "change_role",
    "check_holds",
    "choose_columns",
    "create_api_key",
    "create_custom_role",
    "create_organization",
    "create_project",
    "create_user",
    "deactivate_user",
    "delete_custom_role",
    "grant_project_permission",
    "invite",
    "invite_many",
    "leave_organization",
    "remove_membership",
    "rename_organization",
    "rename_project",
    "resend_invitation",
    "revoke_api_key",
    "revoke_invitation",
    "revoke_project_permission",
    "rotate_api_key",
    "set_organization_limits",
    "set_theme",
    "transfer_ownership",
    "update_api_key",
    "update_custom_role",
]
