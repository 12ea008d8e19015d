"""The API of tenants, and what the base view does for every API."""

import json
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.models import AuditEvent
from apps.core import ids
from apps.core.scope import organization_scope, system_scope
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import APIKey, Project
from apps.tenants.roles import Permission, Role, Scope
from tests.factories import make_api_key, make_member, make_organization, make_project, make_user, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Session:
    """Our own pages' way in: a signed-in client that names its project and sends the CSRF token."""

    def __init__(self, project: Project, role: Role | None = None) -> None:
        organization = project.organization
        user = make_member(organization=organization, role=role) if role else owner_of(organization)
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)
        self.client.get("/new/")
        self.headers = {
            "Promptsaas-Project": project.public_id,
            "X-CSRFToken": self.client.cookies["csrf"].value,
        }

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            data=_json(body),
            content_type="application/json",
            headers=self.headers | headers,
        )


def _json(body: Any) -> str:
    return "" if body is None else json.dumps(body)


def _error(response: Any) -> tuple[int, str, str]:
    error = response.json()["error"]
    assert error["request_id"] == response["Request-Id"]
    return response.status_code, error["type"], error["code"]


def test_api_view__method_without_permission__cannot_be_made() -> None:
    with pytest.raises(ImproperlyConfigured):

        class _Forgetful(ProjectAPIView):
            permissions: ClassVar = {}

            def get(self, request: Request) -> Response:
                return Response()


def test_me__key__names_project_and_permissions(client: Client, project: Project) -> None:
    key, token = make_api_key(project=project, scopes=(Scope.RUN,), name="Checkout")
    body = client.get("/api/v1/me", headers=_bearer(token)).json()
    assert body["actor"] == {"kind": "api_key", "id": key.public_id, "name": "Checkout"}
    assert body["project"]["id"] == project.public_id
    assert body["organization"]["id"] == ids.encode("org", project.organization_id)
    assert body["permissions"] == ["batches.run", "runs.create"]
    assert body["livemode"] is True


def test_me__no_credentials__asks_for_a_key(client: Client) -> None:
    response = client.get("/api/v1/me")
    assert _error(response) == (401, "authentication_error", "api_key_missing")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Basic abc", "api_key_missing"),
        ("Bearer", "api_key_malformed"),
        ("Bearer x", "api_key_malformed"),
        ("Bearer ' OR 1=1 --", "api_key_malformed"),
        ("Bearer psk_live_" + "a" * 5000, "api_key_malformed"),
    ],
)
def test_me__bad_header__is_refused(client: Client, header: str, code: str) -> None:
    assert _error(client.get("/api/v1/me", headers={"Authorization": header})) == (
        401,
        "authentication_error",
        code,
    )


def test_me__guessing__is_slowed_down(client: Client) -> None:
    statuses = [client.get("/api/v1/me", headers=_bearer("x")).status_code for _ in range(61)]
    assert statuses == [401] * 60 + [429]


def test_me__answer__carries_the_limit(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    response = client.get("/api/v1/me", headers=_bearer(token))
    assert (response["RateLimit-Limit"], response["RateLimit-Remaining"]) == ("1200", "1199")


def test_me__session_without_project__is_told_the_header(client: Client, project: Project) -> None:
    client.force_login(owner_of(project.organization))
    response = client.get("/api/v1/me")
    assert _error(response) == (400, "invalid_request_error", "invalid_request")
    assert response.json()["error"]["param"] == "Promptsaas-Project"


def test_me__session_of_a_stranger__finds_no_project(client: Client, project: Project) -> None:
    client.force_login(make_user())
    response = client.get("/api/v1/me", headers={"Promptsaas-Project": project.public_id})
    assert _error(response)[0] == 404


def test_create_project__session_without_csrf__is_refused(project: Project) -> None:
    session = Session(project)
    del session.headers["X-CSRFToken"]
    assert _error(session.send("POST", "projects", {"name": "Sales"})) == (
        403,
        "permission_error",
        "csrf_failed",
    )


def test_organization__key__is_its_own(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    body = client.get("/api/v1/organization", headers=_bearer(token)).json()
    assert (body["object"], body["slug"]) == ("organization", project.organization.slug)


def test_projects__key_and_person__see_one_and_all(client: Client, project: Project) -> None:
    make_project(organization=project.organization, name="Other")
    _, token = make_api_key(project=project)
    by_key = client.get("/api/v1/projects", headers=_bearer(token)).json()
    assert [each["id"] for each in by_key["data"]] == [project.public_id]
    assert len(Session(project).send("GET", "projects").json()["data"]) == 2


def test_create_project__owner__makes_it(project: Project) -> None:
    response = Session(project).send("POST", "projects", {"name": "Sales"})
    assert (response.status_code, response.json()["slug"]) == (201, "sales")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": ["x"]}, [], "x"])
def test_create_project__bad_body__is_refused(project: Project, body: Any) -> None:
    assert Session(project).send("POST", "projects", body).status_code == 400


def test_create_project__key_of_every_scope__may_not(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    response = client.post(
        "/api/v1/projects", {"name": "x"}, content_type="application/json", headers=_bearer(token)
    )
    assert _error(response) == (403, "permission_error", "permission_missing")


@pytest.mark.django_db(transaction=True)
def test_create_key__refused__is_audited(client: Client, project: Project) -> None:
    key, token = make_api_key(project=project)
    client.post("/api/v1/keys", {}, content_type="application/json", headers=_bearer(token))
    with system_scope():
        event = AuditEvent.all_organizations.get(outcome=AuditEvent.Outcome.REFUSED)
    assert (event.action, event.actor_id) == ("access.refused", key.id)


def test_create_key__person__gets_the_secret_this_once(client: Client, project: Project) -> None:
    session = Session(project)
    made = session.send("POST", "keys", {"name": "Checkout", "scopes": ["run"], "livemode": False})
    assert made.status_code == 201
    body = made.json()
    assert client.get("/api/v1/me", headers=_bearer(body["secret"])).json()["livemode"] is False
    read = session.send("GET", f"keys/{body['id']}").json()
    assert "secret" not in read
    assert read["scopes"] == ["run"]
    assert read["created_by"].startswith("usr_")


def test_create_key__wider_than_its_maker__is_refused_and_leaves_nothing(project: Project) -> None:
    session = Session(project, Role.DEVELOPER)
    with organization_scope(project.organization_id):
        before = APIKey.objects.count()
    past = (timezone.now() - timedelta(days=1)).isoformat()
    response = session.send("POST", "keys", {"name": "x", "scopes": ["run"], "expires_at": past})
    assert _error(response)[:2] == (400, "invalid_request_error")
    with organization_scope(project.organization_id):
        assert APIKey.objects.count() == before


def test_list_keys__pages__walk_through_all(client: Client, project: Project) -> None:
    made = [make_api_key(project=project)[0].public_id for _ in range(5)]
    make_api_key(project=make_project(organization=project.organization, name="Other"))
    _, own = make_api_key(project=project, scopes=(Scope.READ,))
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        body = client.get(f"/api/v1/keys?limit=2{cursor}", headers=_bearer(own)).json()
        seen += [each["id"] for each in body["data"]]
        cursor = f"&starting_after={body['next_cursor']}"
    assert seen[1:] == made[::-1]
    assert body["has_more"] is False


def test_revoke_key__deleted__is_refused_from_then_on(client: Client, project: Project) -> None:
    key, token = make_api_key(project=project)
    response = Session(project).send("DELETE", f"keys/{key.public_id}")
    assert response.json()["revoked_at"] is not None
    assert _error(client.get("/api/v1/me", headers=_bearer(token))) == (
        401,
        "authentication_error",
        "api_key_revoked",
    )


@pytest.mark.parametrize("foreign", [True, False])
def test_get_key__of_another_project_or_organization__is_not_found(project: Project, foreign: bool) -> None:
    organization = make_organization() if foreign else project.organization
    key, _ = make_api_key(project=make_project(organization=organization, name="Other"))
    session = Session(project)
    for method in ("GET", "DELETE"):
        assert _error(session.send(method, f"keys/{key.public_id}"))[0] == 404


def test_api__unknown_method__is_not_allowed(client: Client, project: Project) -> None:
    _, token = make_api_key(project=project)
    assert _error(client.put("/api/v1/me", headers=_bearer(token)))[0] == 405


class _Breaking(ProjectAPIView):
    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    def post(self, request: Request) -> Response:
        Project.objects.create(organization=self.organization, name="Half", slug="half")
        raise RuntimeError("broken on the way")


@pytest.mark.django_db(transaction=True)
def test_api__handler_breaks__takes_back_what_it_wrote(project: Project, rf: Any) -> None:
    _, token = make_api_key(project=project)
    request = rf.post("/api/v1/x", {}, content_type="application/json", headers=_bearer(token))
    response = _Breaking.as_view()(request)
    assert response.status_code == 500
    with organization_scope(project.organization_id):
        assert not Project.objects.filter(slug="half").exists()


def test_api__same_idempotency_key__has_one_effect_and_one_answer(project: Project) -> None:
    session = Session(project)
    first, second = (
        session.send("POST", "projects", {"name": "Sales"}, **{"Idempotency-Key": "abc"}) for _ in range(2)
    )
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.headers.get("Idempotent-Replayed"), second["Idempotent-Replayed"]) == (None, "true")
    with organization_scope(project.organization_id):
        assert Project.objects.filter(name="Sales").count() == 1


def test_api__idempotency_key_with_another_body__is_refused(project: Project) -> None:
    session = Session(project)
    session.send("POST", "projects", {"name": "Sales"}, **{"Idempotency-Key": "abc"})
    response = session.send("POST", "projects", {"name": "Support"}, **{"Idempotency-Key": "abc"})
    assert _error(response)[:2] == (409, "idempotency_error")


def test_api__refused_body_with_an_idempotency_key__stores_nothing(project: Project) -> None:
    session = Session(project)
    assert session.send("POST", "projects", {}, **{"Idempotency-Key": "abc"}).status_code == 400
    response = session.send("POST", "projects", {"name": "Sales"}, **{"Idempotency-Key": "abc"})
    assert response.status_code == 201
