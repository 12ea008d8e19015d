"""The permission map."""

from apps.tenants.roles import (
    ROLE_DESCRIPTIONS,
    ROLE_PERMISSIONS,
    SCOPE_DESCRIPTIONS,
    SCOPE_PERMISSIONS,
    Permission,
    Role,
    Scope,
    granters_of,
    role_permissions,
    scope_permissions,
)


def test_role_permissions__owner__holds_every_permission() -> None:
    assert role_permissions(Role.OWNER) == frozenset(Permission)


def test_role_permissions__unknown_role__holds_nothing() -> None:
    assert role_permissions("emperor") == frozenset()


def test_role_permissions__editor__edits_but_does_not_release() -> None:
    assert Permission.PROMPTS_EDIT in role_permissions(Role.EDITOR)
    assert Permission.PROMPTS_RELEASE not in role_permissions(Role.EDITOR)


def test_role_permissions__admin__holds_all_but_billing_and_deleting() -> None:
    lacking = frozenset(Permission) - role_permissions(Role.ADMIN)
    assert lacking == {Permission.BILLING_MANAGE, Permission.ORGANIZATION_DELETE}


def test_scope_permissions__every_scope__holds_no_managing_right() -> None:
    for scope in Scope:
        assert not {each for each in SCOPE_PERMISSIONS[scope] if each.endswith(".manage")}


def test_scope_permissions__all_scopes__fit_into_the_weakest_role_that_makes_keys() -> None:
    makers = [held for held in ROLE_PERMISSIONS.values() if Permission.KEYS_MANAGE in held]
    assert scope_permissions(list(Scope)) <= makers[-1]


def test_scope_permissions__unknown_scope__names_nothing() -> None:
    assert scope_permissions(["everything"]) == frozenset()


def test_granters_of__billing__is_the_owner_alone() -> None:
    assert granters_of(Permission.BILLING_MANAGE) == (Role.OWNER,)


def test_descriptions__roles_and_scopes__are_complete() -> None:
    assert set(ROLE_DESCRIPTIONS) == set(Role)
    assert set(SCOPE_DESCRIPTIONS) == set(Scope)
