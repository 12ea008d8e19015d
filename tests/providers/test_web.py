"""The pages of provider connections, without JavaScript."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.scope import organization_scope
from apps.providers import queries
from apps.providers.models import PriceOverride, ProviderCredential
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import (
    make_connection,
    make_content,
    make_member,
    make_price,
    make_project,
    make_prompt,
    owner_of,
)
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db

KEY = "sk-secret-0123456789abcdef"
NEW = {
    "name": "openai",
    "base_url": "https://api.openai.com/v1",
    "api_key": KEY,
    "models": "gpt-4o\ngpt-4o-mini",
}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def address(project: Project, *parts: str) -> str:
    return "/".join([f"/{project.organization.slug}/{project.slug}/settings/providers", *parts, ""])


def stored(project: Project) -> ProviderCredential:
    with organization_scope(project.organization_id):
        return ProviderCredential.objects.get()


def test_list__no_connection__shows_the_sandbox_models(web: Client, project: Project) -> None:
    page = web.get(address(project)).content.decode()
    assert "No connections yet" in page
    assert "sandbox/standard" in page
    assert "made up, never billed" in web.get(address(project, "prices")).content.decode()


def test_new__filled_form__saves_and_shows_a_masked_key(web: Client, project: Project) -> None:
    response = web.post(address(project, "new"), NEW, follow=True)
    page = response.content.decode()
    assert response.redirect_chain[0][0] == address(project)
    assert "••••cdef" in page
    assert KEY not in page
    assert "openai/gpt-4o-mini" in page


def test_new__bad_values__shows_each_at_its_field_and_never_the_key(web: Client, project: Project) -> None:
    response = web.post(address(project, "new"), NEW | {"base_url": "http://10.0.0.1/v1"})
    assert response.status_code == 422
    page = response.content.decode()
    assert "Only https addresses can be called." in page
    assert KEY not in page
    assert "has no colon" in web.post(address(project, "new"), NEW | {"headers": "x"}).content.decode()


def test_new__empty_key__is_for_servers_that_ask_for_none(web: Client, project: Project) -> None:
    assert web.post(address(project, "new"), NEW | {"api_key": ""}).status_code == 302
    with organization_scope(project.organization_id):
        assert queries.load_connection(project.id, "openai").api_key == ""


def test_edit__new_address_and_no_key_asked__needs_none(web: Client, project: Project) -> None:
    found = make_connection(project=project, api_key=KEY)
    given = {"base_url": "https://other.example.com/v1", "keyless": "on"}
    assert web.post(address(project, found.public_id), given).status_code == 302
    with organization_scope(project.organization_id):
        assert queries.load_connection(project.id, found.name).api_key == ""


def test_edit__new_address_without_key__asks_for_the_key(web: Client, project: Project) -> None:
    found = make_connection(project=project)
    response = web.post(address(project, found.public_id), {"base_url": "https://evil.example/v1"})
    assert response.status_code == 422
    assert "Enter the key again" in response.content.decode()
    assert stored(project).base_url == "https://api.openai.com/v1"


def test_edit__models__keeps_key_and_headers(web: Client, project: Project) -> None:
    found = make_connection(project=project, api_key=KEY, headers={"X-Team": "blue"})
    assert "blue" not in web.get(address(project, found.public_id)).content.decode()
    given = {"base_url": found.base_url, "models": "gpt-4o"}
    assert web.post(address(project, found.public_id), given).status_code == 302
    with organization_scope(project.organization_id):
        loaded = queries.load_connection(project.id, found.name)
    assert (loaded.api_key, loaded.headers, loaded.models) == (KEY, {"X-Team": "blue"}, ("gpt-4o",))


def test_edit__remove_headers_with_the_key__removes_them(web: Client, project: Project) -> None:
    found = make_connection(project=project, headers={"X-Team": "blue"})
    given = {"base_url": found.base_url, "api_key": KEY, "drop_headers": "on"}
    assert web.post(address(project, found.public_id), given).status_code == 302
    assert stored(project).header_names == []


def test_test__failing_provider__shows_its_own_message(
    web: Client, project: Project, fake_provider: FakeProvider
) -> None:
    found = make_connection(project=project, base_url=fake_provider.base_url, models=("bad-request",))
    page = web.post(address(project, found.public_id, "test"), follow=True).content.decode()
    assert "temperature must be below 2." in page


def test_delete__asked_then_confirmed__is_gone(web: Client, project: Project) -> None:
    found = make_connection(project=project)
    assert f"Delete {found.name}?" in web.get(address(project, found.public_id, "delete")).content.decode()
    web.post(address(project, found.public_id, "delete"))
    with organization_scope(project.organization_id):
        assert not ProviderCredential.objects.exists()


def test_pages__viewer__reads_but_changes_nothing(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    found = make_connection(project=project)
    page = client.get(address(project)).content.decode()
    assert "Add connection" not in page
    assert "Delete" not in page
    assert client.get(address(project, "new")).status_code == 403
    assert client.post(address(project, found.public_id, "test")).status_code == 403


def test_pages__other_projects_connection__is_not_found(web: Client, project: Project) -> None:
    found = make_connection(project=make_project())
    assert web.get(address(project, found.public_id)).status_code == 404


def test_list__one_or_ten_connections__costs_the_same(web: Client, project: Project) -> None:
    counts = []
    web.get(address(project))
    for number in range(2):
        for _ in range(1 + number * 9):
            make_connection(project=project)
        with CaptureQueriesContext(connection) as captured:
            web.get(address(project))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_new__developer__is_not_offered_every_project(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.DEVELOPER))
    assert "Every project" not in client.get(address(project, "new")).content.decode()
    client.post(address(project, "new"), NEW | {"reach": "every"})
    assert stored(project).project_id == project.id


def test_shared_connection__owner_manages__developer_only_sees_it(client: Client, project: Project) -> None:
    client.force_login(owner_of(project.organization))
    client.post(address(project, "new"), NEW | {"reach": "every", "api": "anthropic", "base_url": ""})
    found = stored(project)
    assert (found.project_id, found.base_url) == (None, "https://api.anthropic.com")
    client.force_login(make_member(organization=project.organization, role=Role.DEVELOPER))
    page = client.get(address(project)).content.decode()
    assert "Owners and admins manage it" in page
    for part in ("models", "delete", ""):
        parts = [found.public_id, part] if part else [found.public_id]
        assert client.get(address(project, *parts)).status_code == 403
    assert client.post(address(project, found.public_id, "test")).status_code == 403


def test_models__chosen_from_the_list__are_enabled(
    web: Client, project: Project, fake_provider: FakeProvider
) -> None:
    found = make_connection(project=project, base_url=fake_provider.base_url, models=())
    page = web.post(
        address(project, found.public_id, "test"), {"next": "models"}, follow=True
    ).content.decode()
    assert 'value="schema"' in page
    given = {"listed": ["schema"], "others": "tuned-*"}
    assert web.post(address(project, found.public_id, "models"), given).status_code == 302
    assert stored(project).model_ids == ["schema", "tuned-*"]
    refused = web.post(address(project, found.public_id, "models"), {"listed": ["made-up"]})
    assert refused.status_code == 422


def test_default_model__chosen__is_shown_and_what_is_gone_is_said(web: Client, project: Project) -> None:
    found = make_connection(project=project, name="openai", models=("gpt-4o",))
    web.post(address(project, "default"), {"model": "openai/gpt-4o"})
    root = f"/{project.organization.slug}/{project.slug}"
    for path in ("prompts/new/", "playground/"):
        assert 'value="openai/gpt-4o" selected' in web.get(f"{root}/{path}").content.decode(), path
    asked = web.get(address(project, found.public_id, "delete")).content.decode()
    assert "The default model <code>openai/gpt-4o</code> is one of its models" in asked
    web.post(address(project, found.public_id, "models"), {"others": "gpt-4o-mini"})
    assert "gone or no longer enabled" in web.get(address(project)).content.decode()
    with organization_scope(project.organization_id):
        assert queries.default_model(project.id) == "sandbox/standard"


def test_delete__prompts_that_name_it__are_told(web: Client, project: Project) -> None:
    make_connection(project=project, name="openai", models=("gpt-4o",))
    make_prompt(project=project, name="greeting", content=make_content(model="openai/gpt-4o"))
    make_prompt(project=project, name="other")
    root = f"/{project.organization.slug}/{project.slug}/prompts/using/?connection=openai"
    page = web.get(root, headers={"HX-Request": "true"}).content.decode()
    assert "1 prompt in" in page
    assert "greeting" in page
    assert "other" not in page


def test_prices__set_and_end__are_shown_beside_the_list(web: Client, project: Project) -> None:
    make_connection(project=project, name="openai", models=("gpt-4o", "tuned"))
    form = web.get(address(project, "prices", "new") + "?model=openai/gpt-4o").content.decode()
    assert "input $2.50" in form
    given = {"pattern": "openai/gpt-4o", "input_price": "2", "output_price": "8"}
    assert web.post(address(project, "prices", "new"), given).status_code == 302
    page = web.get(address(project, "prices")).content.decode()
    assert "own price since" in page
    assert "$2.50 in, $10.00 out" in page
    assert "unknown" in page
    overlapping = web.post(address(project, "prices", "new"), given)
    assert overlapping.status_code == 422
    assert "End it first" in overlapping.content.decode()
    with organization_scope(project.organization_id):
        price = PriceOverride.objects.get()
    assert "Past costs stay" in web.get(address(project, "prices", price.public_id, "end")).content.decode()
    web.post(address(project, "prices", price.public_id, "end"))
    assert "ended" in web.get(address(project, "prices")).content.decode()


def test_prices__search_without_match__says_so(web: Client, project: Project) -> None:
    assert "Nothing matched" in web.get(address(project, "prices") + "?model=zzz").content.decode()


def rows(web: Client, path: str, **asked: str) -> list[dict[str, str]]:
    exported = web.get(path, {**asked, "export": "csv"})
    assert exported.status_code == 200
    return list(csv.DictReader(io.StringIO(exported.getvalue().decode())))


@pytest.mark.django_db(transaction=True)
def test_connections_file__keys_and_headers__are_never_told(web: Client, project: Project) -> None:
    make_connection(project=project, name="openai", api_key=KEY, headers={"X-Team": "blue-secret"})
    make_connection(project=project, name="local", api_key="")
    for form in ("csv", "jsonl"):
        text = web.get(address(project), {"export": form}).getvalue().decode()
        assert KEY not in text
        assert "blue-secret" not in text
    told = {row["name"]: row for row in rows(web, address(project))}
    assert (told["openai"]["key"], told["openai"]["headers"]) == ("••••cdef", "1")
    assert (told["local"]["key"], told["local"]["headers"]) == ("none", "0")
    stranger = make_connection(project=make_project(organization=project.organization, name="Elsewhere"))
    assert stranger.name not in {row["name"] for row in rows(web, address(project))}


@pytest.mark.django_db(transaction=True)
def test_connections_file__own_before_shared__says_which_is_replaced(web: Client, project: Project) -> None:
    for every_project in (False, True):
        make_connection(project=project, name="openai", every_project=every_project)
    make_connection(project=project, name="anthropic", api="anthropic", base_url="", every_project=True)
    told = {(row["name"], row["serves"]): row["replaced"] for row in rows(web, address(project))}
    assert told == {
        ("openai", "this project"): "false",
        ("openai", "every project"): "true",
        ("anthropic", "every project"): "false",
    }
    assert "this project has a openai of its own" in web.get(address(project)).content.decode()
    assert [row["name"] for row in rows(web, address(project), api="anthropic")] == ["anthropic"]
    assert len(rows(web, address(project), q="openai", serves="every")) == 1
    assert len(rows(web, address(project), test="never")) == 3
    assert rows(web, address(project), test="failed") == []
    assert "No connection matches" in web.get(address(project), {"q": "zzz"}).content.decode()


@pytest.mark.django_db(transaction=True)
def test_prices_file__states__are_filtered_as_they_are_shown(web: Client, project: Project) -> None:
    now = timezone.now()
    days = timedelta(days=2)
    make_price(project=project, pattern="a/past", starts_at=now - 2 * days, ends_at=now - days)
    make_price(project=project, pattern="a/now", input_price="2.50", starts_at=now - days)
    make_price(project=project, pattern="a/later", starts_at=now + days, every_project=True)
    path = address(project, "prices")
    states = {"ended": "a/past", "holds": "a/now", "coming": "a/later"}
    for state, pattern in states.items():
        assert [(row["model"], row["state"]) for row in rows(web, path, state=state)] == [(pattern, state)]
    (held,) = rows(web, path, q="now")
    assert (held["input"], held["cached_input"], held["ends"]) == ("2.5", "as input", "")
    assert [row["model"] for row in rows(web, path, serves="every")] == ["a/later"]
    # The look-up of models has its own search: it leaves the list, and its file, as they are.
    assert len(rows(web, path, model="zzz")) == 3
    page = web.get(path, {"model": "zzz", "q": "now"}).content.decode()
    assert "Nothing matched" in page
    assert 'name="q" value="now"' in page


@pytest.mark.parametrize("page", ["", "prices"])
def test_pages__many_rows__cost_few_queries(web: Client, project: Project, page: str) -> None:
    parts = [page] if page else []
    web.get(address(project, *parts))
    counts = []
    for number in range(2):
        for _ in range(1 + number * 4):
            made = make_connection(project=project)
            make_price(project=project, pattern=f"{made.name}/*")
        with CaptureQueriesContext(connection) as captured:
            web.get(address(project, *parts))
        counts.append(len(captured))
    assert counts[0] == counts[1]
    asked = [each["sql"] for each in captured.captured_queries if " FROM " in each["sql"]]
    assert len(asked) <= 15, asked
