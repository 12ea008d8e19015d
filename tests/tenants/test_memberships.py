"""Leaving, removing, handing over: what ends, and that an owner always stays."""

import pytest

from apps.audit.actor import SYSTEM
from apps.core import errors
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.prompts.models import PromptUserObjectPermission
from apps.tenants import services
from apps.tenants.access import authenticate_key, user_actor
from apps.tenants.models import Invitation, Membership, Organization, ProjectUserObjectPermission, User
from apps.tenants.roles import Permission, Role
from tests.factories import (
    make_api_key,
    make_member,
    make_organization,
    make_project,
    make_prompt,
    owner_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return make_organization()


def _membership(user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_remove_membership__member_with_everything__ends_keys_grants_and_invitations(
    organization: Organization,
) -> None:
    project = make_project(organization=organization)
    user = make_member(organization=organization, role=Role.ADMIN)
    _, token = make_api_key(project=project, created_by=user)
    prompt = make_prompt(project=project)
    with organization_scope(organization.id):
        services.grant_project_permission(
            actor=SYSTEM, project=project, user=user, permission=Permission.PROMPTS_EDIT
        )
        prompt_services.share_prompt(
            actor=SYSTEM, prompt=prompt, user=user, permission=Permission.PROMPTS_RELEASE
        )
        services.invite(
            actor=user_actor(user),
            organization=organization,
            invited_by=user,
            email="friend@example.com",
            role="viewer",
        )
        services.remove_membership(actor=SYSTEM, membership=_membership(user))
        assert not ProjectUserObjectPermission.objects.exists()
        assert not PromptUserObjectPermission.objects.exists()
        assert Invitation.objects.get().revoked_at is not None
    with pytest.raises(errors.AuthenticationFailed) as caught:
        authenticate_key(token)
    assert caught.value.code == "api_key_revoked"


def test_grant__without_membership__is_refused_by_the_database(organization: Organization) -> None:
    project = make_project(organization=organization)
    outsider = owner_of(make_organization())
    with organization_scope(organization.id), pytest.raises(errors.InvalidRequest):
        services.grant_project_permission(
            actor=SYSTEM, project=project, user=outsider, permission=Permission.PROMPTS_EDIT
        )


def test_grant_project_permission__about_the_organization__is_refused(organization: Organization) -> None:
    project = make_project(organization=organization)
    user = make_member(organization=organization)
    with organization_scope(organization.id), pytest.raises(errors.InvalidRequest):
        services.grant_project_permission(
            actor=SYSTEM, project=project, user=user, permission=Permission.MEMBERS_MANAGE
        )


def test_leave_organization__last_owner__stays(organization: Organization) -> None:
    owner = owner_of(organization)
    with organization_scope(organization.id), pytest.raises(errors.Conflict) as caught:
        services.leave_organization(actor=user_actor(owner), membership=_membership(owner))
    assert caught.value.code == "last_owner"


def test_leave_organization__for_somebody_else__is_refused(organization: Organization) -> None:
    other = make_member(organization=organization, role=Role.VIEWER)
    with organization_scope(organization.id), pytest.raises(errors.PermissionDenied):
        services.leave_organization(actor=user_actor(owner_of(organization)), membership=_membership(other))


def test_transfer_ownership__to_a_member__swaps_the_two(organization: Organization) -> None:
    owner, heir = owner_of(organization), make_member(organization=organization, role=Role.VIEWER)
    with organization_scope(organization.id):
        services.transfer_ownership(
            actor=user_actor(owner), membership=_membership(owner), to=_membership(heir)
        )
        assert (_membership(owner).role, _membership(heir).role) == (Role.ADMIN, Role.OWNER)


def test_transfer_ownership__by_an_admin__is_refused(organization: Organization) -> None:
    admin = make_member(organization=organization, role=Role.ADMIN)
    with organization_scope(organization.id), pytest.raises(errors.PermissionDenied):
        services.transfer_ownership(
            actor=user_actor(admin),
            membership=_membership(owner_of(organization)),
            to=_membership(admin),
        )


def test_transfer_ownership__to_a_deactivated_member__is_refused(organization: Organization) -> None:
    owner, sleeper = owner_of(organization), make_member(organization=organization)
    services.deactivate_user(actor=SYSTEM, user=sleeper)
    with organization_scope(organization.id):
        with pytest.raises(errors.Conflict):
            services.transfer_ownership(
                actor=user_actor(owner), membership=_membership(owner), to=_membership(sleeper)
            )
        assert _membership(owner).role == Role.OWNER
