"""Limits of API keys and of organizations: API, pages, audit, and what the gateway makes of them."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.core.models import Change
from apps.core.scope import organization_scope, system_scope
from apps.tenants.access import authenticate_key_plain
from apps.tenants.models import APIKey, Organization, Project
from tests.factories import make_api_key, make_project, owner_of

pytestmark = pytest.mark.django_db

LIMITS = {"requests_per_minute": 60, "tokens_per_minute": 5_000, "concurrent_runs": 3}
NONE = dict.fromkeys(LIMITS)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def session(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def call(client: Client, method: str, path: str, project: Project, **body: Any) -> Any:
    headers = {"Promptsaas-Project": project.public_id}
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def limits_in(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in LIMITS}


def new_key(session: Client, project: Project, **limits: int | None) -> Any:
    return call(session, "post", "keys", project, name="Shop", scopes=["run"], **limits)


def test_key__made_changed_and_rotated_with_limits__keeps_them(session: Client, project: Project) -> None:
    made = new_key(session, project, **LIMITS).json()
    assert limits_in(made) == LIMITS
    path = f"keys/{made['id']}"
    changed = call(session, "patch", path, project, tokens_per_minute=None, concurrent_runs=4).json()
    expected = {"requests_per_minute": 60, "tokens_per_minute": None, "concurrent_runs": 4}
    assert limits_in(changed) == expected
    renamed = call(session, "patch", path, project, name="Till").json()
    assert limits_in(renamed) == expected
    assert limits_in(call(session, "post", f"{path}/rotate", project).json()) == expected
    assert limits_in(new_key(session, project).json()) == NONE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requests_per_minute", 0),
        ("requests_per_minute", 6_001),
        ("tokens_per_minute", -1),
        ("tokens_per_minute", 10**9 + 1),
        ("concurrent_runs", "many"),
    ],
)
def test_key__limit_that_cannot_be__is_named(
    session: Client, project: Project, settings: Settings, name: str, value: Any
) -> None:
    settings.GATEWAY_REQUESTS_PER_MINUTE = 6_000
    answer = new_key(session, project, **{name: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


def test_key__limit_changed__is_audited_and_told_to_gateways(session: Client, project: Project) -> None:
    key, _ = make_api_key(project=project)
    call(session, "patch", f"keys/{key.public_id}", project, requests_per_minute=7)
    with system_scope():
        event = AuditEvent.all_organizations.filter(action="api_key.updated").get()
        assert Change.objects.filter(kind="api_key", key=str(key.id)).count() >= 2
    assert "requests_per_minute" in str(event.changes)


def test_organization__limits_changed__hold_for_its_keys(session: Client, project: Project) -> None:
    assert limits_in(call(session, "get", "organization", project).json()) == NONE
    changed = call(session, "patch", "organization", project, **LIMITS)
    assert limits_in(changed.json()) == LIMITS
    again = call(session, "patch", "organization", project, tokens_per_minute=None).json()
    assert limits_in(again) == LIMITS | {"tokens_per_minute": None}
    bounds = authenticate_key_plain(make_api_key(project=project)[1]).limits
    assert {take.bound.name: take.bound.limit for take in bounds.requests}[
        "organization.requests_per_minute"
    ] == 60
    assert [slots.name for slots in bounds.runs] == ["organization.concurrent_runs"]
    with system_scope():
        assert AuditEvent.all_organizations.filter(action="organization.limits_changed").count() == 2
        told = Change.objects.filter(kind="organization", key=str(project.organization_id))
        assert told.count() == 2


def test_bounds_of_key__installation_has_a_lower_limit__that_one_holds(
    project: Project, settings: Settings
) -> None:
    key, token = make_api_key(project=project)
    settings.GATEWAY_REQUESTS_PER_MINUTE = 100
    with organization_scope(project.organization_id):
        APIKey.objects.filter(id=key.id).update(requests_per_minute=500)
    assert [take.bound.limit for take in authenticate_key_plain(token).limits.requests] == [100]


def test_key_page__limits_filled_in__are_kept_and_shown(session: Client, project: Project) -> None:
    key, _ = make_api_key(project=project)
    address = f"/{project.organization.slug}/{project.slug}/settings/keys/{key.public_id}/edit/"
    form = {"name": "Shop", "allowed_networks": "", "requests_per_minute": "12", "tokens_per_minute": ""}
    assert session.post(address, form).status_code == 302
    assert b'value="12"' in session.get(address).content
    wrong = session.post(address, form | {"concurrent_runs": "0"})
    assert wrong.status_code == 422
    listed = session.get(f"/{project.organization.slug}/{project.slug}/settings/keys/?columns=limits")
    assert listed.status_code == 200


def test_settings_page__limits_filled_in__are_kept(session: Client, project: Project) -> None:
    address = f"/{project.organization.slug}/settings/"
    assert session.post(f"{address}limits/", {"tokens_per_minute": "9000"}).status_code == 302
    page = session.get(address).content
    assert b"Save limits" in page
    assert b'value="9000"' in page
    assert session.post(f"{address}limits/", {"tokens_per_minute": "none"}).status_code == 422
    with organization_scope(project.organization_id):
        assert Organization.objects.get().tokens_per_minute == 9000
