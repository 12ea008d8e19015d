"""The straight way, end to end: real Postgres, the sandbox as provider."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core.errors import InvalidRequest, NotFound, QuotaExceeded
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.runs import queries
from apps.runs.models import Run
from apps.runs.runtime import Runtime
from apps.runs.types import PromptReference, RunDelta, RunRequest, RunResult, RunStarted
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt, make_quota
from tests.runs.support import make_request, with_runtime, within_a_second

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {
    "type": "object",
    "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative", "neutral"]}},
    "required": ["sentiment"],
}


def _execute(request: RunRequest) -> RunResult:
    return with_runtime(lambda runtime: runtime.engine.execute(request))


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def _usage(project: Project) -> list[UsageEvent]:
    with organization_scope(project.organization_id):
        return list(UsageEvent.objects.all())


def test_execute__a_labelled_prompt__answers_and_records() -> None:
    project = make_project()
    prompt = make_prompt(
        project=project,
        name="sentiment",
        content=make_content(output_schema=SCHEMA),
        labels={"production": 1},
    )
    request = make_request(project, prompt="sentiment", metadata={"a": "b"}, user="me", request_id="req_1")
    result = _execute(request)
    assert result.status == "succeeded"
    assert result.parsed == {"sentiment": "negative"}
    assert (result.version_number, result.label, result.sandbox) == (1, "production", True)
    [run] = _runs(project)
    assert run.pk == request.run_id == result.run_id
    assert (run.prompt_id, run.version_number, run.label) == (prompt.pk, 1, "production")
    assert (run.status, run.usage_origin, run.price_status) == ("succeeded", "provider", "sandbox")
    assert run.input_tokens
    assert run.latency_ms >= 0
    assert (run.metadata, run.end_user, run.request_id) == ({"a": "b"}, "me", "req_1")
    [usage] = _usage(project)
    assert (usage.meter, usage.key, usage.source_id) == ("sandbox_runs", request.usage_key, run.pk)


def test_execute__recorded__holds_the_messages_as_sent() -> None:
    project = make_project()
    make_prompt(project=project, name="greet", labels={"production": 1})
    extra = ({"role": "user", "content": "In one word."},)
    _execute(make_request(project, prompt="greet", messages=extra))
    [run] = _runs(project)
    with organization_scope(project.organization_id):
        content = queries.load_content(run)
    assert content is not None
    assert content.messages == (
        {"role": "user", "content": "Review: It broke at once. Terrible."},
        {"role": "user", "content": "In one word."},
    )


def test_execute__a_plain_model__is_metered_too() -> None:
    project = make_project()
    messages = ({"role": "user", "content": "Hello"},)
    result = _execute(make_request(project, model="sandbox/fast", messages=messages))
    assert result.status == "succeeded"
    assert result.prompt_name == ""
    assert len(_usage(project)) == 1


def test_execute__a_test_key__runs_the_sandbox_whatever_the_model() -> None:
    project = make_project()
    messages = ({"role": "user", "content": "Hello"},)
    result = _execute(make_request(project, model="acme/gpt-9", messages=messages, livemode=False))
    assert (result.model, result.sandbox) == ("sandbox/standard", True)
    assert _runs(project)[0].livemode is False


@pytest.mark.parametrize(
    ("values", "error", "code"),
    [
        ({"prompt": "missing"}, NotFound, "prompt_not_found"),
        ({"prompt": "greet", "label": "beta"}, NotFound, "label_not_found"),
        ({"prompt": "greet", "variables": {}}, InvalidRequest, "variable_missing"),
        ({"model": "sandbox"}, InvalidRequest, "model_malformed"),
        ({"model": "nobody/gpt"}, NotFound, "connection_not_found"),
        ({"model": "sandbox/fast", "messages": ()}, InvalidRequest, "messages_missing"),
        ({}, InvalidRequest, "model_missing"),
    ],
)
def test_execute__what_cannot_run__is_refused_unrecorded(
    values: dict[str, object], error: type[Exception], code: str
) -> None:
    project = make_project()
    make_prompt(project=project, name="greet", labels={"production": 1})
    given = {"messages": ({"role": "user", "content": "Hello"},), **values}
    with pytest.raises(error) as refused:
        _execute(make_request(project, **given))  # type: ignore[arg-type]
    assert refused.value.code == code  # type: ignore[attr-defined]
    assert _runs(project) == []


def test_execute__another_organizations_prompt__is_not_found() -> None:
    project, stranger = make_project(), make_project()
    make_prompt(project=project, name="greet", labels={"production": 1})
    with pytest.raises(NotFound):
        _execute(make_request(stranger, prompt="greet"))
    with pytest.raises(NotFound):
        _execute(make_request(stranger, prompt="greet", project_id=project.id))


def test_execute__a_provider_that_keeps_failing__fails_recorded_and_uncharged() -> None:
    project = make_project()
    messages = ({"role": "user", "content": "Hello"},)
    request = make_request(
        project, model="sandbox/fast", messages=messages, overrides={"sandbox_error_rate": 1}
    )
    result = _execute(request)
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "provider_failed")
    [run] = _runs(project)
    assert [attempt["error"] for attempt in run.attempts] == ["server"] * 3
    assert (run.price_status, run.usage_origin) == ("none", "none")
    assert _usage(project) == []


def test_execute__that_times_out__fails_recorded() -> None:
    project = make_project()
    request = make_request(
        project,
        model="sandbox/fast",
        messages=({"role": "user", "content": "Hello"},),
        overrides={"sandbox_latency_ms": 5000},
        timeout_seconds=0.05,
    )
    result = _execute(request)
    assert result.error is not None
    assert result.error.code == "provider_timeout"
    assert _runs(project)[0].error_status == 504


def test_execute__cancelled__is_recorded_as_cancelled() -> None:
    project = make_project()
    request = make_request(
        project,
        model="sandbox/fast",
        messages=({"role": "user", "content": "Hello"},),
        overrides={"sandbox_latency_ms": 30_000},
        timeout_seconds=60,
    )

    async def use(runtime: Runtime) -> None:
        task = asyncio.create_task(runtime.engine.execute(request))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    with_runtime(use)
    assert [(run.status, run.error_code) for run in _runs(project)] == [("cancelled", "cancelled")]


def test_stream__to_the_end__gives_pieces_then_the_recorded_result() -> None:
    project = make_project()
    make_prompt(project=project, name="greet", labels={"production": 1})

    async def use(runtime: Runtime) -> list[RunStarted | RunDelta | RunResult]:
        return [item async for item in runtime.engine.stream(make_request(project, prompt="greet"))]

    *pieces, result = with_runtime(use)
    assert isinstance(result, RunResult)
    assert "".join(piece.text for piece in pieces if isinstance(piece, RunDelta)) == result.text
    assert result.first_token_ms is not None
    assert _runs(project)[0].pk == result.run_id


def test_stream__closed_early__records_what_was_used() -> None:
    project = make_project()
    request = make_request(
        project,
        model="sandbox/standard",
        messages=({"role": "user", "content": "Tell me a story about a mixer."},),
        overrides={"sandbox_latency_ms": 30_000},
        timeout_seconds=60,
    )

    async def use(runtime: Runtime) -> None:
        async with aclosing(runtime.engine.stream(request)) as items:
            await anext(items)
            await anext(items)

    with_runtime(use)
    [run] = _runs(project)
    assert (run.status, run.usage_origin) == ("cancelled", "estimated")
    assert run.output_tokens
    assert len(_usage(project)) == 1


def test_execute__beyond_the_quota__is_refused() -> None:
    project = make_project()
    make_quota(organization=project.organization, cap=0)

    async def use(runtime: Runtime) -> None:
        with pytest.raises(QuotaExceeded):
            await runtime.engine._dependencies.allowance.take(project.organization_id)

    with_runtime(use)


def test_execute__after_a_label_was_moved__runs_the_new_version_within_a_second() -> None:
    project = make_project()
    prompt = make_prompt(project=project, name="greet", versions=2, labels={"production": 1})

    def move() -> None:
        with organization_scope(project.organization_id):
            prompt_services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)

    async def use(runtime: Runtime) -> tuple[int | None, int | None]:
        before = await runtime.engine.execute(make_request(project, prompt="greet"))
        await runtime.calls.run(move)
        after = await within_a_second(
            lambda: runtime.engine.execute(make_request(project, prompt="greet")),
            lambda result: result.version_number == 2,
        )
        return before.version_number, after.version_number

    assert with_runtime(use) == (1, 2)


def test_execute__by_number__pins_the_version() -> None:
    project = make_project()
    make_prompt(project=project, name="greet", versions=2, labels={"production": 2})
    request = replace(make_request(project), prompt=PromptReference("greet", number=1))
    result = _execute(request)
    assert (result.version_number, result.label) == (1, None)
