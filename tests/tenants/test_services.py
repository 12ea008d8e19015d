"""Writes of tenants: what they change, refuse, audit and announce."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditEvent
from apps.core import errors
from apps.core.models import Change
from apps.core.scope import organization_scope, system_scope
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.models import APIKey, Membership, Organization, Project, User
from apps.tenants.roles import Permission, Role, Scope
from apps.tenants.slugs import RESERVED_ORGANIZATIONS
from tests.factories import make_api_key, make_member, make_organization, make_project, make_user, owner_of

pytestmark = pytest.mark.django_db


def _changes(kind: str) -> set[str]:
    with system_scope():
        return set(Change.objects.filter(kind=kind).values_list("key", flat=True))


def _actions() -> list[str]:
    with system_scope():
        return list(AuditEvent.all_organizations.order_by("id").values_list("action", flat=True))


def _membership(organization: Organization, user: User) -> Membership:
    return Membership.objects.get(organization=organization, user=user)


def test_create_user__taken_address_in_other_case__conflicts() -> None:
    make_user(email="ada@example.com")
    with pytest.raises(errors.Conflict):
        services.create_user(actor=SYSTEM, email="Ada@Example.com", password=None)


def test_create_organization__new__has_owner_project_and_audit() -> None:
    owner = make_user()
    organization = services.create_organization(actor=SYSTEM, name="  Acme   Support ", owner=owner)
    assert (organization.name, organization.slug) == ("Acme Support", "acme-support")
    with organization_scope(organization.id):
        assert _membership(organization, owner).role == Role.OWNER
        assert [project.slug for project in Project.objects.all()] == ["default"]
    assert _actions()[-3:] == ["organization.created", "membership.created", "project.created"]


def test_create_organization__same_name__gets_the_next_address() -> None:
    assert make_organization(name="Acme").slug == "acme"
    assert make_organization(name="Acme").slug == "acme-2"


@pytest.mark.parametrize("name", ["Admin", "API", "v1"])
def test_create_organization__reserved_word__gets_another_address(name: str) -> None:
    slug = make_organization(name=name).slug
    assert slug not in RESERVED_ORGANIZATIONS
    assert slug == f"{name.lower()}-2"


def test_create_organization__name_without_letters__still_gets_an_address() -> None:
    assert make_organization(name="★★★").slug == "organization"


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_create_organization__bad_name__is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        services.create_organization(actor=SYSTEM, name=name, owner=make_user())


def test_create_project__same_name_twice__gets_two_addresses() -> None:
    organization = make_organization()
    first = make_project(organization=organization, name="Sales")
    second = make_project(organization=organization, name="Sales")
    assert (first.slug, second.slug) == ("sales", "sales-2")
    assert str(second.id) in _changes("project")


def test_add_membership__twice__conflicts() -> None:
    organization = make_organization()
    user = make_member(organization=organization)
    with pytest.raises(errors.Conflict):
        make_member(organization=organization, user=user)


def test_change_role__last_owner__stays() -> None:
    organization = make_organization()
    with organization_scope(organization.id):
        membership = _membership(organization, owner_of(organization))
        with pytest.raises(errors.Conflict, match="last owner"):
            services.change_role(actor=SYSTEM, membership=membership, role=Role.VIEWER)


def test_change_role__one_of_two_owners__changes_and_is_announced() -> None:
    organization = make_organization()
    other = make_member(organization=organization, role=Role.OWNER)
    with organization_scope(organization.id):
        changed = services.change_role(
            actor=SYSTEM, membership=_membership(organization, other), role=Role.VIEWER
        )
    assert changed.role == Role.VIEWER
    assert str(other.id) in _changes("membership")
    assert _actions()[-1] == "membership.role_changed"


def test_change_role__admin__can_neither_make_nor_unmake_an_owner() -> None:
    organization = make_organization()
    admin, member = (
        make_member(organization=organization, role=Role.ADMIN),
        make_member(organization=organization),
    )
    actor = user_actor(admin, role=Role.ADMIN)
    with organization_scope(organization.id):
        with pytest.raises(errors.PermissionDenied):
            services.change_role(actor=actor, membership=_membership(organization, member), role=Role.OWNER)
        owner = _membership(organization, owner_of(organization))
        with pytest.raises(errors.PermissionDenied):
            services.change_role(actor=actor, membership=owner, role=Role.ADMIN)


def test_remove_membership__last_owner__stays() -> None:
    organization = make_organization()
    with organization_scope(organization.id):
        membership = _membership(organization, owner_of(organization))
        with pytest.raises(errors.Conflict, match="last owner"):
            services.remove_membership(actor=SYSTEM, membership=membership)


def test_create_api_key__good_values__stores_only_the_digest() -> None:
    project = make_project()
    key, token = make_api_key(project=project, scopes=(Scope.RUN, Scope.READ))
    assert key.scopes == ["read", "run"]
    assert token not in repr(key.__dict__)
    assert key.masked.endswith(token[-4:])
    assert str(key.id) in _changes("api_key")
    assert _actions()[-1] == "api_key.created"


def test_create_api_key__scope_beyond_the_creators_rights__is_refused() -> None:
    project = make_project()
    editor = make_member(organization=project.organization, role=Role.EDITOR)
    make_api_key(project=project, created_by=editor, scopes=(Scope.WRITE,))
    with pytest.raises(errors.PermissionDenied) as caught:
        make_api_key(project=project, created_by=editor, scopes=(Scope.WRITE, Scope.RELEASE))
    assert caught.value.code == "scope_too_wide"


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "keys.manage"]])
def test_create_api_key__unknown_scopes__are_refused(scopes: list[str]) -> None:
    project = make_project()
    owner = owner_of(project.organization)
    with organization_scope(project.organization_id), pytest.raises(errors.InvalidRequest):
        services.create_api_key(actor=SYSTEM, project=project, created_by=owner, name="x", scopes=scopes)


def test_create_api_key__expiry_in_the_past__is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="future"):
        make_api_key(project=make_project(), expires_at=timezone.now() - timedelta(seconds=1))


def test_revoke_api_key__twice__is_audited_once() -> None:
    key, _ = make_api_key(project=make_project())
    with organization_scope(key.organization_id):
        first = services.revoke_api_key(actor=SYSTEM, key=key)
        second = services.revoke_api_key(actor=SYSTEM, key=key)
    assert first.revoked_at == second.revoked_at
    assert _actions().count("api_key.revoked") == 1


def test_grant_project_permission__held_by_the_actor__is_stored_once() -> None:
    project = make_project()
    viewer = make_member(organization=project.organization, role=Role.VIEWER)
    actor = user_actor(owner_of(project.organization), role=Role.OWNER)
    with organization_scope(project.organization_id):
        for _ in range(2):
            services.grant_project_permission(
                actor=actor, project=project, user=viewer, permission=Permission.PROMPTS_RELEASE
            )
    assert _actions().count("project_permission.granted") == 1


def test_grant_project_permission__not_held_by_the_actor__is_refused() -> None:
    project = make_project()
    viewer = make_member(organization=project.organization, role=Role.VIEWER)
    editor = make_member(organization=project.organization, role=Role.EDITOR)
    key_actor = Actor(kind="api_key", id=None, role=Role.OWNER, display="key")
    with organization_scope(project.organization_id):
        for actor in (user_actor(editor, role=Role.EDITOR), key_actor):
            with pytest.raises(errors.PermissionDenied):
                services.grant_project_permission(
                    actor=actor, project=project, user=viewer, permission=Permission.PROMPTS_RELEASE
                )


def test_grant_project_permission__stranger__is_refused() -> None:
    project = make_project()
    with organization_scope(project.organization_id), pytest.raises(errors.InvalidRequest):
        services.grant_project_permission(
            actor=SYSTEM, project=project, user=make_user(), permission=Permission.PROMPTS_EDIT
        )


def test_set_theme__unknown__is_refused() -> None:
    with pytest.raises(errors.InvalidRequest):
        services.set_theme(actor=SYSTEM, user=make_user(), theme="pink")


def test_deactivate_user__active__ends_their_power() -> None:
    user = make_user()
    services.deactivate_user(actor=SYSTEM, user=user)
    user.refresh_from_db()
    assert not user.is_active
    assert str(user.id) in _changes("membership")


def test_api_key__project_of_another_organization__is_refused_by_the_database() -> None:
    key, _ = make_api_key(project=make_project())
    other = make_project()
    with organization_scope(key.organization_id):
        APIKey.objects.filter(id=key.id).update(project_id=other.id)
        with pytest.raises(IntegrityError, match="apikey_project_of_organization"), transaction.atomic():
            connection.check_constraints()
        APIKey.objects.filter(id=key.id).update(project_id=key.project_id)
