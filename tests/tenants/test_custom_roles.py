"""An organization's own roles: what they give, and that nobody gains by them what they lack."""

import pytest

from apps.audit.actor import SYSTEM, Actor
from apps.core import errors
from apps.core.models import Change
from apps.core.scope import organization_scope, system_scope
from apps.tenants import services
from apps.tenants.access import authenticate_key, open_session, user_actor
from apps.tenants.models import CustomRole, Invitation, Membership, Organization, User
from apps.tenants.roles import Permission, Role, Scope, completed
from tests.factories import make_api_key, make_member, make_organization, make_project, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return make_organization()


def _actor(user: User) -> Actor:
    return user_actor(user, role="whatever it calls itself")


def _role(organization: Organization, *permissions: Permission, name: str = "Reviewer") -> CustomRole:
    with organization_scope(organization.id):
        return services.create_custom_role(
            actor=SYSTEM,
            organization=organization,
            name=name,
            description="Looks at prompts.",
            permissions=[permission.value for permission in permissions],
        )


def _member(organization: Organization, role: CustomRole) -> User:
    user = make_member(organization=organization, role=Role.VIEWER)
    _give(organization, user, role.public_id)
    return user


def _give(organization: Organization, user: User, role: str, actor: Actor = SYSTEM) -> None:
    with organization_scope(organization.id):
        services.change_role(actor=actor, membership=Membership.objects.get(user=user), role=role)


def test_completed__editing__brings_seeing_along() -> None:
    assert completed(["prompts.edit", "nothing.known"]) == {"prompts.edit", "prompts.view"}


def test_custom_role__given__is_what_the_member_may(organization: Organization) -> None:
    user = _member(organization, _role(organization, Permission.PROMPTS_EDIT))
    access = open_session(user, organization=organization.slug).access
    assert access.permissions == {"prompts.edit", "prompts.view"}
    assert access.actor.role == "Reviewer"


def test_custom_role__changed__holds_for_members_and_their_keys_at_once(organization: Organization) -> None:
    role = _role(organization, Permission.PROMPTS_EDIT, Permission.RUNS_CREATE, Permission.BATCHES_RUN)
    user = _member(organization, role)
    project = make_project(organization=organization)
    _, token = make_api_key(project=project, created_by=user, scopes=(Scope.RUN,))
    assert authenticate_key(token).permissions == {"batches.run", "runs.create"}
    with system_scope():
        before = Change.objects.filter(kind="membership", key=str(user.id)).count()
    with organization_scope(organization.id):
        services.update_custom_role(actor=SYSTEM, role=role, permissions=["runs.create"])
    assert authenticate_key(token).permissions == {"runs.create"}
    with system_scope():
        assert Change.objects.filter(kind="membership", key=str(user.id)).count() == before + 1


def test_custom_role__in_use__is_not_deleted_and_says_by_how_many(organization: Organization) -> None:
    role = _role(organization, Permission.PROMPTS_VIEW)
    user = _member(organization, role)
    with organization_scope(organization.id):
        services.invite(
            actor=SYSTEM,
            organization=organization,
            invited_by=owner_of(organization),
            email="new@example.com",
            role=role.public_id,
        )
        with pytest.raises(errors.Conflict, match="1 member and 1 open invitation have") as caught:
            services.delete_custom_role(actor=SYSTEM, role=role)
    assert caught.value.code == "role_in_use"
    _give(organization, user, "viewer")
    with organization_scope(organization.id):
        for invitation in Invitation.objects.all():
            services.revoke_invitation(actor=SYSTEM, invitation=invitation)
        services.delete_custom_role(actor=SYSTEM, role=role)
        assert not CustomRole.objects.exists()


@pytest.mark.parametrize("name", ["Owner", "admin", "  Viewer "])
def test_custom_role__named_like_a_built_in_one__is_refused(organization: Organization, name: str) -> None:
    with pytest.raises(errors.Conflict):
        _role(organization, Permission.PROMPTS_VIEW, name=name)


def test_custom_role__name_in_use_in_other_case__is_refused(organization: Organization) -> None:
    _role(organization, Permission.PROMPTS_VIEW)
    with pytest.raises(errors.Conflict, match="role of this name"):
        _role(organization, Permission.PROMPTS_VIEW, name="REVIEWER")


def test_create_custom_role__more_than_the_actor_holds__is_refused(organization: Organization) -> None:
    admin = _actor(make_member(organization=organization, role=Role.ADMIN))
    with organization_scope(organization.id), pytest.raises(errors.PermissionDenied) as caught:
        services.create_custom_role(
            actor=admin,
            organization=organization,
            name="Treasurer",
            description="",
            permissions=["billing.manage"],
        )
    assert caught.value.code == "role_above_own"


def test_update_custom_role__own_role__gains_nothing(organization: Organization) -> None:
    role = _role(organization, Permission.MEMBERS_MANAGE)
    manager = _actor(_member(organization, role))
    with organization_scope(organization.id):
        with pytest.raises(errors.PermissionDenied):
            services.update_custom_role(
                actor=manager, role=role, permissions=["members.manage", "prompts.edit"]
            )
        assert CustomRole.objects.get().permissions == ["members.manage", "members.view"]


def test_update_custom_role__stronger_than_the_actor__is_not_even_narrowed(
    organization: Organization,
) -> None:
    strong = _role(organization, Permission.BILLING_MANAGE, name="Treasurer")
    admin = _actor(make_member(organization=organization, role=Role.ADMIN))
    with organization_scope(organization.id), pytest.raises(errors.PermissionDenied):
        services.update_custom_role(actor=admin, role=strong, permissions=["prompts.view"])


def test_change_role__calling_oneself_owner__helps_nobody(organization: Organization) -> None:
    role = _role(organization, Permission.MEMBERS_MANAGE)
    manager = _member(organization, role)
    liar = user_actor(manager, role="owner")
    for wanted in ("owner", "admin", "viewer"):
        with pytest.raises(errors.PermissionDenied):
            _give(organization, manager, wanted, actor=liar)


def test_change_role__of_a_stronger_member__is_refused(organization: Organization) -> None:
    role = _role(organization, Permission.MEMBERS_MANAGE)
    manager = _actor(_member(organization, role))
    with pytest.raises(errors.PermissionDenied):
        _give(organization, owner_of(organization), role.public_id, actor=manager)


def test_change_role__role_of_another_organization__does_not_exist(organization: Organization) -> None:
    foreign = _role(make_organization(), Permission.PROMPTS_VIEW)
    user = make_member(organization=organization)
    with pytest.raises(errors.InvalidRequest) as caught:
        _give(organization, user, foreign.public_id)
    assert caught.value.code == "role_invalid"


def test_api_key__never_hands_out_roles(organization: Organization) -> None:
    key = Actor(kind="api_key", id=owner_of(organization).id, role="owner", display="a key")
    with pytest.raises(errors.PermissionDenied):
        _give(organization, make_member(organization=organization), "viewer", actor=key)
