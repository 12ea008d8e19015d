"""The organization's rule that its members need a second factor: pages, API, keys, and who may set it."""

from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope
from apps.tenants.models import Organization, User
from apps.tenants.roles import Role
from apps.tenants.web.mfa_rule import mfa_rule_context
from tests.factories import (
    PASSWORD,
    make_api_key,
    make_member,
    make_organization,
    make_project,
    make_user,
)
from tests.tenants.mfa_support import ACTIVATE, confirm_password, set_up_app, sign_in

pytestmark = pytest.mark.django_db
RULE = "/acme/settings/mfa/"
HOME = "/acme/default/prompts/"


@pytest.fixture(autouse=True)
def _cheap_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def owner() -> User:
    return make_user(email="ada@example.com", name="Ada", password=PASSWORD)


@pytest.fixture
def acme(owner: User) -> Organization:
    return make_organization(name="Acme", owner=owner)


@pytest.fixture
def strict(acme: Organization) -> Organization:
    acme.requires_mfa = True
    with organization_scope(acme.id):
        acme.save(update_fields=["requires_mfa"])
    return acme


def _requires_mfa(organization: Organization) -> bool:
    with organization_scope(organization.id):
        return Organization.objects.get(pk=organization.pk).requires_mfa


@pytest.fixture
def member(acme: Organization) -> Client:
    user = make_user(email="bo@example.com", name="Bo", password=PASSWORD)
    make_member(organization=acme, role=Role.DEVELOPER, user=user)
    browser = Client()
    sign_in(browser, user.email)
    return browser


def test_rule__owner_without_a_factor__is_refused(client: Client, owner: User, acme: Organization) -> None:
    client.force_login(owner)
    client.post(RULE, {"required": "yes"})
    assert _requires_mfa(acme) is False
    assert client.get(HOME).status_code == 200


def test_rule__owner_with_a_factor__sets_and_lifts_it(
    client: Client, owner: User, acme: Organization
) -> None:
    sign_in(client, owner.email)
    confirm_password(client)
    set_up_app(client)
    client.post(RULE, {"required": "yes"})
    assert _requires_mfa(acme) is True
    assert client.get(HOME).status_code == 200
    client.post(RULE, {"required": "no"})
    assert _requires_mfa(acme) is False
    with organization_scope(acme.id):
        found = AuditEvent.objects.filter(action="organization.mfa_rule_changed").order_by("id")
        assert [event.changes["requires_mfa"] for event in found] == [[False, True], [True, False]]


def test_member_without_a_factor__any_page__says_who_asks_and_leads_to_the_set_up(
    member: Client, strict: Organization
) -> None:
    for address in (HOME, "/acme/", "/acme/default/"):
        page = member.get(address)
        assert page.status_code == 403
        assert "Acme asks for a second factor" in page.text
        assert "<b>Ada</b>" in page.text
        assert f'href="{ACTIVATE}?next=' in page.text
    assert member.get("/profile/security/").status_code == 200
    assert "<b>Acme</b> asks for a second factor" in member.get("/profile/security/").text


def test_member_without_a_factor__fragment__reloads_the_page(member: Client, strict: Organization) -> None:
    response = member.get("/acme/default/home/activity/", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (403, "true")


def test_member__sets_one_up__comes_back_to_where_the_rule_stopped_them(
    member: Client, strict: Organization
) -> None:
    confirm_password(member)
    _, response = set_up_app(member, address=f"{ACTIVATE}?next={HOME}")
    assert response["Location"] == "/accounts/2fa/recovery-codes/?next=%2Facme%2Fdefault%2Fprompts%2F"
    assert f'href="{HOME}"' in member.get(response["Location"]).text
    assert member.get(HOME).status_code == 200


def test_member__next_of_another_site__is_not_linked(member: Client, strict: Organization) -> None:
    confirm_password(member)
    _, response = set_up_app(member, address=f"{ACTIVATE}?next=https://evil.example/")
    assert "evil.example" not in member.get(response["Location"]).text


def test_member_without_a_factor__other_organization__stays_open(
    member: Client, strict: Organization
) -> None:
    make_organization(name="Bakery", owner=User.objects.get(email="bo@example.com"))
    assert member.get("/bakery/default/prompts/").status_code == 200


def test_stranger__organization_with_the_rule__is_still_not_found(
    client: Client, strict: Organization
) -> None:
    client.force_login(make_user())
    assert client.get(HOME).status_code == 404


def test_api__session_without_a_factor__is_refused_by_code_and_a_key_is_not(
    member: Client, strict: Organization
) -> None:
    project = make_project(organization=strict)
    refused = member.get("/api/v1/me", headers={"Promptsaas-Project": project.public_id})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "mfa_required")
    _, token = make_api_key(project=project, created_by=User.objects.get(email="bo@example.com"))
    answer = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_count__members_without_a_factor__is_told_in_two_statements(
    member: Client, acme: Organization, owner: User, django_assert_num_queries: Any
) -> None:
    confirm_password(member)
    set_up_app(member)
    make_member(organization=acme)
    with organization_scope(acme.id), django_assert_num_queries(2):
        found = mfa_rule_context(acme, owner)
    assert found == {"required": False, "missing": 2, "members": 3, "own": False}
