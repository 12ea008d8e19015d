"""Which right a page or an API view takes: what serves every project is managed with the organization."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from apps.providers import queries
from apps.tenants.roles import Permission


def needed_for(
    permission: str,
    scope: Callable[[], AbstractContextManager[None]],
    project_id: UUID,
    named: Mapping[str, Any],
) -> str:
    """The permission for the connection, alias or price that an address names, if it names one."""
    public_id = named.get("connection") or named.get("price") or named.get("alias")
    if permission != Permission.PROVIDERS_MANAGE or public_id is None:
        return permission
    with scope():
        shared = queries.is_for_every_project(project_id, str(public_id))
    return Permission.ORGANIZATION_MANAGE if shared else permission
