"""What two at once may not break. Real transactions in threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from apps.audit.actor import SYSTEM
from apps.core import errors
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.models import Membership, Organization, User
from apps.tenants.roles import Role
from tests.factories import make_member, make_organization, make_user, owner_of

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


def test_create_organization__one_name_at_once__gives_each_an_address_of_its_own() -> None:
    users = [make_user() for _ in range(4)]

    def create(user: User) -> str:
        organization: Organization = services.create_organization(actor=SYSTEM, name="Acme", owner=user)
        return organization.slug

    slugs = _at_once([lambda user=user: create(user) for user in users])  # type: ignore[misc]
    assert sorted(slugs) == ["acme", "acme-2", "acme-3", "acme-4"]
