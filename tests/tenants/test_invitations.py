"""Invitations: who may invite whom, and which links open the door."""

from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core import errors
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.invitation_door import EXPIRED, OPEN, REVOKED, find_invitation
from apps.tenants.models import Invitation, Membership, Organization, User
from apps.tenants.roles import Role
from tests.factories import PASSWORD, make_member, make_organization, make_user, owner_of
from tests.tenants.mails import latest_token

pytestmark = pytest.mark.django_db

EMAIL = "ada@example.com"


@pytest.fixture
def organization() -> Organization:
    return make_organization(name="Acme")


def _invite(
    organization: Organization, *, email: str = EMAIL, role: str = "editor", by: User | None = None
) -> Invitation:
    inviter = by or owner_of(organization)
    with organization_scope(organization.id):
        return services.invite(
            actor=user_actor(inviter), organization=organization, invited_by=inviter, email=email, role=role
        )


def _accept(token: str, user: User) -> Membership:
    found = find_invitation(token)
    assert found is not None
    with organization_scope(found.invitation.organization_id):
        return services.accept_invitation(actor=user_actor(user), invitation=found.invitation, user=user)


def test_invite__new_address__mails_a_link_whose_token_is_nowhere_else(organization: Organization) -> None:
    invitation = _invite(organization, email=" Ada@Example.com ")
    token = latest_token()
    assert invitation.email == EMAIL
    assert token.encode() not in bytes(invitation.digest)
    found = find_invitation(token)
    assert found is not None
    assert (found.state, found.organization, found.role) == (OPEN, "Acme", "editor")
    assert found.inviter == owner_of(organization).display_name
    assert not found.has_account


def test_accept__in_time__makes_a_member_once(organization: Organization) -> None:
    _invite(organization)
    token, user = latest_token(), make_user(email=EMAIL)
    assert _accept(token, user).role == "editor"
    with pytest.raises(errors.Conflict):
        _accept(token, user)
    with organization_scope(organization.id):
        assert Invitation.objects.get().accepted_by_id == user.id


def test_accept__another_address__is_refused(organization: Organization) -> None:
    _invite(organization)
    with pytest.raises(errors.PermissionDenied) as caught:
        _accept(latest_token(), make_user())
    assert caught.value.code == "invitation_not_yours"


def test_accept__unverified_address__is_refused(organization: Organization) -> None:
    _invite(organization)
    with pytest.raises(errors.PermissionDenied):
        _accept(latest_token(), make_user(email=EMAIL, verified=False))


def test_accept__after_seven_days__is_refused(organization: Organization) -> None:
    _invite(organization)
    token, user = latest_token(), make_user(email=EMAIL)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=False):
        found = find_invitation(token)
        assert found is not None
        assert found.state == EXPIRED
        with pytest.raises(errors.Conflict) as caught:
            _accept(token, user)
    assert caught.value.code == "invitation_expired"


def test_resend__kills_the_old_link(organization: Organization) -> None:
    invitation = _invite(organization)
    old, owner = latest_token(), owner_of(organization)
    with organization_scope(organization.id):
        services.resend_invitation(actor=user_actor(owner), invitation=invitation, invited_by=owner)
    assert find_invitation(old) is None
    assert _accept(latest_token(), make_user(email=EMAIL)).role == "editor"


def test_accept__link_replaced_while_it_was_open__is_refused(organization: Organization) -> None:
    invitation = _invite(organization)
    found, owner = find_invitation(latest_token()), owner_of(organization)
    assert found is not None
    with organization_scope(organization.id):
        services.resend_invitation(actor=user_actor(owner), invitation=invitation, invited_by=owner)
        user = make_user(email=EMAIL)
        with pytest.raises(errors.Conflict):
            services.accept_invitation(actor=user_actor(user), invitation=found.invitation, user=user)


def test_revoke__kills_the_link(organization: Organization) -> None:
    invitation = _invite(organization)
    token = latest_token()
    with organization_scope(organization.id):
        services.revoke_invitation(actor=SYSTEM, invitation=invitation)
    found = find_invitation(token)
    assert found is not None
    assert found.state == REVOKED
    with pytest.raises(errors.Conflict):
        _accept(token, make_user(email=EMAIL))


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 5_000, "ä" * 43])
def test_find_invitation__no_token_of_ours__is_none(organization: Organization, token: str) -> None:
    _invite(organization)
    assert find_invitation(token) is None


def test_invite__role_above_own__is_refused(organization: Organization) -> None:
    admin = make_member(organization=organization, role=Role.ADMIN)
    with pytest.raises(errors.PermissionDenied) as caught:
        _invite(organization, role="owner", by=admin)
    assert caught.value.code == "role_above_own"


def test_invite__member__is_refused_in_any_case(organization: Organization) -> None:
    user = make_member(organization=organization)
    with pytest.raises(errors.Conflict) as caught:
        _invite(organization, email=user.email.upper())
    assert caught.value.code == "already_a_member"


def test_invite__open_invitation__is_refused_and_an_expired_one_sent_again(
    organization: Organization,
) -> None:
    first = _invite(organization)
    with pytest.raises(errors.Conflict) as caught:
        _invite(organization)
    assert caught.value.code == "already_invited"
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        again = _invite(organization, role="viewer")
    assert (again.id, again.role) == (first.id, "viewer")


def test_invite_many__mixed__tells_of_each_address(organization: Organization) -> None:
    member = make_member(organization=organization)
    with organization_scope(organization.id):
        outcomes = services.invite_many(
            actor=SYSTEM,
            organization=organization,
            invited_by=owner_of(organization),
            emails=[EMAIL, "not an address", member.email, EMAIL.upper()],
            role="viewer",
        )
    assert [(each.email, each.problem == "") for each in outcomes] == [
        (EMAIL, True),
        ("not an address", False),
        (member.email, False),
    ]
    assert [message.to for message in mail.outbox] == [[EMAIL]]


def test_accept__sender_demoted_since__is_refused(organization: Organization) -> None:
    admin = make_member(organization=organization, role=Role.ADMIN)
    _invite(organization, role="developer", by=admin)
    token = latest_token()
    with organization_scope(organization.id):
        services.change_role(actor=SYSTEM, membership=Membership.objects.get(user=admin), role=Role.VIEWER)
    with pytest.raises(errors.Conflict, match="may no longer invite"):
        _accept(token, make_user(email=EMAIL))


def test_accept__member_meanwhile__is_told(organization: Organization) -> None:
    _invite(organization)
    token, user = latest_token(), make_user(email=EMAIL)
    make_member(organization=organization, user=user)
    with pytest.raises(errors.Conflict) as caught:
        _accept(token, user)
    assert caught.value.code == "already_a_member"


def test_invitation__address_that_another_account_has_proved__makes_no_second_account(
    client: Client, organization: Organization
) -> None:
    other = make_user(email="first@example.com")
    EmailAddress.objects.create(user=other, email=EMAIL, verified=True)
    _invite(organization)
    answer = client.post(f"/invitations/{latest_token()}/", {"name": "Ada", "password": PASSWORD})
    assert answer.status_code == 422
    with pytest.raises(errors.Conflict):
        services.create_user(actor=SYSTEM, email=EMAIL, password=PASSWORD)


def test_invite__inviter_with_a_line_break_in_the_name__is_mailed_all_the_same(
    organization: Organization,
) -> None:
    sender = make_member(organization=organization, role=Role.ADMIN)
    User.objects.filter(pk=sender.pk).update(name="A\nBcc: c@x.example")
    sender.refresh_from_db()
    _invite(organization, by=sender)
    assert latest_token()


def test_create_user__name_of_two_lines__becomes_one() -> None:
    user = services.create_user(actor=SYSTEM, email=EMAIL, password=PASSWORD, name="Ada\n Lovelace")
    assert user.name == "Ada Lovelace"
