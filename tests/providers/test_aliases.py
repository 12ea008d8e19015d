"""Model aliases: services, pages, API, what runs make of them; models that go away."""

import asyncio
import time
from datetime import date

import orjson
import pytest
from django.test import Client
from pytest_django import Settings

from apps.audit.actor import SYSTEM
from apps.core.errors import Conflict, InvalidRequest
from apps.core.redis import close_async_client
from apps.core.scope import organization_scope
from apps.providers import services
from apps.providers.alias_queries import alias_targets
from apps.providers.health import ConnectionHealth, HealthBook
from apps.providers.health_board import publish, read_health, shown_health
from apps.providers.models import ModelAlias
from apps.providers.retirements import retirement_of
from apps.providers.sunset import retiring_models, sunset_of
from apps.providers.types import Connection, ProviderCallError
from apps.runs.runtime import Runtime
from apps.runs.types import RunResult
from apps.tenants.models import Project
from tests.factories import make_connection, make_content, make_project, make_prompt, owner_of
from tests.runs.support import make_request, with_runtime, within_a_second

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def make_alias(
    project: Project, name: str, target: str = "sandbox/fast", *, shared: bool = False
) -> ModelAlias:
    with organization_scope(project.organization_id):
        return services.create_alias(
            actor=SYSTEM,
            organization=project.organization,
            project=None if shared else project,
            name=name,
            target=target,
        )


def address(project: Project, *parts: str) -> str:
    return "/".join([f"/{project.organization.slug}/{project.slug}/settings/providers/aliases", *parts, ""])


@pytest.mark.parametrize(
    ("name", "target", "param", "code"),
    [
        ("two words", "sandbox/fast", "name", "name_invalid"),
        ("prompt:x", "sandbox/fast", "name", "name_invalid"),
        ("sandbox/standard", "sandbox/fast", "name", "name_invalid"),
        ("", "sandbox/fast", "name", "name_invalid"),
        ("quick", "fast", "target", "model_malformed"),
        ("quick", "sandbox/none", "target", "model_not_enabled"),
        ("quick", "openai/gpt-4o", "target", "model_not_enabled"),
        ("openai/x", "openai/x", "target", "alias_loop"),
        ("quick", "local/old", "target", "alias_loop"),
        ("sandbox-fast", "x" * 300, "target", "model_malformed"),
    ],
)
def test_create_alias__value_that_cannot_be__is_refused_by_field(
    project: Project, name: str, target: str, param: str, code: str
) -> None:
    make_alias(project, "local/old")
    with pytest.raises(InvalidRequest) as caught:
        make_alias(project, name, target)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_create_alias__name_in_use__is_a_conflict(project: Project) -> None:
    make_alias(project, "quick")
    with pytest.raises(Conflict):
        make_alias(project, "quick")


def test_alias_targets__own_and_shared_of_one_name__own_stands_first(project: Project) -> None:
    make_alias(project, "quick", "sandbox/standard", shared=True)
    make_alias(project, "quick", "sandbox/fast")
    with organization_scope(project.organization_id):
        assert alias_targets(project.id) == {"quick": "sandbox/fast"}


@pytest.mark.django_db(transaction=True)
def test_run__of_an_alias__calls_its_target_and_follows_it_within_a_second(project: Project) -> None:
    alias = make_alias(project, "quick", "sandbox/fast")

    async def use(runtime: Runtime) -> tuple[RunResult, RunResult]:
        async def ask() -> RunResult:
            return await runtime.engine.execute(
                make_request(project, model="quick", messages=({"role": "user", "content": "hi"},))
            )

        first = await ask()
        await runtime.calls.run(point_elsewhere)
        return first, await within_a_second(ask, lambda result: result.model == "sandbox/standard")

    def point_elsewhere() -> None:
        with organization_scope(project.organization_id):
            services.change_alias(actor=SYSTEM, alias=alias, target="sandbox/standard")

    first, second = with_runtime(use)
    assert (first.model, first.asked_model) == ("sandbox/fast", "quick")
    assert (second.model, second.asked_model) == ("sandbox/standard", "quick")


@pytest.mark.django_db(transaction=True)
def test_run__of_a_retired_reference__is_sent_to_its_alias_target(project: Project) -> None:
    make_alias(project, "openai/gpt-4", "sandbox/fast")

    async def use(runtime: Runtime) -> RunResult:
        messages = ({"role": "user", "content": "hi"},)
        return await runtime.engine.execute(make_request(project, model="openai/gpt-4", messages=messages))

    assert with_runtime(use).model == "sandbox/fast"


def test_pages__add_edit_delete__tell_what_stands_for_what(web: Client, project: Project) -> None:
    given = {"name": "quick", "target": "sandbox/fast", "reason": "Cheap"}
    page = web.post(address(project, "new"), given, follow=True).content.decode()
    assert "quick stands for sandbox/fast now" in page
    with organization_scope(project.organization_id):
        alias = ModelAlias.objects.get()
    edit = address(project, alias.public_id)
    assert "sandbox/fast" in web.get(edit).content.decode()
    refused = web.post(edit, {"target": "nowhere"})
    assert refused.status_code == 422
    web.post(edit, {"target": "sandbox/standard", "reason": ""})
    assert "sandbox/standard" in web.get(address(project)).content.decode()
    remove = address(project, alias.public_id, "delete")
    assert "Delete the alias quick?" in web.get(remove).content.decode()
    web.post(remove)
    assert "No aliases yet" in web.get(address(project)).content.decode()


def test_retirement_of__dates__are_known_for_the_providers_own_addresses_only() -> None:
    found = retirement_of("https://api.openai.com/v1", "gpt-4")
    assert found is not None
    assert found.is_past(date(2026, 11, 21))
    assert retirement_of("https://other.example.com/v1", "gpt-4") is None
    assert retirement_of("https://api.openai.com/v1", "gpt-9") is None


def test_retiring__models_and_prompts__are_listed_unless_an_alias_replaces_them(
    web: Client, project: Project
) -> None:
    make_connection(project=project, name="openai", models=("gpt-4", "gpt-5.1"))
    make_prompt(project=project, name="old-one", content=make_content(model="openai/gpt-4"))
    today = date(2026, 11, 21)
    with organization_scope(project.organization_id):
        services.set_default_model(actor=SYSTEM, project=project, reference="openai/gpt-4")
        found = retiring_models(project.id, today)
        assert [(each.reference, each.uses) for each in found] == [("openai/gpt-4", ("default model",))]
        assert sunset_of(project.id, today).of("openai/gpt-5.1") is None
    prompts = f"/{project.organization.slug}/{project.slug}/prompts/retiring/"
    assert "old-one" in web.get(prompts).content.decode()
    page = web.get(address(project)).content.decode()
    assert "Replace by alias" in page
    assert "as of 21 Nov 2026" in page
    make_alias(project, "openai/gpt-4", "sandbox/fast")
    assert "old-one" not in web.get(prompts).content.decode()


def test_health__told_by_a_process__is_read_and_unknown_otherwise(
    web: Client, project: Project, settings: Settings
) -> None:
    credential = make_connection(project=project, name="openai", base_url="https://api.openai.com/v1")
    listing = f"/{project.organization.slug}/{project.slug}/settings/providers/"
    assert "no calls in the last five minutes" in web.get(listing).content.decode()
    book = HealthBook()
    connection = Connection("openai", credential.base_url, credential_id=credential.id)
    health = book.of(project.organization_id, connection)
    assert isinstance(health, ConnectionHealth)
    for _ in range(6):
        health.ended(ProviderCallError("Overloaded <b>", reason="server", retryable=True))

    async def tell() -> None:
        await publish(book, set())
        await close_async_client()

    asyncio.run(tell())
    shown = read_health(project.organization_id, [credential.id])[credential.id]
    assert (shown.state, shown.calls, shown.failures) == ("failing", 6, 6)
    page = web.get(listing).content.decode()
    assert "Failing" in page
    assert "Overloaded &lt;b&gt;" in page
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert read_health(project.organization_id, [credential.id]) == {}


@pytest.mark.parametrize(("failures", "state"), [(0, "healthy"), (1, "healthy"), (2, "unsteady")])
def test_shown_health__closed_breaker__is_unsteady_from_a_tenth_of_failures(
    failures: int, state: str
) -> None:
    told = {"state": "closed", "since": 1.0, "calls": 15, "failures": failures, "error": "", "error_at": None}
    now = time.time()
    shown = shown_health([orjson.dumps({**told, "at": now}), orjson.dumps({**told, "at": now - 60})])
    assert (shown.state, shown.calls) == (state, 15)
