"""What two at once may not break. Real transactions in threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from apps.audit.actor import SYSTEM
from apps.core import errors
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.invitation_door import find_invitation
from apps.tenants.models import Membership, Organization, User
from apps.tenants.roles import Role
from tests.factories import PASSWORD, make_member, make_organization, make_user, owner_of
from tests.tenants.mails import latest_token
from tests.tenants.mfa_support import (
    CODES,
    CONFIRM,
    confirm_password,
    recovery_codes,
    set_up_app,
    sign_in,
)

pytestmark = pytest.mark.django_db(transaction=True)


def _at_once(tasks: list[Callable[[], str]]) -> list[str]:
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], str]) -> str:
        barrier.wait(timeout=10)
        try:
            return task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def test_change_role__two_owners_leave_at_once__one_stays() -> None:
    organization = make_organization()
    owners = [owner_of(organization), make_member(organization=organization, role=Role.OWNER)]

    def leave(user: User) -> str:
        try:
            with organization_scope(organization.id):
                membership = Membership.objects.get(user=user)
                services.change_role(actor=SYSTEM, membership=membership, role=Role.VIEWER)
        except errors.Conflict as conflict:
            return conflict.code
        return "left"

    told = _at_once([lambda user=user: leave(user) for user in owners])  # type: ignore[misc]
    assert sorted(told) == ["last_owner", "left"]


def test_leave_organization__two_owners_at_once__one_stays() -> None:
    organization = make_organization()
    owners = [owner_of(organization), make_member(organization=organization, role=Role.OWNER)]

    def leave(user: User) -> str:
        try:
            with organization_scope(organization.id):
                membership = Membership.objects.get(user=user)
                services.leave_organization(actor=user_actor(user), membership=membership)
        except errors.Conflict as conflict:
            return conflict.code
        return "left"

    told = _at_once([lambda user=user: leave(user) for user in owners])  # type: ignore[misc]
    assert sorted(told) == ["last_owner", "left"]


def test_accept_invitation__twice_at_once__makes_one_member() -> None:
    organization = make_organization()
    inviter = owner_of(organization)
    with organization_scope(organization.id):
        services.invite(
            actor=user_actor(inviter),
            organization=organization,
            invited_by=inviter,
            email="ada@example.com",
            role="viewer",
        )
    user, token = make_user(email="ada@example.com"), latest_token()

    def accept() -> str:
        found = find_invitation(token)
        assert found is not None
        try:
            with organization_scope(organization.id):
                services.accept_invitation(actor=user_actor(user), invitation=found.invitation, user=user)
        except errors.Conflict as conflict:
            return conflict.code
        return "joined"

    assert sorted(_at_once([accept, accept])) == ["invitation_ended", "joined"]


def test_delete_custom_role__while_it_is_given__never_leaves_a_member_without_one() -> None:
    organization = make_organization()
    user = make_member(organization=organization, role=Role.VIEWER)
    with organization_scope(organization.id):
        role = services.create_custom_role(
            actor=SYSTEM,
            organization=organization,
            name="Reviewer",
            description="",
            permissions=["prompts.view"],
        )

    def give() -> str:
        try:
            with organization_scope(organization.id):
                membership = Membership.objects.get(user=user)
                services.change_role(actor=SYSTEM, membership=membership, role=role.public_id)
        except errors.InvalidRequest as problem:
            return problem.code
        return "given"

    def delete() -> str:
        try:
            with organization_scope(organization.id):
                services.delete_custom_role(actor=SYSTEM, role=role)
        except errors.Conflict as conflict:
            return conflict.code
        return "deleted"

    assert set(_at_once([give, delete])) in ({"given", "role_in_use"}, {"role_invalid", "deleted"})


def test_create_organization__one_name_at_once__gives_each_an_address_of_its_own() -> None:
    users = [make_user() for _ in range(4)]

    def create(user: User) -> str:
        organization: Organization = services.create_organization(actor=SYSTEM, name="Acme", owner=user)
        return organization.slug

    slugs = _at_once([lambda user=user: create(user) for user in users])  # type: ignore[misc]
    assert sorted(slugs) == ["acme", "acme-2", "acme-3", "acme-4"]


def test_recovery_code__two_browsers_at_once__opens_one(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ada, client = make_user(email="ada@example.com", password=PASSWORD), Client()
    sign_in(client, ada.email)
    confirm_password(client)
    set_up_app(client)
    code = recovery_codes(client.get(CODES))[0]
    browsers = [Client(), Client()]
    for browser in browsers:
        sign_in(browser, ada.email)

    def enter(browser: Client) -> str:
        return "in" if browser.post(CONFIRM, {"code": code}).status_code == 302 else "refused"

    told = _at_once([lambda browser=browser: enter(browser) for browser in browsers])  # type: ignore[misc]
    assert sorted(told) == ["in", "refused"]
