"""A scope is one database transaction that belongs to one organization.

Inside ``organization_scope`` the ORM's default managers filter by the organization (fence 1) and
Postgres row-level security does the same for every statement (fence 2). ``system_scope`` is for the
few places that work across organizations: it takes the database role ``promptsaas_system``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.core import ids
from apps.core.log_fields import note

SETTING: Final = "app.organization_id"
SYSTEM_ROLE: Final = "promptsaas_system"


class ScopeError(RuntimeError):
    """Tenant data was touched outside a scope, or scopes were nested wrongly."""


@dataclass(frozen=True, slots=True)
class _Scope:
    organization_id: UUID | None

    @property
    def is_system(self) -> bool:
        return self.organization_id is None


_current: ContextVar[_Scope | None] = ContextVar("promptsaas_scope", default=None)


def current_organization_id() -> UUID:
    """The organization of the open scope. Raises ScopeError outside an organization's scope."""
    scope = _current.get()
    if scope is None or scope.organization_id is None:
        raise ScopeError("no organization scope is open")
    return scope.organization_id


def open_organization_id() -> UUID | None:
    """The organization of the open scope; None without one and under the system role."""
    scope = _current.get()
    return scope.organization_id if scope else None


def in_scope() -> bool:
    """Whether any scope is open."""
    return _current.get() is not None


def in_system_scope() -> bool:
    """Whether the system scope is open."""
    scope = _current.get()
    return scope is not None and scope.is_system


@contextmanager
def organization_scope(organization_id: UUID) -> Iterator[None]:
    """Open a transaction that belongs to one organization.

    Nesting is allowed for the same organization only (the inner one is a savepoint).
    Raises ScopeError when another organization's or the system scope is open.
    """
    outer = _current.get()
    wanted = _Scope(organization_id)
    if outer is not None and outer != wanted:
        raise ScopeError("another scope is open")
    with transaction.atomic(), _entered(wanted):
        if outer is None:
            note("organization_id", ids.encode("org", organization_id))
            with _local_setting("set_config", str(organization_id)):
                yield
        else:
            yield


@contextmanager
def system_scope() -> Iterator[None]:
    """Open a transaction under the role that sees every organization.

    Raises ScopeError inside an organization's scope: privilege only ever narrows.
    """
    outer = _current.get()
    if outer is not None and not outer.is_system:
        raise ScopeError("an organization scope is open")
    with transaction.atomic(), _entered(_Scope(None)):
        if outer is None:
            with _local_setting("role", SYSTEM_ROLE):
                yield
        else:
            yield


@contextmanager
def _entered(scope: _Scope) -> Iterator[None]:
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def _local_setting(kind: str, value: str) -> Iterator[None]:
    nested = len(connection.savepoint_ids) > 0
    _apply(kind, value)
    yield
    # A local setting made inside a savepoint outlives its release, so it is taken back by hand;
    # after an error the rollback to the savepoint (or of the transaction) has done it already.
    if nested and not connection.needs_rollback:
        _apply(kind, "" if kind == "set_config" else "none")


def _apply(kind: str, value: str) -> None:
    with connection.cursor() as cursor:
        if kind == "set_config":
            cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])
        else:
            cursor.execute(f"SET LOCAL ROLE {value}")
