"""What an engine that is serving makes of changed connections: a change holds within a second."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.core.errors import InvalidRequest, NotFound, PromptsaasError
from apps.core.scope import organization_scope
from apps.providers import services
from apps.providers.models import ProviderCredential
from apps.runs.runtime import Runtime
from apps.runs.types import RunResult
from apps.tenants.models import Project
from tests.factories import make_connection, make_project
from tests.fake_anthropic import FakeAnthropic, fake_anthropic
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime, within_a_second

__all__ = ["fake_anthropic", "fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = ({"role": "user", "content": "one two three"},)
Outcome = RunResult | PromptsaasError


def asking(runtime: Runtime, project: Project, model: str, **values: Any) -> Callable[[], Awaitable[Outcome]]:
    """A call that returns its refusal."""

    async def ask() -> Outcome:
        try:
            return await runtime.engine.execute(
                make_request(project, model=model, messages=MESSAGES, **values)
            )
        except PromptsaasError as refusal:
            return refusal

    return ask


def test_connection__made_for_every_project__serves_until_a_projects_own_stands_before_it(
    fake_provider: FakeProvider,
) -> None:
    project = make_project()
    other = make_project(organization=project.organization, name="Other")

    async def use(runtime: Runtime) -> list[Outcome]:
        ask = asking(runtime, project, "main/echo")
        missing = await ask()
        url = fake_provider.base_url
        await runtime.calls.run(
            lambda: make_connection(
                project=other, name="main", base_url=url, models=("echo",), every_project=True
            )
        )
        served = await within_a_second(ask, lambda found: isinstance(found, RunResult))
        await runtime.calls.run(
            lambda: make_connection(project=project, name="main", base_url=url, models=("x",))
        )
        replaced = await within_a_second(ask, lambda found: isinstance(found, InvalidRequest))
        return [missing, served, replaced, await asking(runtime, other, "main/echo")()]

    missing, served, replaced, elsewhere = with_runtime(use)
    assert isinstance(missing, NotFound)
    assert isinstance(served, RunResult)
    assert isinstance(replaced, InvalidRequest)
    assert (replaced.code, replaced.param) == ("model_not_enabled", "model")
    assert isinstance(elsewhere, RunResult)


def test_connection__model_disabled__is_refused_within_a_second(fake_provider: FakeProvider) -> None:
    project = make_project()
    made = make_connection(
        project=project, name="main", base_url=fake_provider.base_url, models=("echo",), every_project=True
    )

    def disable() -> None:
        with organization_scope(project.organization_id):
            found = ProviderCredential.objects.get(pk=made.pk)
            services.update_connection(actor=SYSTEM, credential=found, models=["other"])

    async def use(runtime: Runtime) -> tuple[Outcome, Outcome]:
        ask = asking(runtime, project, "main/echo")
        before = await ask()
        await runtime.calls.run(disable)
        return before, await within_a_second(ask, lambda found: isinstance(found, InvalidRequest))

    before, after = with_runtime(use)
    assert isinstance(before, RunResult)
    assert isinstance(after, InvalidRequest)
    assert fake_provider.calls["echo"] >= 1


def test_target__in_use__follows_new_prices_and_aliases_within_a_second(fake_provider: FakeProvider) -> None:
    project = make_project()
    make_connection(
        project=project, name="main", base_url=fake_provider.base_url, models=("*",), every_project=True
    )

    def price() -> None:
        with organization_scope(project.organization_id):
            services.create_price(
                actor=SYSTEM,
                organization=project.organization,
                project=project,
                pattern="main/*",
                input_price=Decimal(3),
                output_price=Decimal(0),
            )

    def alias() -> None:
        with organization_scope(project.organization_id):
            services.create_alias(
                actor=SYSTEM,
                organization=project.organization,
                project=project,
                name="main/echo",
                target="main/other",
            )

    def is_priced(found: Outcome) -> bool:
        return isinstance(found, RunResult) and found.price is not None and found.price.status == "priced"

    async def use(runtime: Runtime) -> list[Outcome]:
        ask = asking(runtime, project, "main/echo")
        unpriced = await ask()
        await runtime.calls.run(price)
        priced = await within_a_second(ask, is_priced)
        await runtime.calls.run(alias)
        led = await within_a_second(
            ask, lambda found: isinstance(found, RunResult) and found.model == "main/other"
        )
        return [unpriced, priced, led]

    unpriced, priced, led = with_runtime(use)
    assert not is_priced(unpriced)
    assert isinstance(priced, RunResult)
    assert priced.price is not None
    assert priced.price.snapshot["usd_per_million_tokens"] == {"input": "3", "output": "0"}
    assert isinstance(led, RunResult)
    assert (led.model, led.asked_model) == ("main/other", "main/echo")


def test_anthropic__run__is_recorded_with_the_providers_request_id(fake_anthropic: FakeAnthropic) -> None:
    project = make_project()
    make_connection(
        project=project, name="claude", base_url=fake_anthropic.base_url, models=("*",), api="anthropic"
    )

    async def use(runtime: Runtime) -> list[Outcome]:
        return [
            await asking(runtime, project, "claude/claude-echo")(),
            await asking(runtime, project, "claude/claude-echo", overrides={"seed": 7})(),
            await asking(runtime, project, "claude/claude-poor")(),
        ]

    good, refused, failed = with_runtime(use)
    assert isinstance(good, RunResult)
    assert (good.text, good.usage.input_tokens) == ("one two three", 14)
    assert isinstance(refused, InvalidRequest)
    assert (refused.code, refused.param) == ("unsupported_parameter", "seed")
    assert isinstance(failed, RunResult)
    assert failed.error is not None
    assert failed.error.message == "Your credit balance is too low."
    assert len(fake_anthropic.requests) == 2
