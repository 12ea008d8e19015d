"""``/api/v1/``: members, invitations, roles, grants."""

import json
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.core.scope import organization_scope
from apps.tenants.models import CustomRole, Membership, Project
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_member, make_project, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def _call(client: Client, project: Project, method: str, path: str, body: Any = None) -> Any:
    return client.generic(
        method,
        f"/api/v1/{path}",
        "" if body is None else json.dumps(body),
        "application/json",
        headers={"Promptsaas-Project": project.public_id},
    )


def _member(project: Project, role: Role = Role.VIEWER) -> Membership:
    user = make_member(organization=project.organization, role=role)
    with organization_scope(project.organization_id):
        return Membership.objects.select_related("user").get(user=user)


def test_members__listed_changed_and_removed(owner: Client, project: Project) -> None:
    member = _member(project)
    listed = _call(owner, project, "GET", f"members?search={member.user.email}").json()["data"]
    assert [each["id"] for each in listed] == [member.public_id]
    assert (listed[0]["role"], listed[0]["second_factor"]) == ("viewer", False)
    changed = _call(owner, project, "PATCH", f"members/{member.public_id}", {"role": "editor"})
    assert changed.json()["role"] == "editor"
    assert _call(owner, project, "DELETE", f"members/{member.public_id}").status_code == 204
    assert _call(owner, project, "GET", f"members/{member.public_id}").status_code == 404


def test_member__last_owner__is_a_conflict(owner: Client, project: Project) -> None:
    with organization_scope(project.organization_id):
        only = Membership.objects.get()
    answer = _call(owner, project, "DELETE", f"members/{only.public_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "last_owner")


def test_members__by_key__are_read_and_never_changed(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/members", headers=headers).status_code == 200
    answer = client.delete(f"/api/v1/members/{_member(project).public_id}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_missing")
    assert answer.json()["error"]["permission"] == "members.manage"


def test_invitation__made_sent_again_and_withdrawn(owner: Client, project: Project) -> None:
    made = _call(owner, project, "POST", "invitations", {"email": "ada@example.com", "role": "editor"})
    assert made.status_code == 201
    body = made.json()
    assert (body["status"], body["email"]) == ("open", "ada@example.com")
    assert _call(owner, project, "POST", f"invitations/{body['id']}/resend").status_code == 200
    assert len(mail.outbox) == 2
    links = {message.body.split("/invitations/")[1][:43] for message in mail.outbox}
    assert len(links) == 2
    assert not any(link in made.content.decode() for link in links)
    assert _call(owner, project, "DELETE", f"invitations/{body['id']}").json()["status"] == "revoked"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"email": "nonsense", "role": "editor"}, 400, "email"),
        ({"email": "a@example.com", "role": "king"}, 400, "role"),
        ({"email": "a@example.com"}, 400, "role"),
    ],
)
def test_invitation__bad_value__names_it(
    owner: Client, project: Project, body: Any, status: int, param: str
) -> None:
    answer = _call(owner, project, "POST", "invitations", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert not mail.outbox


def test_role__made_changed_given_and_kept_while_in_use(owner: Client, project: Project) -> None:
    made = _call(owner, project, "POST", "roles", {"name": "Reviewer", "permissions": ["prompts.release"]})
    assert made.status_code == 201
    role = made.json()["id"]
    assert made.json()["permissions"] == ["prompts.release", "prompts.view"]
    member = _member(project)
    assert (
        _call(owner, project, "PATCH", f"members/{member.public_id}", {"role": role}).json()["role_name"]
        == "Reviewer"
    )
    answer = _call(owner, project, "DELETE", f"roles/{role}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "role_in_use")
    changed = _call(owner, project, "PATCH", f"roles/{role}", {"description": "Reads."})
    assert (changed.json()["description"], changed.json()["name"]) == ("Reads.", "Reviewer")
    with organization_scope(project.organization_id):
        assert CustomRole.objects.count() == 1


def test_grant__given_and_taken_back(owner: Client, project: Project) -> None:
    member = _member(project)
    body = {"member": member.public_id, "permission": "prompts.edit"}
    made = _call(owner, project, "POST", "grants", body)
    again = _call(owner, project, "POST", "grants", body)
    assert (made.status_code, made.json()["id"]) == (201, again.json()["id"])
    assert len(_call(owner, project, "GET", "grants").json()["data"]) == 1
    assert _call(owner, project, "DELETE", f"grants/{made.json()['id']}").status_code == 204
    assert _call(owner, project, "GET", "grants").json()["data"] == []


def test_grant__of_the_organization_or_to_a_stranger__is_refused(owner: Client, project: Project) -> None:
    foreign = _member(make_project())
    answers = [
        _call(owner, project, "POST", "grants", body).status_code
        for body in (
            {"member": _member(project).public_id, "permission": "members.manage"},
            {"member": foreign.public_id, "permission": "prompts.edit"},
        )
    ]
    assert answers == [400, 400]
