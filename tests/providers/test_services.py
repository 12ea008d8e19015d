"""Connections: what is stored, what is told, and what demands the key again."""

from typing import Any

import pytest
from pytest_django import Settings

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import Change
from apps.core.scope import organization_scope, system_scope
from apps.providers import queries, services
from apps.providers.models import ProviderCredential
from apps.providers.trial import CallOutcome, run_test
from apps.tenants.models import Project
from tests.factories import make_connection, make_project
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def project() -> Project:
    return make_project()


def update(project: Project, found: ProviderCredential, **given: Any) -> ProviderCredential:
    with organization_scope(project.organization_id):
        return services.update_connection(actor=SYSTEM, credential=found, **given)


def actions(project: Project) -> list[str]:
    with organization_scope(project.organization_id):
        events = AuditEvent.objects.filter(object_type="providercredential").order_by("id")
        return [event.action for event in events]


def test_create__connection__keeps_the_key_sealed_and_tells_of_it(project: Project) -> None:
    made = make_connection(project=project, name="openai", api_key=KEY, headers={"X-Team": "blue"})
    with organization_scope(project.organization_id):
        stored = ProviderCredential.objects.get()
        loaded = queries.load_connection(project.id, "openai")
    assert stored.sealed_key is not None
    assert KEY.encode() not in bytes(stored.sealed_key)
    assert (stored.key_hint, stored.header_names) == ("cdef", ["X-Team"])
    assert (loaded.api_key, loaded.headers, loaded.credential_id) == (KEY, {"X-Team": "blue"}, made.id)
    assert KEY not in repr(loaded)
    with system_scope():
        assert Change.objects.filter(kind="connection", key=f"{project.id}:openai").count() == 1
    assert actions(project) == ["connection.created"]


def test_create__short_key__shows_nothing_of_it(project: Project) -> None:
    assert make_connection(project=project, api_key="short").key_hint == ""


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"name": "Not A Name"}, "name"),
        ({"name": "sandbox"}, "name"),
        ({"base_url": "http://api.example.com/v1"}, "base_url"),
        ({"base_url": "https://10.0.0.1/v1"}, "base_url"),
        ({"base_url": "https://localhost/v1"}, "base_url"),
        ({"base_url": "https://user:pw@example.com/v1"}, "base_url"),
        ({"base_url": "https://example.com/v1?a=b"}, "base_url"),
        ({"api_key": "two\nlines"}, "api_key"),
        ({"headers": {"Host": "evil.example"}}, "headers"),
        ({"headers": {"X-Team": "a\r\nb"}}, "headers"),
        ({"models": ("has\ttab",)}, "models"),
    ],
)
def test_create__value_that_can_not_be__is_refused_at_its_field(
    project: Project, given: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_connection(project=project, **given)
    assert caught.value.param == param


def test_create__address_that_the_operator_allows__may_be_plain_http(
    project: Project, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["localhost:11434"]
    made = make_connection(project=project, base_url="http://localhost:11434/v1/", api_key="")
    assert made.base_url == "http://localhost:11434/v1"


def test_create__name_in_use__is_a_conflict_and_leaves_the_scope_usable(project: Project) -> None:
    make_connection(project=project, name="openai")
    with organization_scope(project.organization_id):
        with pytest.raises(Conflict):
            make_connection(project=project, name="openai")
        assert ProviderCredential.objects.count() == 1


@pytest.mark.parametrize("given", [{"base_url": "https://evil.example/v1"}, {"headers": {"X-Team": "red"}}])
def test_update__address_or_header_without_the_key__is_refused(
    project: Project, given: dict[str, Any]
) -> None:
    found = make_connection(project=project, api_key=KEY)
    with pytest.raises(InvalidRequest) as caught:
        update(project, found, **given)
    assert (caught.value.code, caught.value.param) == ("key_required", "api_key")
    with organization_scope(project.organization_id):
        assert queries.load_connection(project.id, found.name).base_url == "https://api.openai.com/v1"


def test_update__new_address_with_a_key__drops_the_stored_headers_and_the_test(project: Project) -> None:
    found = make_connection(project=project, name="openai", headers={"X-Team": "blue"})
    update(project, found, base_url="https://eu.example.com/v1", api_key="sk-another-0123456789")
    with organization_scope(project.organization_id):
        loaded = queries.load_connection(project.id, "openai")
    assert (loaded.base_url, loaded.api_key, loaded.headers) == (
        "https://eu.example.com/v1",
        "sk-another-0123456789",
        {},
    )


def test_update__models_only__keeps_key_and_headers(project: Project) -> None:
    found = make_connection(project=project, name="openai", api_key=KEY, headers={"X-Team": "blue"})
    update(project, found, base_url=found.base_url, models=["gpt-4o", "gpt-4o", " "])
    with organization_scope(project.organization_id):
        loaded = queries.load_connection(project.id, "openai")
    assert (loaded.api_key, loaded.headers, loaded.models) == (KEY, {"X-Team": "blue"}, ("gpt-4o",))
    assert actions(project) == ["connection.created", "connection.updated"]


def test_audit__every_change__never_holds_the_key(project: Project) -> None:
    found = make_connection(project=project, api_key=KEY)
    update(project, found, api_key=KEY + "new")
    with organization_scope(project.organization_id):
        services.delete_connection(actor=SYSTEM, credential=found)
        told = str(list(AuditEvent.objects.values()))
    assert actions(project) == ["connection.created", "connection.updated", "connection.deleted"]
    assert KEY not in told


def test_load_connection__unknown_or_other_projects__is_not_found(project: Project) -> None:
    other = make_project(organization=project.organization, name="Other")
    make_connection(project=other, name="openai")
    with organization_scope(project.organization_id), pytest.raises(NotFound):
        queries.load_connection(project.id, "openai")


def test_load_connection__sandbox__is_always_there(project: Project) -> None:
    with organization_scope(project.organization_id):
        assert queries.load_connection(project.id, "sandbox").is_sandbox


def test_model_choices__connections_and_sandbox__are_named_by_reference(project: Project) -> None:
    make_connection(project=project, name="openai", models=("gpt-4o", "org/model"))
    with organization_scope(project.organization_id):
        choices = [choice.reference for choice in queries.model_choices(project.id)]
    assert choices == ["openai/gpt-4o", "openai/org/model", "sandbox/standard", "sandbox/fast"]


def tried(project: Project, provider: FakeProvider, **given: Any) -> ProviderCredential:
    found = make_connection(project=project, base_url=provider.base_url, api_key=KEY, **given)
    with organization_scope(project.organization_id):
        opened = queries.unsealed(found)
    outcome = run_test(opened)
    with organization_scope(project.organization_id):
        services.store_test_result(actor=SYSTEM, credential=found, outcome=outcome)
    return found


def test_trial__connection_with_a_model__asks_it(project: Project, fake_provider: FakeProvider) -> None:
    found = tried(project, fake_provider, models=("echo",))
    assert found.test_passed
    assert found.test_message.startswith("echo-2026 answered in")


def test_trial__connection_without_models__fetches_the_list(
    project: Project, fake_provider: FakeProvider
) -> None:
    found = tried(project, fake_provider, models=())
    assert (found.test_passed, found.model_ids) == (True, ["echo", "schema"])


def test_trial__refused_key__tells_the_providers_words_without_the_key(
    project: Project, fake_provider: FakeProvider
) -> None:
    found = tried(project, fake_provider, models=("unauthorized",))
    assert (found.test_passed, found.test_message) == (False, "Incorrect API key provided: ….")


def test_update__key_replaced_meanwhile__does_not_come_back(project: Project) -> None:
    seen = make_connection(project=project)
    with organization_scope(project.organization_id):
        now = ProviderCredential.objects.get()
    update(project, now, api_key="sk-replaced-0123456789")
    assert update(project, seen, models=["gpt-4o"]).key_hint == "6789"


def test_store_test_result__connection_deleted_meanwhile__stays_deleted(project: Project) -> None:
    seen = make_connection(project=project)
    with organization_scope(project.organization_id):
        services.delete_connection(actor=SYSTEM, credential=ProviderCredential.objects.get())
        with pytest.raises(ProviderCredential.DoesNotExist):
            services.store_test_result(actor=SYSTEM, credential=seen, outcome=CallOutcome(True, "Fine."))
        assert not ProviderCredential.objects.exists()
