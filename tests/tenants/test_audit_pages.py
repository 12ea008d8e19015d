"""The audit log by page and API: filters, erased people, hostile values, files, cost."""

import csv
import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.audit import services as audit
from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditEvent
from apps.core.scope import organization_scope
from apps.tenants.models import Project, User
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_member, make_project, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(project: Project, client: Client) -> User:
    user = owner_of(project.organization)
    client.force_login(user)
    return user


def _log(project: Project) -> str:
    return f"/{project.organization.slug}/settings/audit/"


def _record(project: Project, number: int = 1, **given: Any) -> AuditEvent:
    actor = Actor(kind="user", id=uuid4(), role="editor", display="Eve", ip="203.0.113.7", request_id="req_x")
    event: dict[str, Any] = {"actor": actor, "action": "thing.changed", "changes": {"size": (1, 2)}} | given
    with organization_scope(project.organization_id):
        for _ in range(number):
            row = audit.record(organization_id=project.organization_id, **event)
    return row


def _count(client: Client, address: str) -> int:
    return client.get(address).text.count('data-testid="audit-event"')


def test_list__click_on_a_value__shows_only_its_events(client: Client, owner: User, project: Project) -> None:
    event = _record(project)
    _record(project)
    log = _log(project)
    everything = _count(client, log)
    page = client.get(f"{log}?action=thing.changed").text
    assert page.count('data-testid="audit-event"') == 2
    person = f"usr_{_encoded(event)}"
    assert f"actor={person}" in page
    assert _count(client, f"{log}?action=thing.changed&actor={person}") == 1
    assert _count(client, f"{log}?outcome=refused") == 0
    assert _count(client, f"{log}?actor=system") == everything - 2
    assert _count(client, f"{log}?object={project.public_id}") == 1
    assert _count(client, f"{log}?actor=usr_nobody") == 0


def _encoded(event: AuditEvent) -> str:
    owner = User(id=event.actor_id)
    return owner.public_id.removeprefix("usr_")


@pytest.mark.parametrize(
    "query", ["from=2026-13-40", "from=0001-01-01&to=9999-12-31", "outcome=other", "actor=%00", "after=zzz"]
)
def test_list__odd_parameters__are_answered(
    client: Client, owner: User, project: Project, query: str
) -> None:
    assert client.get(f"{_log(project)}?{query}").status_code in {200, 400}


def test_event__person_erased__stays_without_name_and_address(
    client: Client, owner: User, project: Project
) -> None:
    event = _record(project, personal_changes={"email": ("a@example.com", "b@example.com")})
    address = f"{_log(project)}{event.public_id}/"
    page = client.get(address).text
    assert all(words in page for words in ("Eve", "203.0.113.7", "a@example.com", "req_x"))
    assert event.actor_id is not None
    with organization_scope(project.organization_id):
        audit.erase_person(actor=SYSTEM, subject_id=event.actor_id, organization_id=project.organization_id)
    page = client.get(address).text
    assert not any(words in page for words in ("Eve", "203.0.113.7", "a@example.com"))
    assert page.count("erased") == 2


def test_event__long_values__are_shown_whole_at_its_address(
    client: Client, owner: User, project: Project
) -> None:
    event = _record(project, changes={"text": ("old " * 100, "<script>alert(1)</script>" * 20)})
    page = client.get(f"{_log(project)}{event.public_id}/").text
    assert "old " * 100 in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_event__of_another_organization__is_not_found(client: Client, owner: User, project: Project) -> None:
    event = _record(make_project())
    assert client.get(f"{_log(project)}{event.public_id}/").status_code == 404
    assert client.get(f"{_log(project)}none/").status_code == 404


def test_list__fifty_instead_of_one__costs_the_same(
    client: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    client.get(_log(project))
    with django_assert_max_num_queries(16) as few:
        client.get(_log(project))
    _record(project, 60)
    with django_assert_max_num_queries(16) as many:
        assert _count(client, _log(project)) == 50
    assert len(few) == len(many)


def test_file__formula_in_a_name__is_defused(client: Client, owner: User, project: Project) -> None:
    actor = Actor(kind="user", id=uuid4(), role="editor", display="=1+1", ip=None)
    _record(project, actor=actor)
    response: Any = client.get(f"{_log(project)}?action=thing.changed&export=csv")
    rows = list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))
    assert [row["who"] for row in rows] == ["'=1+1"]
    assert json.loads(rows[0]["changes"]) == {"size": [1, 2]}


def test_viewer__log__is_refused_and_prompts_do_not_link_to_it(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    assert client.get(_log(project)).status_code == 403


def test_api__events__filtered_by_page_and_by_id(client: Client, owner: User, project: Project) -> None:
    _record(project, 3)
    headers = {"Promptsaas-Project": project.public_id}
    first = client.get("/api/v1/audit_events?action=thing.changed&limit=2", headers=headers).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    following = f"/api/v1/audit_events?action=thing.changed&starting_after={first['next_cursor']}"
    second = client.get(following, headers=headers).json()
    assert (len(second["data"]), second["has_more"]) == (1, False)
    event = second["data"][0]
    assert (event["actor"]["name"], event["ip"], event["request_id"]) == ("Eve", "203.0.113.7", "req_x")
    assert event["changes"] == [{"field": "size", "before": 1, "after": 2, "erased": False}]
    assert client.get(f"/api/v1/audit_events/{event['id']}", headers=headers).json() == event


@pytest.mark.parametrize(
    ("query", "param"),
    [("outcome=x", "outcome"), ("since=yesterday", "since"), ("until=2026-11-17T00:00:00", "until")],
)
def test_api__bad_filter__is_refused_naming_it(
    client: Client, owner: User, project: Project, query: str, param: str
) -> None:
    answer = client.get(f"/api/v1/audit_events?{query}", headers={"Promptsaas-Project": project.public_id})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_api__key_of_an_owner__may_not(owner: User, project: Project) -> None:
    _, token = make_api_key(project=project)
    answer = Client().get("/api/v1/audit_events", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
