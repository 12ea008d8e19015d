"""Pages: who sees them, what they do."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.core import ids
from apps.core.scope import organization_scope, system_scope
from apps.tenants.models import APIKey, Organization, Project, User
from apps.tenants.roles import Permission, Role, Scope
from apps.tenants.slugs import RESERVED_ORGANIZATIONS, RESERVED_PROJECTS, TRIES
from apps.tenants.web.base import ProjectView
from tests.access.matrix import found_routes
from tests.factories import make_api_key, make_member, make_organization, make_project, make_user, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(project: Project) -> User:
    return owner_of(project.organization)


@pytest.fixture
def web(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def _keys_path(project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/settings/keys/{rest}"


def _refusals() -> list[str]:
    with system_scope():
        found = AuditEvent.all_organizations.filter(outcome=AuditEvent.Outcome.REFUSED)
        return [str(event.changes) for event in found]


def test_view_class__method_without_permission__cannot_be_made() -> None:
    with pytest.raises(ImproperlyConfigured, match="POST"):

        class _Forgetful(ProjectView):
            permissions = {"GET": Permission.PROMPTS_VIEW}

            def get(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse()

            def post(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse()


def test_view_class__without_any_permission__cannot_be_made() -> None:
    with pytest.raises(ImproperlyConfigured):

        class _Open(ProjectView):
            def get(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse()


def test_page__anonymous__is_sent_to_sign_in_and_back(client: Client, project: Project) -> None:
    response = client.get(_keys_path(project))
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={_keys_path(project)}"


def test_page__anonymous_htmx__is_told_by_a_header(client: Client, project: Project) -> None:
    response = client.get(_keys_path(project), headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Redirect"]) == (401, "/accounts/login/")


def test_page__stranger__gets_the_same_as_for_nothing(client: Client, project: Project) -> None:
    client.force_login(make_user())
    missing = client.get("/no-such-organization/default/settings/keys/")
    foreign = client.get(_keys_path(project))
    assert (missing.status_code, foreign.status_code) == (404, 404)
    without_id = [re.sub(rb"req_\w+", b"", response.content) for response in (missing, foreign)]
    assert without_id[0] == without_id[1]


def test_page__member_without_the_right__is_told_who_can_grant_it(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    make_member(organization=project.organization, role=Role.ADMIN, user=make_user(name="Grace Hopper"))
    response = client.get(_keys_path(project))
    assert response.status_code == 403
    assert "Grace Hopper" in response.text
    assert "keys.view" in response.text


@pytest.mark.django_db(transaction=True)
def test_page__refused__is_audited(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    client.post(_keys_path(project, "new/"), {"name": "x"})
    assert ["keys.manage is missing for POST" in refusal for refusal in _refusals()] == [True]


def test_page__unknown_method__is_not_allowed(web: Client, project: Project) -> None:
    assert web.post(_keys_path(project)).status_code == 405
    assert web.options(_keys_path(project)).status_code == 405


def test_start__new_user__names_an_organization_and_lands_in_its_project(client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/")["Location"] == "/new/"
    assert "Name your organization" in client.get("/new/").text
    response = client.post("/new/", {"name": "Acme Support"})
    assert response["Location"] == "/acme-support/"
    assert client.get("/acme-support/")["Location"] == "/acme-support/default/"
    assert client.get("/")["Location"] == "/acme-support/default/"


def test_new_organization__without_name__keeps_the_form(client: Client) -> None:
    client.force_login(make_user())
    assert client.post("/new/", {"name": " "}).status_code == 422
    with system_scope():
        assert not Organization.objects.exists()


def test_new_project__named__opens_it(web: Client, project: Project) -> None:
    response = web.post(f"/{project.organization.slug}/new/", {"name": "Sales"})
    assert response["Location"] == f"/{project.organization.slug}/sales/"


def test_theme__chosen__is_stored_and_drawn_by_the_server(web: Client, owner: User) -> None:
    response = web.post("/theme/", {"theme": "dark", "next": "/new/"})
    assert response["Location"] == "/new/"
    assert 'data-theme="dark"' in web.get("/new/").text


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "0", "tenants:start", "javascript:1"],
)
def test_theme__next_that_is_no_path_of_ours__goes_home(web: Client, place: str) -> None:
    assert web.post("/theme/", {"theme": "", "next": place})["Location"] == "/"


def test_theme__unknown__is_refused(web: Client) -> None:
    assert web.post("/theme/", {"theme": "pink"}).status_code == 400


def test_keys__none__explains(web: Client, project: Project) -> None:
    assert "No API keys yet" in web.get(_keys_path(project)).text


def test_keys__some__shows_masks_scopes_and_states(web: Client, project: Project) -> None:
    key, token = make_api_key(project=project, scopes=(Scope.READ,), name="Checkout")
    expired, _ = make_api_key(project=project, expires_at=timezone.now() + timedelta(days=1))
    with organization_scope(project.organization_id):
        APIKey.objects.filter(id=expired.id).update(expires_at=timezone.now())
    page = web.get(_keys_path(project)).text
    assert key.masked in page
    assert token not in page
    assert ("Checkout" in page, "Active" in page, "Expired" in page) == (True, True, True)


def test_keys__ten_instead_of_one__costs_the_same(web: Client, project: Project) -> None:
    def queries() -> int:
        with CaptureQueries() as captured:
            assert web.get(_keys_path(project)).status_code == 200
        return captured.count

    make_api_key(project=project)
    # The first page of a session also notes where it is used.
    queries()
    one = queries()
    for _ in range(9):
        make_api_key(project=project)
    assert queries() == one
    assert one <= 20


class CaptureQueries:
    """Counts the statements of a block."""

    count = 0

    def __enter__(self) -> "CaptureQueries":
        self._wrapper = connection.execute_wrapper(self._count)
        self._wrapper.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._wrapper.__exit__(*problem)  # type: ignore[arg-type]

    def _count(self, execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        self.count += 1
        return execute(sql, params, many, context)


def test_new_key__made__shows_the_secret_once(web: Client, project: Project) -> None:
    form = {"name": "Checkout", "livemode": "test", "scopes": ["read", "run"], "lifetime": "30"}
    response = web.post(_keys_path(project, "new/"), form)
    token = re.search(r"psk_test_\w+", response.text)
    assert token is not None
    assert response["Cache-Control"] == "no-store"
    assert f"Bearer {token[0]}" in response.text
    assert token[0] not in web.get(_keys_path(project)).text
    answer = web.get("/api/v1/me", headers={"Authorization": f"Bearer {token[0]}"})
    assert answer.json()["livemode"] is False


def test_new_key__no_scope__keeps_the_form(web: Client, project: Project) -> None:
    response = web.post(_keys_path(project, "new/"), {"name": "x", "livemode": "live", "lifetime": "never"})
    assert response.status_code == 422
    assert "Choose at least one." in response.text


def test_revoke_key__confirmed__ends_it(web: Client, project: Project) -> None:
    key, _ = make_api_key(project=project, name="Checkout")
    path = _keys_path(project, f"{key.public_id}/revoke/")
    assert "Revoke Checkout?" in web.get(path).text
    assert web.post(path)["Location"] == _keys_path(project)
    page = web.get(_keys_path(project)).text
    assert ("Revoked" in page, "no longer works" in page) == (True, True)


@pytest.mark.parametrize("text", ["nonsense", ids.encode("key", UUID(int=1))])
def test_revoke_key__unknown_id__is_not_found(web: Client, project: Project, text: str) -> None:
    assert web.post(_keys_path(project, f"{text}/revoke/")).status_code == 404


def test_revoke_key__of_another_project__is_not_found(web: Client, project: Project) -> None:
    other = make_project(organization=project.organization, name="Other")
    key, _ = make_api_key(project=other)
    assert web.post(_keys_path(project, f"{key.public_id}/revoke/")).status_code == 404
    foreign, _ = make_api_key(project=make_project(organization=make_organization()))
    assert web.post(_keys_path(project, f"{foreign.public_id}/revoke/")).status_code == 404


def test_new_organization__every_address_taken__keeps_the_form(client: Client) -> None:
    for _ in range(TRIES - 1):
        make_organization(name="Acme")
    client.force_login(make_user())
    response = client.post("/new/", {"name": "Acme"})
    assert response.status_code == 422
    assert "choose another" in response.text


def test_reserved_words__cover__every_first_segment_of_our_own() -> None:
    first = {found.path.partition("/")[0] for found in found_routes()}
    own = {segment for segment in first if segment and not segment.startswith(("<", "^"))}
    assert own | {"admin", "v1", "static"} <= RESERVED_ORGANIZATIONS


def test_reserved_words__cover__every_second_segment_of_an_organizations_pages() -> None:
    organization = "<slug:organization>/"
    rest = {found.path.removeprefix(organization) for found in found_routes() if organization in found.path}
    own = {path.partition("/")[0] for path in rest if path and not path.startswith("<")}
    assert own <= RESERVED_PROJECTS
