"""Background runs: accepted, carried out by a pump on a real engine, once whatever dies, or cancelled."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core.errors import Conflict, InvalidRequest, RateLimited, Unavailable
from apps.core.ids import uuid7
from apps.core.models import OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.runs.background import requests, ringing, starting
from apps.runs.background.executing import request_of
from apps.runs.background.leases import BackgroundCompanion, Claim, LeaseStore
from apps.runs.background.pump import MOST_ATTEMPTS, RECORDING_FAILED, Pump, Times
from apps.runs.background.sweeping import purge, sweep
from apps.runs.jobs import pump, run_pump
from apps.runs.models import BackgroundPump, BackgroundRun, BackgroundStatus, Run
from apps.runs.runtime import Runtime, open_runtime
from apps.runs.types import CacheWish, PromptReference, RunRequest
from apps.tenants import services as tenant_services
from apps.tenants.models import Project
from tests.batches.support import in_thread, until
from tests.factories import (
    make_api_key,
    make_background_run,
    make_connection,
    make_project,
    make_prompt,
    make_quota,
)
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import with_runtime

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = Times(idle=0.0, look=0.02, watch=0.05, shutdown=0.5, drain=5.0, pause=0.01)
SLOW = {"sandbox_latency_ms": 20_000}


@pytest.fixture
def project() -> Project:
    return make_project()


def run_background_pump(times: Times = QUICK) -> int:
    with system_scope():
        pump_id = ringing.ring_pump()
    return asyncio.run(run_pump(pump_id, times))


def reload(run: BackgroundRun) -> BackgroundRun:
    with organization_scope(run.organization_id):
        return BackgroundRun.objects.get(pk=run.pk)


def records(run: BackgroundRun) -> tuple[list[Run], int]:
    with organization_scope(run.organization_id):
        return list(Run.objects.order_by("pk")), UsageEvent.objects.count()


def topics() -> list[str]:
    with system_scope():
        told = OutboxMessage.objects.filter(topic__startswith="run.").order_by("pk")
        return list(told.values_list("topic", flat=True))


def test_pump__a_prompt_in_the_background__is_recorded_under_its_own_id(project: Project) -> None:
    make_prompt(project=project, name="team/reply", labels={"production": 1})
    run = make_background_run(
        project=project,
        model="",
        messages=(),
        prompt=PromptReference("team/reply", label="production"),
        variables={"review": "It broke at once."},
        metadata={"ticket": "7"},
    )
    assert (run.status, bool(run.sealed_request), topics()) == (BackgroundStatus.QUEUED, True, [])

    assert run_background_pump() == 1

    run = reload(run)
    assert (run.status, run.recorded, run.sealed_request) == (BackgroundStatus.SUCCEEDED, True, None)
    (record,), usage = records(run)
    assert (record.pk, record.background, record.prompt_name) == (run.pk, True, "team/reply")
    assert (record.metadata, record.status, usage) == ({"ticket": "7"}, "succeeded", 1)
    assert topics() == ["run.completed"]
    with system_scope():
        assert OutboxMessage.objects.get(topic="run.completed").payload == {
            "run": run.public_id,
            "project_id": project.public_id,
        }


def test_pump__a_provider_that_fails__is_a_failed_run(project: Project, fake_provider: FakeProvider) -> None:
    make_connection(
        project=project, name="local", base_url=fake_provider.base_url, models=("echo", "bad-request")
    )
    run = make_background_run(project=project, model="local/bad-request")

    run_background_pump()

    run = reload(run)
    (record,), usage = records(run)
    assert (run.status, record.status, record.error_code) == ("failed", "failed", "provider_refused")
    assert (usage, topics()) == (0, ["run.failed"])


def test_pump__a_key_that_was_revoked_meanwhile__calls_nothing(
    project: Project, fake_provider: FakeProvider
) -> None:
    make_connection(
        project=project, name="local", base_url=fake_provider.base_url, models=("echo", "bad-request")
    )
    key, _ = make_api_key(project=project)
    run = make_background_run(project=project, api_key=key, model="local/echo")
    with organization_scope(project.organization_id):
        tenant_services.revoke_api_key(actor=SYSTEM, key=key)

    run_background_pump()

    run = reload(run)
    assert (run.status, run.error_code, run.recorded) == ("failed", "api_key_revoked", False)
    assert (records(run), fake_provider.requests, topics()) == (([], 0), [], ["run.failed"])


def test_pump__a_quota_that_is_used_up__refuses_when_the_run_has_its_turn(
    project: Project, fake_provider: FakeProvider
) -> None:
    make_connection(
        project=project, name="local", base_url=fake_provider.base_url, models=("echo", "bad-request")
    )
    make_quota(organization=project.organization, cap=1)
    runs = [make_background_run(project=project, model="local/echo") for _ in range(2)]

    run_background_pump()

    ended = sorted((reload(run).status, reload(run).error_code) for run in runs)
    assert ended == [("failed", "quota_exceeded"), ("succeeded", "")]
    assert records(runs[0])[1] == 1


def test_pump__many_of_one_and_few_of_another__take_turns(project: Project) -> None:
    many = [make_background_run(project=project) for _ in range(6)]
    few = [make_background_run(project=make_project()) for _ in range(2)]

    claimed = claim(4)

    ours = {each.id for each in claimed}
    assert {run.pk for run in few} <= ours
    assert {run.pk for run in many[:2]} <= ours


def claim(limit: int, owner: UUID | None = None) -> list[Claim]:
    async def take(runtime: Runtime) -> list[Claim]:
        return await LeaseStore(runtime.pool, owner or uuid7(), 15).claim(limit)

    return with_runtime(take)


def test_claim__a_holder_that_was_killed__is_replaced_and_its_late_result_is_dropped(
    project: Project,
) -> None:
    run = make_background_run(project=project)
    (lost,) = claim(5)
    with system_scope():
        BackgroundRun.all_organizations.update(lease_expires_at=timezone.now() - timedelta(seconds=1))

    assert sweep().leases == 1
    assert run_background_pump() == 1
    assert _finish_as_zombie(run, lost) is False

    run = reload(run)
    (record,), usage = records(run)
    assert (run.status, run.attempts, record.pk, usage) == ("succeeded", 2, run.pk, 1)
    assert topics() == ["run.completed"]


def _finish_as_zombie(run: BackgroundRun, lost: Claim) -> bool:
    with organization_scope(run.organization_id):
        packed = requests.unseal(run.organization_id, run.pk, bytes(lost.sealed_request))
    request = RunRequest(
        run_id=run.pk,
        organization_id=run.organization_id,
        project_id=run.project_id,
        source="gateway",
        usage_key=f"run:{run.pk}",
        api_key_id=run.api_key_id,
        background=True,
        **requests.unpack(packed),
    )

    async def execute(runtime: Runtime) -> bool:
        return (await runtime.engine.execute(request)).recorded

    return with_runtime(execute, [BackgroundCompanion({run.pk: lost})])


def test_pump__a_process_that_is_told_to_end__hands_its_runs_over(project: Project) -> None:
    run = make_background_run(project=project, overrides=SLOW)

    _pumping(lambda: reload(run).status == "running", lambda: os.kill(os.getpid(), signal.SIGTERM))

    assert (reload(run).status, records(run), topics()) == ("queued", ([], 0), [])


def test_pump__a_database_that_is_away_as_it_rings__goes_on_with_its_runs(project: Project) -> None:
    run = make_background_run(project=project, overrides={"sandbox_latency_ms": 150})
    pump_id = _ring()

    async def away() -> None:
        raise OperationalError("the server closed the connection")

    assert _pump_with(pump_id, ring=away, times=replace(QUICK, turn=0.0)) == 1
    assert reload(run).status == "succeeded"


def test_pump__answers_that_are_never_recorded__are_not_paid_for_without_end(project: Project) -> None:
    run = make_background_run(project=project)
    calls: list[UUID] = []

    async def lost(request: RunRequest) -> Any:
        calls.append(request.run_id)
        raise Unavailable("The run could not be recorded.", code=RECORDING_FAILED)

    _pump_with(_ring(), execute=lost, times=replace(QUICK, idle=0.5))
    assert len(calls) == MOST_ATTEMPTS
    assert (reload(run).status, reload(run).error_code) == ("failed", "given_up")


def _pump_with(pump_id: UUID, **changed: Any) -> int:
    """Let a pump of a real engine work, with something changed; returns how many runs it completed."""

    async def nobody() -> None:
        return None

    async def work() -> int:
        claims: dict[UUID, Claim] = {}
        async with open_runtime([BackgroundCompanion(claims)]) as runtime:
            given: dict[str, Any] = {
                "store": LeaseStore(runtime.pool, pump_id, 15.0),
                "execute": runtime.engine.execute,
                "prepare": lambda claim: runtime.calls.run(lambda: request_of(claim)),
                "ring": nobody,
                "claims": claims,
            }
            working = Pump(**given | changed)
            await working.run()
        return working.completed

    return asyncio.run(work())


def _ring() -> UUID:
    with system_scope():
        return ringing.ring_pump()


def _pumping(ready: Callable[[], bool], act: Callable[[], Any]) -> None:
    """Pump, and act once the run is under way."""

    async def both() -> None:
        working = asyncio.create_task(run_pump(await in_thread(_ring), QUICK))
        await until(ready)
        await in_thread(act)
        await asyncio.wait_for(working, 20)

    asyncio.run(both())


def _cancel(run: BackgroundRun) -> BackgroundRun:
    with organization_scope(run.organization_id):
        return starting.cancel_background(actor=SYSTEM, run=run)


def test_cancel__a_run_under_way__breaks_its_call_off(project: Project, fake_provider: FakeProvider) -> None:
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("hang",))
    run = make_background_run(project=project, model="local/hang")

    _pumping(lambda: bool(fake_provider.calls["hang"]), lambda: _cancel(run))

    run = reload(run)
    assert (run.status, run.recorded, topics()) == ("cancelled", True, ["run.cancelled"])
    assert [record.status for record in records(run)[0]] == ["cancelled"]


def test_cancel__a_run_that_waits__ends_it_at_once_and_once(project: Project) -> None:
    run = make_background_run(project=project)

    for _ in range(2):
        assert _cancel(run).status == "cancelled"

    assert run_background_pump() == 0
    assert (reload(run).sealed_request, records(run), topics()) == (None, ([], 0), ["run.cancelled"])


def test_cancel__a_run_that_has_ended__conflicts(project: Project) -> None:
    run = make_background_run(project=project)
    run_background_pump()
    with pytest.raises(Conflict):
        _cancel(run)


def test_sweep__runs_that_waited_too_long_or_whose_holder_died_after_a_cancel__end(project: Project) -> None:
    old, cancelled, kept = (make_background_run(project=project) for _ in range(3))
    now = timezone.now()
    with system_scope():
        rows = BackgroundRun.all_organizations
        rows.filter(pk=old.pk).update(expires_at=now)
        rows.filter(pk=cancelled.pk).update(cancel_requested_at=now)

    assert sweep().ended == 2

    assert (reload(old).status, reload(old).error_code) == ("failed", "run_expired")
    assert (reload(cancelled).status, reload(kept).status) == ("cancelled", "queued")
    with system_scope():
        BackgroundRun.all_organizations.filter(pk=old.pk).update(finished_at=now - timedelta(days=31))
    assert purge() == 1


def test_sweep__a_ring_that_was_lost__rings_again(project: Project) -> None:
    make_background_run(project=project)
    assert BackgroundPump.objects.count() == 1
    BackgroundPump.objects.update(expires_at=timezone.now())

    assert sweep().rung == 1
    assert pump(str(uuid7())) == 0


def test_pump__a_run_that_kills_its_process_again_and_again__is_given_up(project: Project) -> None:
    run = make_background_run(project=project)
    with system_scope():
        BackgroundRun.all_organizations.update(attempts=5)

    run_background_pump()

    assert (reload(run).status, reload(run).error_code) == ("failed", "given_up")


def test_start__what_is_too_large_or_too_much__is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest) as problem:
        make_background_run(project=project, variables={"text": "x" * (starting.LARGEST_REQUEST + 1)})
    assert problem.value.code == "body_too_large"
    monkeypatch.setattr(starting, "MOST_WAITING", 1)
    make_background_run(project=project)
    with pytest.raises(RateLimited) as limited:
        make_background_run(project=project)
    assert (limited.value.code, limited.value.headers()) == ("too_many_waiting", {"Retry-After": "5"})
    # Another project has room of its own.
    make_background_run(project=make_project())


def test_request__every_field_that_a_call_can_set__survives_the_wait(project: Project) -> None:
    run_id = uuid7()
    request = RunRequest(
        run_id=run_id,
        organization_id=project.organization_id,
        project_id=project.id,
        source="gateway",
        usage_key=f"run:{run_id}",
        prompt=PromptReference("a/b", number=3),
        messages=({"role": "user", "content": "é"},),
        variables={"a": [1, {"b": None}]},
        overrides={"temperature": 0.1},
        metadata={"k": "v"},
        user="u",
        unit="customer-7",
        model="x/y",
        request_id="req_1",
        cache=CacheWish(seconds=5),
        repair_attempts=1,
        tools=({"type": "function", "function": {"name": "f"}},),
    )
    with organization_scope(project.organization_id):
        sealed = requests.seal(request, requests.pack(request))
        packed = requests.unseal(project.organization_id, run_id, sealed)

    values = requests.unpack(packed)

    left_out = {each.name for each in fields(RunRequest)} - values.keys()
    assert replace(request, **values) == request
    assert left_out <= {
        *("run_id", "organization_id", "project_id", "source", "source_id", "usage_key", "api_key_id"),
        *("livemode", "claim", "background", "timeout_seconds", "limits", "tell_limits", "arrived", "inline"),
        *_unset(request),
    }


def _unset(request: RunRequest) -> set[str]:
    return {each.name for each in fields(request) if getattr(request, each.name) is None}
