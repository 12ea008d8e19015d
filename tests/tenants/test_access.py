"""The doors: API key and session."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core import errors
from apps.core.scope import organization_scope
from apps.tenants import services, tokens
from apps.tenants.access import (
    authenticate_key,
    authenticate_key_plain,
    mark_keys_used,
    open_session,
    open_session_for_project,
    places_of,
)
from apps.tenants.models import APIKey, Membership, Project, User
from apps.tenants.roles import Permission, Role, Scope, role_permissions
from tests.factories import make_api_key, make_member, make_organization, make_project, make_user, owner_of

pytestmark = pytest.mark.django_db


def _set_role(project: Project, user: User, role: Role) -> None:
    with organization_scope(project.organization_id):
        membership = Membership.objects.get(user=user)
        services.change_role(actor=SYSTEM, membership=membership, role=role)


def test_authenticate_key__good__acts_in_its_project_with_its_scopes() -> None:
    project = make_project()
    key, token = make_api_key(project=project, scopes=(Scope.RUN,), livemode=False)
    access = authenticate_key(token, ip="192.0.2.1", request_id="req_1")
    assert (access.organization.id, access.project) == (project.organization_id, project)
    assert access.permissions == {Permission.RUNS_CREATE, Permission.BATCHES_RUN}
    assert (access.livemode, access.api_key_id) == (False, key.id)
    assert (access.actor.kind, access.actor.id, access.actor.ip) == ("api_key", key.id, "192.0.2.1")


def test_authenticate_key__unknown_id_and_wrong_secret__are_told_alike() -> None:
    key, token = make_api_key(project=make_project())
    body = token[:22] + "A" * 43
    forged = body + tokens.checksum(body)
    assert tokens.key_id_of(forged) == key.key_id
    messages = set()
    for text in (forged, tokens.new_token(livemode=True).text):
        with pytest.raises(errors.AuthenticationFailed) as caught:
            authenticate_key(text)
        messages.add((caught.value.message, caught.value.code))
    assert len(messages) == 1


def test_authenticate_key__revoked__is_refused_with_the_reason() -> None:
    key, token = make_api_key(project=make_project())
    with organization_scope(key.organization_id):
        services.revoke_api_key(actor=SYSTEM, key=key)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        authenticate_key(token)
    assert caught.value.code == "api_key_revoked"


def test_authenticate_key__at_its_expiry__is_refused() -> None:
    expires_at = timezone.now() + timedelta(hours=1)
    _, token = make_api_key(project=make_project(), expires_at=expires_at)
    with time_machine.travel(expires_at - timedelta(seconds=1), tick=False):
        authenticate_key(token)
    with time_machine.travel(expires_at, tick=False), pytest.raises(errors.AuthenticationFailed) as caught:
        authenticate_key(token)
    assert caught.value.code == "api_key_expired"


def test_authenticate_key__creator_demoted__loses_power_at_once() -> None:
    project = make_project()
    developer = make_member(organization=project.organization)
    _, token = make_api_key(project=project, created_by=developer)
    assert Permission.PROMPTS_RELEASE in authenticate_key(token).permissions
    _set_role(project, developer, Role.VIEWER)
    permissions = authenticate_key(token).permissions
    assert permissions <= role_permissions(Role.VIEWER)


def test_authenticate_key__creator_gone_or_inactive__holds_nothing() -> None:
    project = make_project()
    leaver, sleeper = (make_member(organization=project.organization) for _ in range(2))
    of_leaver, of_sleeper = (make_api_key(project=project, created_by=user)[1] for user in (leaver, sleeper))
    with organization_scope(project.organization_id):
        services.remove_membership(actor=SYSTEM, membership=Membership.objects.get(user=leaver))
    services.deactivate_user(actor=SYSTEM, user=sleeper)
    assert authenticate_key(of_sleeper).permissions == frozenset()
    with pytest.raises(errors.AuthenticationFailed) as caught:
        authenticate_key(of_leaver)
    assert caught.value.code == "api_key_revoked"


def test_authenticate_key__used_twice_in_a_minute__is_marked_once() -> None:
    key, token = make_api_key(project=make_project())
    start = timezone.now()
    marks = []
    for seconds in (0, 30, 61):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            authenticate_key(token)
            with organization_scope(key.organization_id):
                marks.append(APIKey.objects.get(id=key.id).last_used_at)
    assert marks == [start, start, start + timedelta(seconds=61)]


def test_mark_keys_used__never_used__is_marked() -> None:
    key, _ = make_api_key(project=make_project())
    mark_keys_used({key.id: "203.0.113.9"})
    with organization_scope(key.organization_id):
        assert APIKey.objects.get(id=key.id).last_used_at is not None


def test_authenticate_key_plain__good__names_what_the_cache_needs() -> None:
    project = make_project()
    key, token = make_api_key(project=project, scopes=(Scope.RUN,))
    facts = authenticate_key_plain(token)
    assert (facts.organization_id, facts.project_id) == (project.organization_id, project.id)
    assert (facts.api_key_id, facts.created_by_id) == (key.id, owner_of(project.organization).id)
    assert (facts.livemode, facts.expires_at, facts.role) == (True, None, Role.OWNER)


def test_open_session__member__has_the_roles_permissions_and_the_switch() -> None:
    project = make_project()
    organization = project.organization
    user = make_member(organization=organization, role=Role.EDITOR)
    second = make_organization(owner=user)
    session = open_session(user, organization=organization.slug, project=project.slug)
    assert session.access.permissions == role_permissions(Role.EDITOR)
    assert {each.id for each in session.organizations} == {organization.id, second.id}
    assert session.projects == (project,)
    assert session.access.actor.role == Role.EDITOR


def test_open_session__stranger_and_missing__are_told_alike() -> None:
    organization = make_organization()
    stranger = make_user()
    told = set()
    for slug in (organization.slug, "nothing-here"):
        with pytest.raises(errors.NotFound) as caught:
            open_session(stranger, organization=slug)
        told.add(caught.value.message)
    assert len(told) == 1


def test_open_session__project_of_another_organization__is_not_found() -> None:
    mine, other = make_project(), make_project(name="Other", organization=make_organization())
    owner = owner_of(mine.organization)
    with pytest.raises(errors.NotFound):
        open_session(owner, organization=mine.organization.slug, project=other.slug)


def test_open_session__grant_on_a_project__widens_the_role_there_only() -> None:
    project = make_project()
    organization = project.organization
    other = make_project(organization=organization, name="Other")
    viewer = make_member(organization=organization, role=Role.VIEWER)
    with organization_scope(organization.id):
        services.grant_project_permission(
            actor=SYSTEM, project=project, user=viewer, permission=Permission.PROMPTS_RELEASE
        )
    granted = open_session(viewer, organization=organization.slug, project=project.slug).access
    assert granted.permissions == role_permissions(Role.VIEWER) | {Permission.PROMPTS_RELEASE}
    for elsewhere in (other.slug, None):
        access = open_session(viewer, organization=organization.slug, project=elsewhere).access
        assert access.permissions == role_permissions(Role.VIEWER)
    with organization_scope(organization.id):
        services.revoke_project_permission(
            actor=SYSTEM, project=project, user=viewer, permission=Permission.PROMPTS_RELEASE
        )
    access = open_session(viewer, organization=organization.slug, project=project.slug).access
    assert access.permissions == role_permissions(Role.VIEWER)


def test_open_session_for_project__stranger__is_not_found() -> None:
    project = make_project()
    assert open_session_for_project(owner_of(project.organization), project_id=project.id).project == project
    with pytest.raises(errors.NotFound):
        open_session_for_project(make_user(), project_id=project.id)


def test_access_require__missing_permission__is_denied_by_name() -> None:
    project = make_project()
    viewer = make_member(organization=project.organization, role=Role.VIEWER)
    access = open_session(viewer, organization=project.organization.slug).access
    access.require(Permission.PROMPTS_VIEW)
    with pytest.raises(errors.PermissionDenied, match=r"prompts\.edit"):
        access.require(Permission.PROMPTS_EDIT)


def test_places_of__two_organizations__lists_each_with_its_projects() -> None:
    user = make_user()
    first, second = make_organization(owner=user), make_organization(owner=user)
    extra = make_project(organization=second, name="Extra")
    places = places_of(user)
    assert [organization.id for organization, _ in places] == [first.id, second.id]
    assert [len(projects) for _, projects in places] == [1, 2]
    assert places[1][1][1] == extra


def test_open_session__any_number_of_organizations__costs_the_same(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    user = make_user()
    organization = make_organization(owner=user)
    for _ in range(3):
        make_organization(owner=user)
    # The first visit of a few minutes is noted, the others aren't.
    open_session(user, organization=organization.slug, project="default")
    with django_assert_num_queries(7):  # type: ignore[operator]
        open_session(user, organization=organization.slug, project="default")
