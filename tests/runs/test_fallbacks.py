"""Fallbacks of a served project, on the real engine: what stands on the run, and what it costs."""

from decimal import Decimal
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core.scope import organization_scope
from apps.prompts.services import change_serving
from apps.runs.models import Run
from apps.runs.runtime import Runtime
from apps.runs.types import RunDelta, RunResult
from apps.tenants.models import Project
from tests.factories import make_connection, make_price, make_project
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = ({"role": "user", "content": "one two three"},)


@pytest.fixture
def project(fake_provider: FakeProvider) -> Project:
    """A project with two connections to one provider, whose plain models fall back to `second/echo`."""
    project = make_project()
    for name in ("first", "second"):
        make_connection(project=project, name=name, base_url=fake_provider.base_url, models=("*",))
    make_price(project=project, pattern="first/*", input_price="1000", output_price="1000")
    make_price(project=project, pattern="second/*", input_price="2", output_price="4")
    calls = {"fallbacks": ["gone/model", "second/echo"], "retries": 0, "timeout_seconds": 5}
    with organization_scope(project.organization_id):
        change_serving(actor=SYSTEM, project=project, sections={"calls": calls})
    return project


def run_of(project: Project) -> Run:
    with organization_scope(project.organization_id):
        return Run.objects.get()


def execute(project: Project, model: str, **values: Any) -> RunResult:
    request = make_request(project, model=model, messages=ASKED, **values)
    return with_runtime(lambda runtime: runtime.engine.execute(request))


def test_execute__first_model_fails__the_fallback_is_recorded_with_its_own_price(project: Project) -> None:
    result = execute(project, "first/broken")
    assert (result.status, result.model, result.asked_model) == ("succeeded", "second/echo", "first/broken")
    run = run_of(project)
    assert (run.connection, run.model, run.asked_model) == ("second", "second/echo", "first/broken")
    assert run.price_amount == Decimal(11 * 2 + 5 * 4) / 1_000_000
    told = [(each["model"], each["kind"], each["error"], each["cost"]) for each in run.attempts]
    assert told == [
        ("first/broken", "call", "server", None),
        ("gone/model", "fallback", "connection_not_found", None),
        ("second/echo", "fallback", "", "0.000042"),
    ]
    assert run.attempts[-1]["usage"] == {"input_tokens": 11, "output_tokens": 5, "cached_tokens": 3}
    with organization_scope(project.organization_id):
        assert UsageEvent.objects.count() == 1


def test_stream__first_model_fails_before_a_piece__the_fallback_streams(project: Project) -> None:
    async def use(runtime: Runtime) -> list[Any]:
        request = make_request(project, model="first/rate-limited", messages=ASKED)
        return [item async for item in runtime.engine.stream(request)]

    items = with_runtime(use)
    assert "".join(item.text for item in items if isinstance(item, RunDelta)) == "one two three"
    assert (items[-1].model, items[-1].asked_model) == ("second/echo", "first/rate-limited")


def test_stream__breaks_off_after_a_piece__keeps_it_and_charges_an_estimate(project: Project) -> None:
    async def use(runtime: Runtime) -> list[Any]:
        request = make_request(project, model="first/truncated", messages=ASKED)
        return [item async for item in runtime.engine.stream(request)]

    result = with_runtime(use)[-1]
    assert (result.status, result.text, result.usage_origin) == ("failed", "half an", "estimated")
    run = run_of(project)
    assert len(run.attempts) == 1
    assert run.attempts[0]["cost"] is not None


def test_execute__with_a_test_key__never_leaves_the_sandbox(
    project: Project, fake_provider: FakeProvider
) -> None:
    result = execute(project, "first/broken", livemode=False, overrides={"sandbox_error_rate": 1})
    assert (result.status, result.sandbox) == ("failed", True)
    assert fake_provider.requests == []
