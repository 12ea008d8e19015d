"""Projects that store no content: every source, the cache of answers, and how soon a change holds."""

from dataclasses import replace

import pytest

from apps.audit.actor import SYSTEM
from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.retention.services import set_content_storing
from apps.runs import queries
from apps.runs.models import Run, RunPayload
from apps.runs.runtime import Runtime
from apps.runs.types import CacheWish, RunResult, Source
from apps.tenants.models import Project
from tests.factories import make_project
from tests.runs.support import make_request, with_runtime, within_a_second

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = ({"role": "user", "content": "one two three"},)


def _store(project: Project, stores: bool | None, *, everywhere: bool = False) -> None:
    with organization_scope(project.organization_id):
        set_content_storing(
            actor=SYSTEM,
            organization=project.organization,
            stores=stores,
            project=None if everywhere else project,
        )


def _stored(project: Project, result: RunResult) -> tuple[bool, bool]:
    """What the run says of its content, and whether there is any."""
    with organization_scope(project.organization_id):
        run = Run.objects.get(pk=result.run_id)
        return run.stored_content, RunPayload.objects.filter(pk=run.pk).exists()


@pytest.mark.parametrize("source", ["gateway", "batch", "playground"])
def test_execute__in_a_project_that_stores_nothing__records_facts_alone(source: Source) -> None:
    project = make_project()
    _store(project, False, everywhere=True)
    request = make_request(project, model="sandbox/standard", messages=MESSAGES, source=source)
    result = with_runtime(lambda runtime: runtime.engine.execute(request))
    assert result.text
    assert _stored(project, result) == (False, False)


def test_execute__after_the_project_was_switched__follows_within_a_second_and_gives_nothing_cached() -> None:
    project = make_project()
    request = make_request(project, model="sandbox/standard", messages=MESSAGES, cache=CacheWish(seconds=60))

    async def use(runtime: Runtime) -> list[RunResult]:
        async def ask() -> RunResult:
            fresh = make_request(project)
            return await runtime.engine.execute(
                replace(request, run_id=fresh.run_id, usage_key=fresh.usage_key)
            )

        first, again = await ask(), await ask()
        await runtime.calls.run(lambda: _store(project, False))
        switched = await within_a_second(ask, lambda result: result.cached_from is None)
        await runtime.calls.run(lambda: _store(project, None))
        return [first, again, switched, await within_a_second(ask, lambda result: bool(result.cached_from))]

    first, again, switched, back = with_runtime(use)
    assert [result.cached_from for result in (first, again, switched)] == [None, first.run_id, None]
    assert back.cached_from == first.run_id
    assert [_stored(project, result)[1] for result in (first, again, switched, back)] == [
        True,
        True,
        False,
        True,
    ]


def test_load_result__of_a_run_that_was_not_stored__is_not_found_and_says_why() -> None:
    project = make_project()
    _store(project, False)
    request = make_request(project, model="sandbox/standard", messages=MESSAGES)
    result = with_runtime(lambda runtime: runtime.engine.execute(request))
    with (
        organization_scope(project.organization_id),
        pytest.raises(NotFound, match="was not stored") as caught,
    ):
        queries.load_result(project.id, result.run_id)
    assert caught.value.code == "run_content_deleted"
