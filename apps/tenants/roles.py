"""Permissions, and what each role and each API key scope may do. Constants, so a review shows every change.

Editing and releasing are separate rights: who writes a prompt does not thereby put it into production.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol


class Permission(StrEnum):
    """One right inside a project, or inside its organization."""

    PROMPTS_VIEW = "prompts.view"
    PROMPTS_EDIT = "prompts.edit"
    PROMPTS_RELEASE = "prompts.release"
    DATASETS_VIEW = "datasets.view"
    DATASETS_EDIT = "datasets.edit"
    PROVIDERS_VIEW = "providers.view"
    PROVIDERS_MANAGE = "providers.manage"
    RUNS_VIEW = "runs.view"
    RUNS_CREATE = "runs.create"
    BATCHES_VIEW = "batches.view"
    BATCHES_RUN = "batches.run"
    KEYS_VIEW = "keys.view"
    KEYS_MANAGE = "keys.manage"
    MEMBERS_VIEW = "members.view"
    MEMBERS_MANAGE = "members.manage"
    USAGE_VIEW = "usage.view"
    ORGANIZATION_MANAGE = "organization.manage"
    BILLING_MANAGE = "billing.manage"
    AUDIT_VIEW = "audit.view"
    ALERTS_MANAGE = "alerts.manage"
    PRIVACY_MANAGE = "privacy.manage"
    ORGANIZATION_DELETE = "organization.delete"
    WEBHOOKS_MANAGE = "webhooks.manage"


ANY_MEMBER: Final = "any_member"
"""For views that every member, and every key of the project, may use."""


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    EDITOR = "editor"
    VIEWER = "viewer"
    BILLING = "billing"


class Scope(StrEnum):
    """What an API key was made for. Managing keys, members or providers is in no scope, on purpose."""

    READ = "read"
    RUN = "run"
    WRITE = "write"
    RELEASE = "release"


_VIEWER: Final = frozenset(
    {
        Permission.PROMPTS_VIEW,
        Permission.DATASETS_VIEW,
        Permission.PROVIDERS_VIEW,
        Permission.RUNS_VIEW,
        Permission.BATCHES_VIEW,
        Permission.MEMBERS_VIEW,
        Permission.USAGE_VIEW,
    }
)
_EDITOR: Final = _VIEWER | {
    Permission.PROMPTS_EDIT,
    Permission.DATASETS_EDIT,
    Permission.RUNS_CREATE,
    Permission.BATCHES_RUN,
}
_DEVELOPER: Final = _EDITOR | {
    Permission.PROMPTS_RELEASE,
    Permission.ALERTS_MANAGE,
    Permission.WEBHOOKS_MANAGE,
    Permission.PROVIDERS_MANAGE,
    Permission.KEYS_VIEW,
    Permission.KEYS_MANAGE,
}
_ADMIN: Final = _DEVELOPER | {
    Permission.MEMBERS_MANAGE,
    Permission.ORGANIZATION_MANAGE,
    Permission.AUDIT_VIEW,
    Permission.PRIVACY_MANAGE,
}

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: _ADMIN,
    Role.DEVELOPER: _DEVELOPER,
    Role.EDITOR: _EDITOR,
    Role.VIEWER: _VIEWER,
    Role.BILLING: frozenset({Permission.BILLING_MANAGE, Permission.USAGE_VIEW, Permission.MEMBERS_VIEW}),
}

ROLE_DESCRIPTIONS: Final[dict[Role, str]] = {
    Role.OWNER: "Everything, including billing, handing out ownership and deleting the organization.",
    Role.ADMIN: "Everything but billing and deleting: members, projects, keys, privacy, the audit log.",
    Role.DEVELOPER: "Writes, runs and releases prompts; manages keys, connections, alerts and webhooks.",
    Role.EDITOR: "Writes and runs prompts and datasets, but doesn't release them.",
    Role.VIEWER: "Reads prompts, datasets, runs and usage; changes nothing.",
    Role.BILLING: "Sees usage and manages billing; sees no prompts.",
}

PROJECT_PERMISSIONS: Final = frozenset(
    each
    for each in Permission
    if each.split(".")[0]
    in {"prompts", "datasets", "providers", "runs", "batches", "keys", "alerts", "webhooks"}
)
"""What can be given on one project; the others are about the whole organization."""

_NEEDS: Final[dict[Permission, frozenset[Permission]]] = {
    Permission.PROMPTS_EDIT: frozenset({Permission.PROMPTS_VIEW}),
    Permission.PROMPTS_RELEASE: frozenset({Permission.PROMPTS_VIEW}),
    Permission.DATASETS_EDIT: frozenset({Permission.DATASETS_VIEW}),
    Permission.PROVIDERS_MANAGE: frozenset({Permission.PROVIDERS_VIEW}),
    Permission.RUNS_CREATE: frozenset(
        {Permission.RUNS_VIEW, Permission.PROMPTS_VIEW, Permission.PROVIDERS_VIEW}
    ),
    Permission.BATCHES_RUN: frozenset(
        {
            Permission.BATCHES_VIEW,
            Permission.PROMPTS_VIEW,
            Permission.DATASETS_VIEW,
            Permission.PROVIDERS_VIEW,
            Permission.RUNS_VIEW,
        }
    ),
    Permission.ALERTS_MANAGE: frozenset({Permission.RUNS_VIEW}),
    Permission.WEBHOOKS_MANAGE: frozenset({Permission.RUNS_VIEW}),
    Permission.KEYS_MANAGE: frozenset({Permission.KEYS_VIEW}),
    Permission.MEMBERS_MANAGE: frozenset({Permission.MEMBERS_VIEW}),
}

SCOPE_PERMISSIONS: Final[dict[Scope, frozenset[Permission]]] = {
    # A program that reads prompts has no business in the audit log.
    Scope.READ: frozenset(each for each in Permission if each.endswith(".view")) - {Permission.AUDIT_VIEW},
    Scope.RUN: frozenset({Permission.RUNS_CREATE, Permission.BATCHES_RUN}),
    Scope.WRITE: frozenset({Permission.PROMPTS_EDIT, Permission.DATASETS_EDIT}),
    Scope.RELEASE: frozenset({Permission.PROMPTS_RELEASE}),
}

SCOPE_DESCRIPTIONS: Final[dict[Scope, str]] = {
    Scope.READ: "Read prompts, datasets, runs, batches and usage.",
    Scope.RUN: "Run prompts and start batches.",
    Scope.WRITE: "Create and change prompts and datasets.",
    Scope.RELEASE: "Move labels such as production.",
}


class _OwnRole(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def permissions(self) -> list[str]: ...


class HoldsRole(Protocol):
    """A membership or an invitation: a built-in role by its name, or one of the organization's own."""

    @property
    def role(self) -> str: ...
    @property
    def custom_role(self) -> _OwnRole | None: ...


def name_of_role(holder: HoldsRole) -> str:
    """What the role is called: ``developer``, or as the organization named it."""
    return holder.custom_role.name if holder.custom_role is not None else holder.role


def permissions_of_role(holder: HoldsRole) -> frozenset[str]:
    """What the role gives in the whole organization."""
    if holder.custom_role is None:
        return role_permissions(holder.role)
    return frozenset(holder.custom_role.permissions) & frozenset(Permission)


def completed(permissions: Iterable[str]) -> frozenset[str]:
    """The known ones of some permissions with those that they are of no use without: editing takes seeing."""
    known = {Permission(each) for each in permissions if each in set(Permission)}
    return frozenset(known).union(*(_NEEDS.get(each, frozenset()) for each in known))


def role_permissions(role: str) -> frozenset[str]:
    """The permissions of a role; none for an unknown one."""
    return frozenset(ROLE_PERMISSIONS[Role(role)]) if role in set(Role) else frozenset()


def scope_permissions(scopes: list[str]) -> frozenset[str]:
    """The permissions that a key's scopes name together; unknown scopes name none."""
    known = (SCOPE_PERMISSIONS[Scope(scope)] for scope in scopes if scope in set(Scope))
    return frozenset[str]().union(*known)


def granters_of(permission: str) -> tuple[Role, ...]:
    """The built-in roles that may give somebody a permission: an admin what admins have, an owner all."""
    return tuple(role for role in (Role.OWNER, Role.ADMIN) if permission in ROLE_PERMISSIONS[role])
