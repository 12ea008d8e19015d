"""Asking again for answers that break their schema, and the checks of what comes back."""

from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.runs.models import Run
from apps.runs.output_checks import LARGEST_BYTES, check_size
from apps.runs.runtime import Runtime
from apps.runs.types import CacheWish, RunDelta, RunResult, RunStarted
from apps.tenants.models import Project
from tests.factories import make_connection, make_content, make_project, make_prompt
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.fixture
def project(fake_provider: FakeProvider) -> Project:
    """A project with the connection `local`."""
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    return project


def _execute(project: Project, model: str, **values: Any) -> RunResult:
    content = make_content(model=f"local/{model}", output_schema=SCHEMA)
    make_prompt(project=project, name="extract", content=content, labels={"production": 1})
    request = make_request(project, prompt="extract", **values)
    return with_runtime(lambda runtime: runtime.engine.execute(request))


def _run(project: Project) -> Run:
    [run] = _runs(project)
    return run


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_repair__at_the_second_attempt__succeeds_and_counts_both(
    project: Project, fake_provider: FakeProvider
) -> None:
    result = _execute(project, "mends", repair_attempts=2)
    assert result.status == "succeeded"
    assert list(result.parsed) == ["name"]
    assert fake_provider.calls["mends"] == 2
    run = _run(project)
    assert [attempt["error"] for attempt in run.attempts] == ["output_invalid", ""]
    assert (run.input_tokens, run.output_tokens, run.cached_tokens) == (22, 10, 6)
    with organization_scope(project.organization_id):
        assert UsageEvent.objects.count() == 1


def test_repair__asking_again__sends_the_answer_and_what_was_wrong(
    project: Project, fake_provider: FakeProvider
) -> None:
    _execute(project, "mends", repair_attempts=1)
    asked, answered, told = fake_provider.body()["messages"]
    assert asked["content"].startswith("Review:")
    assert answered == {"role": "assistant", "content": "Surely: {"}
    assert told["role"] == "user"
    assert "not JSON (at character 0)" in told["content"]


@pytest.mark.parametrize(("attempts", "calls"), [(0, 1), (1, 2), (2, 3)])
def test_repair__in_vain__gives_up_with_the_last_answer_and_all_usage(
    project: Project, fake_provider: FakeProvider, attempts: int, calls: int
) -> None:
    result = _execute(project, "echo", repair_attempts=attempts)
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "output_invalid")
    assert result.text == fake_provider.body()["messages"][-1]["content"]
    assert fake_provider.calls["echo"] == calls
    run = _run(project)
    assert [attempt["error"] for attempt in run.attempts] == [*["output_invalid"] * attempts, ""]
    assert run.input_tokens == 11 * calls


def test_repair__by_policy__is_asked_for_where_the_call_says_nothing(
    project: Project, fake_provider: FakeProvider
) -> None:
    with organization_scope(project.organization_id):
        sections: dict[Any, Any] = {"calls": {"repair_attempts": 1}}
        prompt_services.change_serving(actor=SYSTEM, project=project, sections=sections)
    assert _execute(project, "mends").status == "succeeded"
    refusing = make_request(project, prompt="extract", repair_attempts=0)
    failed = with_runtime(lambda runtime: runtime.engine.execute(refusing))
    assert (failed.status, fake_provider.calls["mends"]) == ("failed", 3)
    [first] = [each for each in _runs(project) if each.pk != failed.run_id]
    assert [attempt["kind"] for attempt in first.attempts] == ["call", "repair"]
    assert [attempt["usage"]["input_tokens"] for attempt in first.attempts] == [11, 11]


@pytest.mark.parametrize(("attempts", "pieces", "status"), [(None, 2, "failed"), (1, 1, "succeeded")])
def test_repair__of_a_stream__holds_it_back_where_the_call_asks_for_it(
    project: Project, attempts: int | None, pieces: int, status: str
) -> None:
    content = make_content(model="local/mends", output_schema=SCHEMA)
    make_prompt(project=project, name="extract", content=content, labels={"production": 1})
    request = make_request(project, prompt="extract", repair_attempts=attempts)

    async def use(runtime: Runtime) -> list[RunStarted | RunDelta | RunResult]:
        return [item async for item in runtime.engine.stream(request)]

    items = with_runtime(use)
    result = items[-1]
    assert isinstance(result, RunResult)
    assert (len(items) - 2, result.status) == (pieces, status)
    assert result.text == "".join(item.text for item in items if isinstance(item, RunDelta))


def test_json_object__of_a_plain_call__is_held_to_it_and_repaired(
    project: Project, fake_provider: FakeProvider
) -> None:
    messages = ({"role": "user", "content": "no JSON"},)
    wanted: dict[str, Any] = {"overrides": {"response_format": {"type": "json_object"}}, "messages": messages}
    plain = make_request(project, model="local/echo", repair_attempts=1, **wanted)
    result = with_runtime(lambda runtime: runtime.engine.execute(plain))
    assert result.error is not None
    assert (result.error.code, fake_provider.calls["echo"]) == ("output_invalid", 2)
    sandbox = make_request(project, model="sandbox/fast", **wanted)
    answered = with_runtime(lambda runtime: runtime.engine.execute(sandbox))
    assert list(answered.parsed) == ["answer"]


def test_repair__of_what_fits_or_has_no_schema__asks_once(
    project: Project, fake_provider: FakeProvider
) -> None:
    assert _execute(project, "schema", repair_attempts=2).status == "succeeded"
    messages = ({"role": "user", "content": "no JSON"},)
    request = make_request(project, model="local/echo", messages=messages, repair_attempts=2)
    assert with_runtime(lambda runtime: runtime.engine.execute(request)).status == "succeeded"
    assert fake_provider.calls == {"schema": 1, "echo": 1}


def test_repair__whose_call_fails__keeps_the_answer_before_it(
    project: Project, fake_provider: FakeProvider
) -> None:
    result = _execute(project, "relapses", repair_attempts=2)
    assert result.error is not None
    assert (result.error.code, result.text) == ("output_invalid", "Surely: {")
    assert fake_provider.calls["relapses"] == 2
    run = _run(project)
    assert [attempt["error"] for attempt in run.attempts] == ["output_invalid", "bad_request"]
    assert run.input_tokens == 11


def test_repair__a_repaired_answer__is_cached_under_the_first_question(
    project: Project, fake_provider: FakeProvider
) -> None:
    first = _execute(project, "mends", repair_attempts=1, cache=CacheWish(seconds=60))
    again = make_request(project, prompt="extract", cache=CacheWish(seconds=60))
    second = with_runtime(lambda runtime: runtime.engine.execute(again))
    assert (second.cached_from, second.parsed) == (first.run_id, first.parsed)
    assert fake_provider.calls["mends"] == 2


def test_repair__an_answer_that_broke_its_schema__is_not_cached(
    project: Project, fake_provider: FakeProvider
) -> None:
    _execute(project, "echo", cache=CacheWish(seconds=60))
    again = make_request(project, prompt="extract", cache=CacheWish(seconds=60))
    assert with_runtime(lambda runtime: runtime.engine.execute(again)).cached_from is None
    assert fake_provider.calls["echo"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_output_check__an_oversize_answer__fails_charged_with_its_beginning(
    project: Project, stream: bool
) -> None:
    messages = ({"role": "user", "content": "Go on."},)
    request = make_request(project, model="local/huge", messages=messages, cache=CacheWish(seconds=60))

    async def use(runtime: Runtime) -> RunStarted | RunDelta | RunResult:
        if not stream:
            return await runtime.engine.execute(request)
        return [item async for item in runtime.engine.stream(request)][-1]

    result = with_runtime(use)
    assert isinstance(result, RunResult)
    assert result.error is not None
    assert (result.status, result.error.code, result.error.status) == ("failed", "output_too_large", 422)
    assert result.text == "ä" * (LARGEST_BYTES // 2)
    assert (_run(project).usage_origin, _run(project).output_tokens) == ("provider", 5)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", None),
        ("a" * LARGEST_BYTES, None),
        ("a" * (LARGEST_BYTES + 1), LARGEST_BYTES),
        ("a" + "ä" * (LARGEST_BYTES // 2), LARGEST_BYTES // 2),
    ],
)
def test_check_size__at_the_limit__passes_and_beyond_it_is_cut_between_characters(
    text: str, kept: int | None
) -> None:
    refusal = check_size(make_request(make_project()), text)
    assert (None if refusal is None else len(refusal.kept)) == kept
