"""The engine with a real provider connection: retries, quota, changed connections, a feed that stops."""

import asyncio
import threading
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core.errors import NotFound, QuotaExceeded, Unavailable
from apps.core.scope import organization_scope
from apps.providers import services as provider_services
from apps.providers.adapters import open_provider
from apps.providers.models import ProviderCredential
from apps.providers.types import Connection, Provider
from apps.runs import sources
from apps.runs.models import Run
from apps.runs.runtime import Runtime
from apps.runs.types import RunDelta, RunRequest, RunResult, RunStarted
from apps.tenants.models import Project
from tests.factories import make_connection, make_project, make_quota
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime, within_a_second

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(fake_provider: FakeProvider) -> Project:
    """A project with the connection `local`."""
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    return project


def _request(project: Project, model: str, **values: Any) -> RunRequest:
    messages = ({"role": "user", "content": "one two three"},)
    return make_request(project, model=f"local/{model}", messages=messages, **values)


def _execute(project: Project, model: str, **values: Any) -> RunResult:
    request = _request(project, model, **values)
    return with_runtime(lambda runtime: runtime.engine.execute(request))


def _run(project: Project) -> Run:
    with organization_scope(project.organization_id):
        return Run.objects.get()


def test_execute__on_a_connection__opens_it_outside_the_event_loop(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client takes a third of a second to import, in which nobody else would be answered."""
    threads: list[str] = []

    def watched(connection: Connection) -> Provider:
        threads.append(threading.current_thread().name)
        return open_provider(connection)

    monkeypatch.setattr(sources, "open_provider", watched)
    _execute(project, "echo")
    assert [name.startswith("blocking") for name in threads] == [True]


def test_execute__on_a_connection__is_metered_as_a_run_of_the_plan(project: Project) -> None:
    result = _execute(project, "echo")
    assert (result.text, result.sandbox, result.model) == ("one two three", False, "local/echo")
    run = _run(project)
    assert (run.input_tokens, run.cached_tokens, run.price_status) == (11, 3, "unknown")
    assert run.provider_request_id == "upstream-1"
    with organization_scope(project.organization_id):
        usage = UsageEvent.objects.get()
    assert usage.meter == "runs"
    assert usage.lease_id is not None


def test_execute__a_passing_failure__is_retried_and_every_attempt_recorded(
    project: Project, fake_provider: FakeProvider
) -> None:
    assert _execute(project, "flaky-2").status == "succeeded"
    assert fake_provider.calls["flaky-2"] == 3
    assert [(each["error"], each["status"]) for each in _run(project).attempts] == [
        ("server", 500),
        ("server", 500),
        ("", None),
    ]


def test_execute__told_to_wait_beyond_the_deadline__does_not_ask_again(
    project: Project, fake_provider: FakeProvider
) -> None:
    result = _execute(project, "rate-limited", timeout_seconds=3.0)
    assert result.error is not None
    assert (result.error.code, result.error.status) == ("provider_rate_limited", 429)
    assert result.error.retry_after == 7
    assert fake_provider.calls["rate-limited"] == 1


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("unauthorized", "provider_authentication_failed"),
        ("bad-request", "provider_refused"),
        ("filtered", "content_filtered"),
    ],
)
def test_execute__a_final_failure__is_recorded_uncharged(
    project: Project, fake_provider: FakeProvider, model: str, code: str
) -> None:
    result = _execute(project, model)
    assert result.error is not None
    assert result.error.code == code
    assert fake_provider.calls[model] == 1
    assert _run(project).error_code == code
    with organization_scope(project.organization_id):
        assert not UsageEvent.objects.exists()


def test_execute__a_hanging_provider__ends_at_the_deadline(project: Project) -> None:
    result = _execute(project, "hang", timeout_seconds=0.5)
    assert result.error is not None
    assert result.error.code == "provider_timeout"
    assert result.latency_ms < 3000


def test_stream__that_breaks_off__keeps_the_text_and_charges_what_came(project: Project) -> None:
    async def use(runtime: Runtime) -> list[RunStarted | RunDelta | RunResult]:
        return [item async for item in runtime.engine.stream(_request(project, "error-in-stream"))]

    _, *pieces, result = with_runtime(use)
    assert pieces == [RunDelta("half an")]
    assert isinstance(result, RunResult)
    assert (result.status, result.text) == ("failed", "half an")
    assert _run(project).usage_origin == "estimated"


def test_execute__beyond_the_quota__is_refused_but_the_sandbox_is_not(project: Project) -> None:
    make_quota(organization=project.organization, cap=1)

    async def use(runtime: Runtime) -> None:
        await runtime.engine.execute(_request(project, "echo"))
        with pytest.raises(QuotaExceeded):
            await runtime.engine.execute(_request(project, "echo"))
        await runtime.engine.execute(_request(project, "echo", livemode=False))

    with_runtime(use)


def test_execute__a_failed_run__gives_its_allowance_back(project: Project) -> None:
    make_quota(organization=project.organization, cap=1)

    async def use(runtime: Runtime) -> None:
        await runtime.engine.execute(_request(project, "bad-request"))
        assert (await runtime.engine.execute(_request(project, "echo"))).status == "succeeded"

    with_runtime(use)


def test_execute__after_the_connection_was_deleted__is_refused_within_a_second(project: Project) -> None:
    def delete() -> None:
        with organization_scope(project.organization_id):
            provider_services.delete_connection(actor=SYSTEM, credential=ProviderCredential.objects.get())

    async def use(runtime: Runtime) -> None:
        await runtime.engine.execute(_request(project, "echo"))
        await runtime.calls.run(delete)
        with pytest.raises(NotFound):
            await within_a_second(lambda: runtime.engine.execute(_request(project, "echo")))

    with_runtime(use)


def test_execute__while_the_change_feed_cannot_be_read__is_unavailable(project: Project) -> None:
    async def use(runtime: Runtime) -> None:
        await runtime.engine.execute(_request(project, "echo"))
        await runtime.freshness.stop()
        while runtime.freshness.is_fresh():  # noqa: ASYNC110 (it is time itself that must pass)
            await asyncio.sleep(0.02)
        with pytest.raises(Unavailable):
            await runtime.engine.execute(_request(project, "echo"))

    with_runtime(use)
