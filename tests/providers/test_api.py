"""The API of connections, models and usage."""

import pytest
from django.test import Client

from apps.core.scope import organization_scope
from apps.providers.models import ProviderCredential
from apps.tenants.models import Project
from apps.tenants.roles import Role, Scope
from tests.factories import make_api_key, make_connection, make_member, make_project, owner_of
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db

KEY = "sk-secret-0123456789abcdef"
NEW = {"name": "openai", "base_url": "https://api.openai.com/v1", "api_key": KEY, "models": ["gpt-4o-mini"]}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(client: Client, project: Project) -> Client:
    """The owner's session, as our own pages use the API."""
    client.force_login(owner_of(project.organization))
    client.defaults["HTTP_PROMPTSAAS_PROJECT"] = project.public_id
    return client


def test_connections__create_read_change_delete__never_shows_the_key(api: Client, project: Project) -> None:
    made = api.post("/api/v1/providers", NEW, content_type="application/json")
    assert made.status_code == 201, made.content
    one = f"/api/v1/providers/{made.json()['id']}"
    changed = api.patch(one, {"models": ["gpt-4o"]}, content_type="application/json")
    listed = api.get("/api/v1/providers")
    assert changed.json()["models"] == ["gpt-4o"]
    assert [row["id"] for row in listed.json()["data"]] == [made.json()["id"]]
    for answer in (made, changed, listed, api.get(one)):
        assert KEY.encode() not in answer.content
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404


def test_connections__changed_address_without_key__is_refused(api: Client, project: Project) -> None:
    found = make_connection(project=project)
    answer = api.patch(
        f"/api/v1/providers/{found.public_id}",
        {"base_url": "https://evil.example/v1"},
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "key_required")


def test_connections__api_key_of_every_scope__reads_but_does_not_manage(
    client: Client, project: Project
) -> None:
    _, token = make_api_key(project=project, scopes=tuple(Scope))
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/providers", headers=bearer).status_code == 200
    answer = client.post("/api/v1/providers", NEW, content_type="application/json", headers=bearer)
    assert answer.status_code == 403
    with organization_scope(project.organization_id):
        assert not ProviderCredential.objects.exists()


def test_test__connection__calls_it_and_tells(
    api: Client, project: Project, fake_provider: FakeProvider
) -> None:
    found = make_connection(project=project, base_url=fake_provider.base_url, models=())
    answer = api.post(f"/api/v1/providers/{found.public_id}/test").json()
    assert (answer["test_passed"], answer["models"]) == (True, ["echo", "schema"])


def test_models__prices__known_and_unknown_and_sandbox_are_told_apart(api: Client, project: Project) -> None:
    make_connection(project=project, name="openai", models=("gpt-4o", "no-such-model"))
    found = {row["id"]: row["price_per_million_tokens"] for row in api.get("/api/v1/models").json()["data"]}
    assert found["openai/gpt-4o"]["status"] == "priced"
    unknown = found["openai/no-such-model"]
    assert (unknown["status"], unknown["input"], unknown["output"]) == ("unknown", None, None)
    assert found["sandbox/standard"]["status"] == "sandbox"


def test_connections__for_every_project__needs_the_organization(client: Client, project: Project) -> None:
    client.defaults["HTTP_PROMPTSAAS_PROJECT"] = project.public_id
    client.force_login(make_member(organization=project.organization, role=Role.DEVELOPER))
    shared = make_connection(project=project, name="shared", every_project=True)
    wanted = NEW | {"every_project": True}
    refused = client.post("/api/v1/providers", wanted, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_missing")
    one = f"/api/v1/providers/{shared.public_id}"
    assert client.get(one).json()["every_project"] is True
    assert client.patch(one, {"models": []}, content_type="application/json").status_code == 403
    assert client.delete(one).status_code == 403
    assert client.post(f"{one}/test").status_code == 403
    client.force_login(owner_of(project.organization))
    assert client.post("/api/v1/providers", wanted, content_type="application/json").status_code == 201
    assert client.delete(one).status_code == 204


def test_connections__anthropic_without_address__gets_anthropics_own(api: Client) -> None:
    wanted = {"name": "claude", "api": "anthropic", "api_key": KEY}
    made = api.post("/api/v1/providers", wanted, content_type="application/json").json()
    assert (made["api"], made["base_url"]) == ("anthropic", "https://api.anthropic.com")


def test_default_model__chosen__is_told_in_the_list(api: Client, project: Project) -> None:
    make_connection(project=project, name="openai", models=("gpt-4o",))
    assert api.get("/api/v1/models/default").json()["model"] is None
    put = api.put("/api/v1/models/default", {"model": "openai/gpt-4o"}, content_type="application/json")
    assert put.json() == {"object": "default_model", "model": "openai/gpt-4o"}
    rows = api.get("/api/v1/models").json()["data"]
    assert [row["id"] for row in rows if row["default"]] == ["openai/gpt-4o"]
    refused = api.put("/api/v1/models/default", {"model": "openai/gone"}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_not_enabled")


def test_prices__create_list_end__hold_for_the_model(api: Client, project: Project) -> None:
    make_connection(project=project, name="local", base_url="https://models.example/v1", models=("m",))
    wanted = {"model": "local/*", "input": "0.5", "output": "1.25", "cached_input": "0.1"}
    made = api.post("/api/v1/prices", wanted, content_type="application/json")
    assert made.status_code == 201, made.content
    price = made.json()
    assert (price["model"], price["input"], price["cached_input"], price["ends_at"]) == (
        "local/*",
        "0.5",
        "0.1",
        None,
    )
    held = {row["id"]: row for row in api.get("/api/v1/models").json()["data"]}["local/m"]
    assert held["price_per_million_tokens"]["price_id"] == price["id"]
    again = api.post("/api/v1/prices", wanted, content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "price_overlaps")
    assert [row["id"] for row in api.get("/api/v1/prices").json()["data"]] == [price["id"]]
    ended = api.post(f"/api/v1/prices/{price['id']}/end", {}, content_type="application/json")
    assert ended.json()["ends_at"] is not None
    assert api.get(f"/api/v1/prices/{price['id']}").json()["ends_at"] == ended.json()["ends_at"]
    assert api.post("/api/v1/prices", wanted, content_type="application/json").status_code == 201


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"model": "no-slash"}, "model"),
        ({"model": "sandbox/*"}, "model"),
        ({"model": "a/*b*c*d*e*"}, "model"),
        ({"input": "-1"}, "input"),
        ({"input": "NaN"}, "input"),
        ({"output": "0.0000001"}, "output"),
        ({"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-11-30T00:00:00Z"}, "ends_at"),
    ],
)
def test_prices__value_that_can_not_be__is_refused_at_its_field(
    api: Client, wrong: dict[str, str], param: str
) -> None:
    wanted = {"model": "local/*", "input": "1", "output": "2"} | wrong
    answer = api.post("/api/v1/prices", wanted, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_usage__new_organization__has_the_free_plans_month_ahead(api: Client) -> None:
    usage = api.get("/api/v1/usage").json()
    assert usage["plan"] == "free"
    assert usage["runs"] == {"included": 10_000, "used": 0, "remaining": 10_000}
    assert usage["sandbox_runs"]["used"] == 0


def test_model_aliases__create_read_change_delete__and_bad_values_name_their_field(
    api: Client, project: Project
) -> None:
    new = {"name": "quick", "target": "sandbox/fast", "reason": "Cheap"}
    made = api.post("/api/v1/model_aliases", new, content_type="application/json")
    assert made.status_code == 201, made.content
    one = f"/api/v1/model_aliases/{made.json()['id']}"
    changed = api.patch(one, {"target": "sandbox/standard"}, content_type="application/json")
    assert (changed.json()["target"], changed.json()["reason"]) == ("sandbox/standard", "Cheap")
    assert [row["name"] for row in api.get("/api/v1/model_aliases").json()["data"]] == ["quick"]
    again = api.post("/api/v1/model_aliases", new, content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "name_taken")
    bad = api.patch(one, {"target": "nowhere"}, content_type="application/json")
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "target")
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404


@pytest.mark.parametrize("most", [0, -1, 10_001, "many", 1.5])
def test_connections__calls_at_a_time_that_cannot_be__are_refused_by_name(
    api: Client, project: Project, most: object
) -> None:
    answer = api.post("/api/v1/providers", NEW | {"concurrent_calls": most}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "concurrent_calls")


def test_connections__calls_at_a_time__are_set_kept_and_unlimited(api: Client, project: Project) -> None:
    made = api.post("/api/v1/providers", NEW | {"concurrent_calls": 8}, content_type="application/json")
    one = f"/api/v1/providers/{made.json()['id']}"
    kept = api.patch(one, {"models": ["gpt-4o"]}, content_type="application/json").json()
    unlimited = api.patch(one, {"concurrent_calls": None}, content_type="application/json").json()
    assert (kept["concurrent_calls"], unlimited["concurrent_calls"]) == (8, None)


def test_health__connection_that_nobody_called__is_unknown_not_zero(api: Client, project: Project) -> None:
    found = make_connection(project=project)
    told = api.get(f"/api/v1/providers/{found.public_id}/health").json()
    assert (told["state"], told["failure_share"], told["since"], told["last_error"]) == (
        "unknown",
        None,
        None,
        None,
    )
    assert api.get("/api/v1/providers/pcr_nothing/health").status_code == 404
