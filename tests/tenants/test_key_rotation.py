"""API keys by API: rotate and change; who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.core.errors import InvalidRequest
from apps.tenants.models import Project
from apps.tenants.networks import allows, checked_networks
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_project, owner_of


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ((), None, True),
        (("203.0.113.0/24",), "203.0.113.255", True),
        (("203.0.113.0/24",), "203.0.114.0", False),
        (("203.0.113.0/24",), None, False),
        (("2001:db8::/32",), "2001:db8:1::1", True),
        (("2001:db8::/32",), "203.0.113.1", False),
        (("203.0.113.7/32", "198.51.100.0/24"), "198.51.100.4", True),
    ],
)
def test_allows__address__by_any_network(
    networks: tuple[str, ...], address: str | None, expected: bool
) -> None:
    assert allows(networks, address) is expected


def test_checked_networks__written_in_many_ways__are_short_and_distinct() -> None:
    given = [" 10.1.2.3/8 ", "", "10.0.0.0/8", "203.0.113.7", "2001:DB8::/32"]
    assert checked_networks(given) == ["10.0.0.0/8", "203.0.113.7/32", "2001:db8::/32"]


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.com", "10.0.0", "::/129", "1" * 100])
def test_checked_networks__none_at_all__is_named(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_networks([text])
    assert refused.value.param == "allowed_networks"


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def session(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def call(client: Client, method: str, path: str, project: Project, **body: Any) -> Any:
    return getattr(client, method)(
        f"/api/v1/keys/{path}",
        body,
        content_type="application/json",
        headers={"Promptsaas-Project": project.public_id},
    )


@pytest.mark.django_db
def test_rotate__by_a_person__gives_a_new_secret_and_an_end(session: Client, project: Project) -> None:
    key, token = make_api_key(project=project)
    answer = call(session, "post", f"{key.public_id}/rotate", project, overlap_seconds=60)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    assert made["secret"].startswith("psk_live_")
    assert made["secret"] != token
    old = session.get(
        f"/api/v1/keys/{key.public_id}", headers={"Promptsaas-Project": project.public_id}
    ).json()
    assert old["replaced_by"] == made["id"]
    assert "secret" not in old
    again = call(session, "post", f"{key.public_id}/rotate", project)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "api_key_replaced")


@pytest.mark.django_db
@pytest.mark.parametrize("overlap", [-1, 604_801, "soon"])
def test_rotate__other_overlap__names_the_field(session: Client, project: Project, overlap: Any) -> None:
    key, _ = make_api_key(project=project)
    answer = call(session, "post", f"{key.public_id}/rotate", project, overlap_seconds=overlap)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "overlap_seconds")


@pytest.mark.django_db
def test_rotate__ended_key__is_a_conflict(session: Client, project: Project) -> None:
    key, _ = make_api_key(project=project, expires_at=timezone.now() + timedelta(days=1))
    call(session, "delete", key.public_id, project)
    answer = call(session, "post", f"{key.public_id}/rotate", project)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "api_key_ended")


@pytest.mark.django_db
def test_patch__name_and_networks__are_changed(session: Client, project: Project) -> None:
    key, _ = make_api_key(project=project)
    answer = call(session, "patch", key.public_id, project, name="New", allowed_networks=["10.0.0.1"])
    assert (answer.json()["name"], answer.json()["allowed_networks"]) == ("New", ["10.0.0.1/32"])
    bad = call(session, "patch", key.public_id, project, allowed_networks=["nowhere"])
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "allowed_networks")


@pytest.mark.django_db
def test_rotate__by_a_key__is_refused(project: Project) -> None:
    key, token = make_api_key(project=project, scopes=tuple(Scope))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    for method, path in (("post", f"{key.public_id}/rotate"), ("patch", key.public_id)):
        assert call(client, method, path, project).status_code == 403
