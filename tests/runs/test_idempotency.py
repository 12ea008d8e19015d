"""Claims of Idempotency-Keys: one holder, an end, and what a record completes."""

from dataclasses import replace
from typing import LiteralString
from uuid import UUID

import pytest

from apps.core import ids
from apps.core.errors import Conflict, IdempotencyMismatch
from apps.core.scope import organization_scope
from apps.runs import idempotency
from apps.runs.idempotency import Claimed, KeyedRequest, Replay
from apps.runs.models import Run
from apps.runs.runtime import Runtime
from apps.runs.types import RunResult
from apps.tenants.models import Project
from tests.factories import make_project
from tests.runs.support import make_request, with_runtime

pytestmark = pytest.mark.django_db(transaction=True)


def _keyed(project: Project, *, key: str = "k", fingerprint: bytes = b"f" * 32) -> KeyedRequest:
    return KeyedRequest(project.organization_id, project.id, key, fingerprint)


async def _run(runtime: Runtime, project: Project, run_id: UUID, claim: Claimed) -> RunResult:
    messages = ({"role": "user", "content": "Hello"},)
    request = make_request(project, model="sandbox/fast", messages=messages, run_id=run_id, claim=claim.id)
    return await runtime.engine.execute(replace(request, usage_key=f"run:{run_id}"))


async def _change(runtime: Runtime, statement: LiteralString) -> None:
    async with runtime.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE promptsaas_system")
        await connection.execute(statement)


def test_claim__held_by_a_live_process__is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "RENEW_SECONDS", 0.05)
    project = make_project()

    async def use(runtime: Runtime) -> None:
        await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=5)
        await _change(
            runtime, "UPDATE core_idempotencykey SET expires_at = now() + interval '150 milliseconds'"
        )
        with pytest.raises(Conflict):
            await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=0.5)

    with_runtime(use)


def test_claim__completed_by_its_record__replays_the_run() -> None:
    project, run_id = make_project(), ids.uuid7()

    async def use(runtime: Runtime) -> None:
        claim = await runtime.keys.claim(_keyed(project), run_id=run_id, seconds=5)
        assert isinstance(claim, Claimed)
        assert (await _run(runtime, project, run_id, claim)).recorded
        assert await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=5) == Replay(run_id)

    with_runtime(use)


def test_claim__held_by_a_twin_for_too_long__is_a_conflict() -> None:
    project = make_project()

    async def use(runtime: Runtime) -> None:
        await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=30)
        with pytest.raises(Conflict):
            await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=0.1)

    with_runtime(use)


def test_claim__with_another_request__is_a_mismatch_even_while_the_first_runs() -> None:
    project = make_project()

    async def use(runtime: Runtime) -> None:
        await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=30)
        with pytest.raises(IdempotencyMismatch):
            await runtime.keys.claim(_keyed(project, fingerprint=b"g" * 32), run_id=ids.uuid7(), seconds=30)

    with_runtime(use)


def test_claim__of_a_process_that_died__passes_on_and_fences_it_off() -> None:
    project = make_project()
    first_id, second_id = ids.uuid7(), ids.uuid7()

    async def use(runtime: Runtime) -> tuple[RunResult, RunResult]:
        first = await runtime.keys.claim(_keyed(project), run_id=first_id, seconds=5)
        # As if its process had hung for minutes.
        await _change(runtime, "UPDATE core_idempotencykey SET expires_at = now() - interval '1 minute'")
        second = await runtime.keys.claim(_keyed(project), run_id=second_id, seconds=5)
        assert isinstance(first, Claimed)
        assert isinstance(second, Claimed)
        return (
            await _run(runtime, project, second_id, second),
            await _run(runtime, project, first_id, first),
        )

    winner, loser = with_runtime(use)
    assert (winner.recorded, loser.recorded) == (True, False)
    with organization_scope(project.organization_id):
        assert [run.pk for run in Run.objects.all()] == [second_id]


def test_claim__in_another_project__is_another_key() -> None:
    project, other = make_project(), make_project()

    async def use(runtime: Runtime) -> None:
        for each in (project, other):
            claim = await runtime.keys.claim(_keyed(each), run_id=ids.uuid7(), seconds=5)
            assert isinstance(claim, Claimed)

    with_runtime(use)


def test_release__of_an_unused_claim__frees_the_key() -> None:
    project = make_project()

    async def use(runtime: Runtime) -> None:
        first = await runtime.keys.claim(_keyed(project), run_id=ids.uuid7(), seconds=30)
        assert isinstance(first, Claimed)
        await runtime.keys.release(first)
        again = await runtime.keys.claim(
            _keyed(project, fingerprint=b"g" * 32), run_id=ids.uuid7(), seconds=1
        )
        assert isinstance(again, Claimed)

    with_runtime(use)
