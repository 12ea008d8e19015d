"""Pages of members, invitations, roles, settings and sharing."""

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope, system_scope
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.models import (
    CustomRole,
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectUserObjectPermission,
    User,
)
from apps.tenants.roles import Role
from tests.factories import PASSWORD, make_member, make_organization, make_project, make_user, owner_of
from tests.tenants.mails import latest_token

pytestmark = pytest.mark.django_db

EMAIL = "ada@example.com"


@pytest.fixture
def project() -> Project:
    return make_project(organization=make_organization(name="Acme"))


@pytest.fixture
def organization(project: Project) -> Organization:
    return project.organization


@pytest.fixture
def owner(organization: Organization) -> User:
    return owner_of(organization)


@pytest.fixture
def web(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def _path(organization: Organization, rest: str = "") -> str:
    return f"/{organization.slug}/settings/{rest}"


def _membership(user: User) -> Membership:
    with system_scope():
        return Membership.all_organizations.select_related("custom_role").get(user=user)


def _link(organization: Organization, *, role: str = "editor", email: str = EMAIL) -> str:
    inviter = owner_of(organization)
    with organization_scope(organization.id):
        services.invite(
            actor=user_actor(inviter), organization=organization, invited_by=inviter, email=email, role=role
        )
    return f"/invitations/{latest_token()}/"


def _html(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


# Members


def test_members__page__names_role_factor_and_activity(web: Client, organization: Organization) -> None:
    member = make_member(organization=organization, role=Role.EDITOR)
    page = _html(web.get(_path(organization, "members/")))
    assert member.email in page
    assert "Editor" in page
    assert "never" in page


def test_members__search_and_filter__narrow_the_list(web: Client, organization: Organization) -> None:
    editor = make_member(organization=organization, role=Role.EDITOR, user=make_user(name="Ada Byron"))
    viewer = make_member(organization=organization, role=Role.VIEWER, user=make_user(name="Bob"))
    for query in ("q=byron", "role=editor", "role=editor&mfa=without"):
        page = _html(web.get(_path(organization, f"members/?{query}")))
        assert (editor.email in page, viewer.email in page) == (True, False), query


def test_members__many__cost_as_many_queries_as_few(web: Client, organization: Organization) -> None:
    web.get(_path(organization, "members/"))
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            web.get(_path(organization, "members/"))
        counts.append(len(captured))
        for _ in range(4):
            make_member(organization=organization)
            _link(organization, email=make_user().email)
    assert counts[0] == counts[1]
    # Two of them open and close each of three transactions.
    assert counts[0] <= 26, counts


def test_member_role__changed__says_so(web: Client, organization: Organization) -> None:
    user = make_member(organization=organization, role=Role.VIEWER)
    path = _path(organization, f"members/{_membership(user).public_id}/role/")
    assert "Developer" in _html(web.get(path))
    assert web.post(path, {"role": "developer"}).status_code == 302
    assert _membership(user).role == Role.DEVELOPER


def test_member_role__last_owner__is_refused_with_the_reason(
    web: Client, organization: Organization, owner: User
) -> None:
    response = web.post(
        _path(organization, f"members/{_membership(owner).public_id}/role/"), {"role": "viewer"}
    )
    assert response.status_code == 422
    assert "The last owner can" in _html(response)
    assert _membership(owner).role == Role.OWNER


def test_member_role__admin_over_owner__offers_nothing(client: Client, organization: Organization) -> None:
    client.force_login(make_member(organization=organization, role=Role.ADMIN))
    path = _path(organization, f"members/{_membership(owner_of(organization)).public_id}/role/")
    assert 'type="radio"' not in _html(client.get(path))
    assert client.post(path, {"role": "viewer"}).status_code == 422


def test_remove_member__asked__tells_what_ends_and_ends_it(web: Client, organization: Organization) -> None:
    user = make_member(organization=organization)
    path = _path(organization, f"members/{_membership(user).public_id}/remove/")
    assert "Rights given on single prompts" in _html(web.get(path))
    assert web.post(path).status_code == 302
    client = Client()
    client.force_login(user)
    assert client.get(f"/{organization.slug}/").status_code == 404


# Invitations


def test_invite__several__answers_for_each_address(
    web: Client, organization: Organization, owner: User
) -> None:
    response = web.post(
        _path(organization, "members/invite/"),
        {"emails": f"Ada <{EMAIL}>, <{owner.email}> <nonsense>", "role": "viewer"},
    )
    page = _html(response)
    assert "1 of 3 invited" in page
    assert "already a member" in page
    assert [message.to for message in mail.outbox] == [[EMAIL]]


def test_invite__role_above_own__is_not_offered(client: Client, organization: Organization) -> None:
    client.force_login(make_member(organization=organization, role=Role.ADMIN))
    path = _path(organization, "members/invite/")
    assert 'value="owner"' not in _html(client.get(path))
    assert client.post(path, {"emails": EMAIL, "role": "owner"}).status_code == 422
    assert not mail.outbox


def test_invite__too_often_to_one_address__is_refused(web: Client, organization: Organization) -> None:
    path = _path(organization, "members/invite/")
    answers = [web.post(path, {"emails": EMAIL, "role": "viewer"}).status_code for _ in range(11)]
    assert answers[-1] == 422


def test_invitation__page__shows_who_invites_to_what_and_is_not_kept(
    client: Client, organization: Organization, owner: User
) -> None:
    response = client.get(_link(organization))
    page = _html(response)
    for words in ("Acme", owner.display_name, "editor", EMAIL):
        assert words in page
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "same-origin"


def test_invitation__new_person__makes_an_account_and_is_in(
    client: Client, organization: Organization
) -> None:
    path = _link(organization)
    response = client.post(path, {"name": "Ada", "password": PASSWORD})
    assert response.status_code == 302
    assert response["Location"] == f"/{organization.slug}/"
    user = User.objects.get(email=EMAIL)
    assert _membership(user).role == "editor"
    assert client.get(f"/{organization.slug}/", follow=True).status_code == 200


def test_invitation__weak_password__keeps_the_form_and_makes_nothing(
    client: Client, organization: Organization
) -> None:
    response = client.post(_link(organization), {"name": "Ada", "password": "short"})
    assert response.status_code == 422
    assert not User.objects.filter(email=EMAIL).exists()


def test_invitation__existing_account__is_led_to_sign_in_and_back(
    client: Client, organization: Organization
) -> None:
    make_user(email=EMAIL, password=PASSWORD)
    path = _link(organization)
    page = _html(client.get(path))
    assert f"/accounts/login/?next={path}" in page
    assert client.post(path, {"name": "Thief", "password": PASSWORD}).status_code == 422
    response = client.post(f"/accounts/login/?next={path}", {"login": EMAIL, "password": PASSWORD})
    assert response["Location"] == path


def test_invitation__signed_in_as_invited__joins_with_one_button(
    client: Client, organization: Organization
) -> None:
    user = make_user(email=EMAIL)
    client.force_login(user)
    path = _link(organization)
    assert "Accept invitation" in _html(client.get(path))
    assert client.post(path).status_code == 302
    assert _membership(user).role == "editor"
    assert "belong to Acme already" in _html(client.get(path))


def test_invitation__signed_in_as_another__is_offered_to_switch(
    client: Client, organization: Organization
) -> None:
    client.force_login(make_user())
    path = _link(organization)
    page = _html(client.get(path))
    assert "Sign out and switch account" in page
    assert client.post(path).status_code == 409
    response = client.post("/accounts/logout/", {"next": path})
    assert response["Location"] == path


def test_invitation__unknown_link__is_not_found_and_tries_are_limited(client: Client) -> None:
    answers = [client.get(f"/invitations/{'A' * 43}/").status_code for _ in range(31)]
    assert (answers[0], answers[-1]) == (404, 429)


def test_invitation__withdrawn_and_sent_again__by_the_page(web: Client, organization: Organization) -> None:
    path = _link(organization)
    with organization_scope(organization.id):
        invitation = Invitation.objects.get()
    base = _path(organization, f"invitations/{invitation.public_id}/")
    assert "Send again" in _html(web.get(f"{base}resend/"))
    assert web.post(f"{base}resend/").status_code == 302
    assert web.get(path).status_code == 404
    assert web.post(f"{base}revoke/").status_code == 302
    assert "was withdrawn" in _html(Client().get(f"/invitations/{latest_token()}/"))


# Roles


def test_roles__own_role__made_changed_and_deleted_by_its_pages(
    web: Client, organization: Organization
) -> None:
    made = web.post(
        _path(organization, "roles/new/"), {"name": "Reviewer", "permissions": ["prompts.release"]}
    )
    assert made.status_code == 302
    with organization_scope(organization.id):
        role = CustomRole.objects.get()
    assert role.permissions == ["prompts.release", "prompts.view"]
    assert "Reviewer" in _html(web.get(_path(organization, "roles/")))
    path = _path(organization, f"roles/{role.public_id}/")
    assert "Reviewer" in _html(web.get(path))
    assert web.post(path, {"name": "Judge", "permissions": ["runs.view"]}).status_code == 302
    assert web.post(f"{path}delete/").status_code == 302
    with organization_scope(organization.id):
        assert not CustomRole.objects.exists()


def test_roles__in_use__deletion_is_refused_with_the_number(web: Client, organization: Organization) -> None:
    with organization_scope(organization.id):
        role = CustomRole.objects.create(
            organization=organization, name="Reviewer", permissions=["prompts.view"]
        )
    make_member(organization=organization, role=role.public_id)  # type: ignore[arg-type]
    response = web.post(_path(organization, f"roles/{role.public_id}/delete/"))
    assert response.status_code == 409
    assert "1 member has the role Reviewer" in _html(response)


def test_roles__above_ones_own_rights__cannot_be_made(client: Client, organization: Organization) -> None:
    client.force_login(make_member(organization=organization, role=Role.ADMIN))
    response = client.post(
        _path(organization, "roles/new/"), {"name": "Treasurer", "permissions": ["billing.manage"]}
    )
    assert response.status_code == 422


# Settings


def test_settings__renamed__is_audited(web: Client, organization: Organization) -> None:
    assert web.post(_path(organization), {"name": "Acme Ltd"}).status_code == 302
    with system_scope():
        assert AuditEvent.all_organizations.filter(action="organization.updated").count() == 1
        assert Organization.objects.get(id=organization.id).name == "Acme Ltd"


def test_leave__member__is_out(client: Client, organization: Organization) -> None:
    user = make_member(organization=organization)
    client.force_login(user)
    assert "Leave Acme?" in _html(client.get(_path(organization, "leave/")))
    assert client.post(_path(organization, "leave/")).status_code == 302
    assert client.get(_path(organization)).status_code == 404


def test_leave__last_owner__is_told_why_not(web: Client, organization: Organization) -> None:
    response = web.post(_path(organization, "leave/"))
    assert response.status_code == 409
    assert "The last owner can" in _html(response)


def test_transfer__needs_the_typed_name(web: Client, organization: Organization, owner: User) -> None:
    heir = make_member(organization=organization)
    data = {"member": _membership(heir).public_id, "typed": "acme"}
    assert web.post(_path(organization, "transfer/"), data).status_code == 422
    assert _membership(owner).role == Role.OWNER
    assert web.post(_path(organization, "transfer/"), data | {"typed": "Acme"}).status_code == 302
    assert (_membership(owner).role, _membership(heir).role) == (Role.ADMIN, Role.OWNER)


def test_transfer__by_an_admin__is_refused(client: Client, organization: Organization) -> None:
    admin = make_member(organization=organization, role=Role.ADMIN)
    client.force_login(admin)
    data = {"member": _membership(admin).public_id, "typed": "Acme"}
    assert client.post(_path(organization, "transfer/"), data).status_code == 409


# Sharing a project


def test_project_access__given_and_taken_back__by_the_page(
    web: Client, project: Project, organization: Organization
) -> None:
    viewer = make_member(organization=organization, role=Role.VIEWER)
    base = f"/{organization.slug}/{project.slug}/settings/"
    data = {"member": viewer.email.upper(), "permission": "prompts.edit"}
    assert web.post(f"{base}access/", data).status_code == 302
    page = _html(web.get(base))
    assert viewer.display_name in page
    assert "Everybody who is Owner" in page
    with organization_scope(organization.id):
        assert ProjectUserObjectPermission.objects.count() == 1
    assert web.post(f"{base}access/", data | {"action": "take"}).status_code == 302
    with organization_scope(organization.id):
        assert not ProjectUserObjectPermission.objects.exists()


@pytest.mark.parametrize(
    ("member", "permission"), [("nobody@example.com", "prompts.edit"), ("", "members.manage")]
)
def test_project_access__stranger_or_right_of_the_organization__is_refused(
    web: Client, project: Project, organization: Organization, member: str, permission: str
) -> None:
    viewer = make_member(organization=organization, role=Role.VIEWER)
    data = {"member": member or viewer.email, "permission": permission}
    base = f"/{organization.slug}/{project.slug}/settings/"
    assert web.post(f"{base}access/", data).status_code == 422


# The switch


def test_switch__on_a_page_that_others_have_too__keeps_the_kind(
    web: Client, project: Project, organization: Organization, owner: User
) -> None:
    make_project(organization=organization, name="Second")
    other = make_organization(name="Zeta", owner=owner)
    members = _html(web.get(_path(organization, "members/")))
    assert f'href="/{other.slug}/settings/members/"' in members
    keys = _html(web.get(f"/{organization.slug}/{project.slug}/settings/keys/"))
    assert f'href="/{organization.slug}/second/settings/keys/"' in keys
    assert f'href="/{other.slug}/?page=tenants%3Akeys"' in keys
    led = web.get(f"/{other.slug}/?page=tenants:keys")
    assert led["Location"] == f"/{other.slug}/default/settings/keys/"


@pytest.mark.parametrize(
    "page", ["nothing:here", "https://evil.example", "account_logout", "tenants:key", ""]
)
def test_start__unknown_page__leads_home(web: Client, organization: Organization, page: str) -> None:
    led = web.get(f"/{organization.slug}/", {"page": page})
    assert led["Location"] == f"/{organization.slug}/default/"
