"""Batches through their provider's batch endpoint: one result and one charge a row, whatever breaks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.models import BatchJob, Delivery, ItemStatus, JobStatus
from apps.batches.planning import VariantChoice
from apps.batches.provider_batches.advancing import advance
from apps.batches.provider_batches.sweeping import sweep
from apps.batches.provider_batches.work import ProviderTimes, Work
from apps.batches.provider_models import ProviderBatch, ProviderState
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import finish_open_jobs
from apps.billing.models import AllowanceLease, Quota, UsageEvent
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.providers.batches.anthropic_batches import AnthropicBatches
from apps.providers.batches.openai_batches import OpenAIBatches
from apps.providers.models import ProviderCredential
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import make_batch, make_connection, make_content, make_price, make_project
from tests.fake_anthropic import FakeAnthropic, fake_anthropic
from tests.fake_batches import FakeBatches
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_anthropic", "fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = ProviderTimes(worker=5, poll=9, first_poll=0.0, first_wait=0.001, longest_wait=0.01, grace=0.05)
DECLARED = ({"name": "text", "type": "text", "required": True},)


class Killed(BaseException):
    """As if the process were gone: nothing after it happens."""


@dataclass
class Place:
    """A project with a connection to a fake provider that has a batch endpoint."""

    project: Project
    model: str
    store: FakeBatches
    direct_calls: Callable[[], int]

    def start(self, *texts: str, **options: Any) -> BatchJob:
        """A batch through that endpoint, with a row for each text."""
        rows = [RowValues({"text": text} if text else {}, None, {}) for text in texts]
        content = make_content("{{ text }}", variables=DECLARED, model=self.model)
        chosen = BatchOptions(delivery=Delivery.PROVIDER_BATCH, **options)
        return make_batch(project=self.project, rows=rows, content=content, options=chosen)


def _offering(connection: ProviderCredential) -> None:
    with organization_scope(connection.organization_id):
        ProviderCredential.objects.filter(pk=connection.pk).update(offers_batches=True)


@pytest.fixture
def openai(fake_provider: FakeProvider) -> Place:
    project = make_project()
    _offering(
        make_connection(project=project, name="fake", base_url=fake_provider.base_url, models=("echo",))
    )
    make_price(project=project, pattern="fake/*", input_price="1", output_price="10", batch_discount="50")
    return Place(project, "fake/echo", fake_provider.batches, lambda: fake_provider.calls["echo"])


@pytest.fixture
def anthropic(fake_anthropic: FakeAnthropic) -> Place:
    project = make_project()
    connection = make_connection(
        project=project,
        name="fake",
        base_url=fake_anthropic.base_url,
        models=("claude-echo",),
        api="anthropic",
    )
    _offering(connection)
    make_price(project=project, pattern="fake/*", input_price="1", output_price="10", batch_discount="50")
    return Place(project, "fake/claude-echo", fake_anthropic.batches, lambda: len(fake_anthropic.requests))


@pytest.fixture(params=["openai", "anthropic"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the two providers in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


def batches_of(job: BatchJob) -> list[ProviderBatch]:
    with organization_scope(job.organization_id):
        return list(ProviderBatch.objects.filter(batch=job).order_by("id"))


def turn(job: BatchJob, times: ProviderTimes = QUICK) -> int:
    """Sweep once and do what is due of the job's provider batches; how many steps were done."""
    sweep()
    with system_scope():
        ProviderBatch.all_organizations.filter(next_step_at__isnull=False).update(next_step_at=timezone.now())
    return sum(asyncio.run(advance(batch.id, times)) for batch in batches_of(job))


def finish(job: BatchJob, *, pump: bool = True) -> BatchJob:
    """Go on until the job has ended."""
    for _ in range(30):
        if reload(job).is_terminal and not any(batch.next_step_at for batch in batches_of(job)):
            return reload(job)
        turn(job)
        if pump and any(item.direct and item.status == ItemStatus.PENDING for item in items_of(job)):
            run_batch_pump()
        finish_open_jobs()
    raise AssertionError(f"{reload(job).status}: {[batch.state for batch in batches_of(job)]}")


def facts(job: BatchJob) -> tuple[int, int]:
    """How many runs and how many usage records there are."""
    with organization_scope(job.organization_id):
        return Run.objects.count(), UsageEvent.objects.count()


def test_job__through_the_providers_batch__is_recorded_at_batch_price(place: Place) -> None:
    job = finish(place.start("one", "two", "three"))

    assert (job.status, job.succeeded, job.failed) == (JobStatus.COMPLETED, 3, 0)
    assert [item.output for item in items_of(job)] == ["one", "two", "three"]
    # 1,000 tokens in at 1 $ and 100 out at 10 $ for a million, half of it.
    assert job.cost_used == 3 * Decimal("0.001")
    assert facts(job) == (3, 3)
    assert place.direct_calls() == 0
    assert len(place.store.batches) == 1
    (batch,) = batches_of(job)
    assert (batch.state, batch.requests, batch.recorded, batch.returned) == (ProviderState.DONE, 3, 3, 0)
    assert batch.tidied_at is not None
    assert place.store.deleted
    with organization_scope(job.organization_id):
        run = Run.objects.first()
        assert run is not None
        assert [attempt["kind"] for attempt in run.attempts] == ["batch"]
        assert run.price_snapshot["processing"] == "batch"


def test_job__rows_of_every_fate__each_has_one_result_and_one_charge(place: Place) -> None:
    texts = ("fine", "[expired]", "[missing]", "[error 500]", "[error 400]", "")
    job = finish(place.start(*texts))

    items = items_of(job)
    assert [item.status for item in items[:4]] == [ItemStatus.SUCCEEDED] * 4
    assert [(item.status, item.error_code) for item in items[4:]] == [
        (ItemStatus.FAILED, "provider_refused"),
        (ItemStatus.FAILED, "variable_missing"),
    ]
    assert [item.direct for item in items] == [False, True, True, True, False, False]
    assert place.direct_calls() == 3
    (batch,) = batches_of(job)
    assert (batch.requests, batch.recorded, batch.returned) == (5, 2, 3)
    # One of five runs, the refused one, was answered by nobody.
    assert facts(job) == (5, 4)
    with organization_scope(job.organization_id):
        priced = dict(Run.objects.values_list("id", "price_snapshot"))
    prices = [priced[item.run_id] for item in items[:2] if item.run_id]
    assert [price.get("processing") for price in prices] == ["batch", None]
    assert (job.pending, job.running, job.cost_reserved) == (0, 0, Decimal(0))


@pytest.mark.parametrize("fault", ["500", "429", "refused", "lost"])
def test_job__every_call_of_the_provider_breaks_once__is_sent_once(openai: Place, fault: str) -> None:
    for operation in ("upload", "files", "create", "list", "get", "content", "delete"):
        openai.store.faults[operation].append(fault)
    job = finish(openai.start("one", "two"))

    assert (job.status, job.succeeded) == (JobStatus.COMPLETED, 2)
    assert len(openai.store.batches) == 1
    assert (facts(job), openai.direct_calls()) == ((2, 2), 0)


@pytest.mark.parametrize("fault", ["500", "429", "refused", "lost"])
def test_anthropic__creation_breaks__makes_one_batch(anthropic: Place, fault: str) -> None:
    anthropic.store.faults["create"].append(fault)
    job = finish(anthropic.start("one", "two"))

    assert job.succeeded == 2
    assert len(anthropic.store.batches) == 1
    assert (facts(job), anthropic.direct_calls()) == ((2, 2), 0)


def test_anthropic__killed_before_it_hears_of_its_batch__finds_it(
    anthropic: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = anthropic.start("one", "two")
    original = AnthropicBatches.create

    async def create(*arguments: Any) -> Any:
        await original(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(AnthropicBatches, "create", create)
        with pytest.raises(Killed):
            finish(job)
    with system_scope():
        ProviderBatch.all_organizations.update(worker_until=timezone.now())
    assert finish(job).succeeded == 2
    (batch,) = batches_of(job)
    assert batch.found_by_size
    assert (len(anthropic.store.batches), facts(job)) == (1, (2, 2))


def test_anthropic__somebody_elses_batch_of_the_same_size__is_told_by_its_answers(anthropic: Place) -> None:
    theirs = [
        {"custom_id": f"theirs-{n}", "params": {"model": "m", "messages": [{"content": [{"text": "x"}]}]}}
        for n in range(2)
    ]
    anthropic.store.faults["create"].append("refused")
    anthropic.store.add_batch("msgbatch_", theirs)
    job = finish(anthropic.start("one", "two"))

    assert (job.succeeded, facts(job)) == (2, (2, 2))
    (batch,) = batches_of(job)
    assert batch.not_ours == ["msgbatch_0001"]
    assert len(anthropic.store.batches) == 2
    assert "msgbatch_0001" not in anthropic.store.deleted


def die_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the work at the n-th place: before or after a saved change, or a call of the provider."""
    count = 0

    def counted(name: str, owner: Any) -> None:
        original = getattr(owner, name)

        async def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise Killed
            result = await original(*arguments, **named)
            count += 1
            if count == number:
                raise Killed
            return result

        monkeypatch.setattr(owner, name, wrapper)

    counted("save", Work)
    for name in ("upload", "create", "get"):
        counted(name, OpenAIBatches)


def test_job__killed_between_any_two_steps__goes_on_and_pays_once(
    openai: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, point in enumerate(range(2, 22, 2), 1):
        job = openai.start("one", "[expired]")
        with monkeypatch.context() as patch:
            die_at(patch, point)
            with pytest.raises(Killed):
                finish(job, pump=False)
        with system_scope():
            ProviderBatch.all_organizations.update(worker_until=timezone.now())
        job = finish(job)

        assert (job.status, job.succeeded) == (JobStatus.COMPLETED, 2), point
        assert facts(job) == (2 * number, 2 * number)
        assert (len(openai.store.batches), openai.direct_calls()) == (number, number)


def test_cancel__while_at_the_provider__takes_what_is_finished(place: Place) -> None:
    place.store.polls, place.store.cut_after = 99, 1
    job = place.start("one", "two", "three")
    turn(job)
    (batch,) = batches_of(job)
    assert batch.state == ProviderState.IN_PROGRESS
    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)
    assert reload(job).status == JobStatus.CANCELLING

    job = finish(job)

    assert (job.status, job.succeeded, job.cancelled) == (JobStatus.CANCELLED, 1, 2)
    assert facts(job) == (1, 1)
    assert place.direct_calls() == 0
    place.store.polls, place.store.cut_after = 0, None
    with organization_scope(job.organization_id):
        services.retry_failed(actor=SYSTEM, job=job)
    assert (finish(job).succeeded, facts(job), place.direct_calls()) == (3, (3, 3), 0)
    assert len(place.store.batches) == 2


def test_provider__refuses_the_whole__rows_fail_with_its_words(openai: Place) -> None:
    openai.store.refuses = "model_not_found"
    job = finish(openai.start("one", "two"))

    assert (job.succeeded, job.failed) == (0, 2)
    assert {item.error_code for item in items_of(job)} == {"provider_batch_refused"}
    assert (facts(job), openai.direct_calls()) == ((0, 0), 0)


def test_provider__is_full__is_tried_again_after_a_while(openai: Place) -> None:
    openai.store.refuses = "token_limit_exceeded"
    job = openai.start("one", "two")
    turn(job)
    assert [batch.state for batch in batches_of(job)] == [ProviderState.FAILED]
    assert (reload(job).pending, reload(job).running) == (2, 0)
    turn(job)
    assert len(batches_of(job)) == 1  # not at once
    openai.store.refuses = ""
    with system_scope():
        ProviderBatch.all_organizations.update(finished_at="2026-01-01T00:00:00Z")

    assert finish(job).succeeded == 2
    assert [batch.state for batch in batches_of(job)] == [ProviderState.FAILED, ProviderState.DONE]


def test_quota__is_held_for_rows_at_the_provider__and_counted_once(openai: Place) -> None:
    openai.store.polls = 3
    job = openai.start("one", "two", "[missing]")
    turn(job, ProviderTimes(worker=5, first_poll=9))
    with organization_scope(job.organization_id):
        assert AllowanceLease.objects.get(closed_at__isnull=True).amount == 3
    job = finish(job)
    with organization_scope(job.organization_id):
        quota = Quota.objects.get()
        held = AllowanceLease.objects.filter(closed_at__isnull=True).count()
    assert (quota.used, quota.reserved, held) == (3, 0, 0)
    assert facts(job) == (3, 3)


def test_cap__is_kept_at_batch_price(openai: Place) -> None:
    # Each row can cost 100 tokens at 5 $ and some 40 bytes at 0.5 $ for a million.
    job = finish(
        openai.start(*("x",) * 5, cost_cap=Decimal("0.0012"), parameters={"max_tokens": 100}), pump=False
    )
    assert job.cost_used + job.cost_reserved <= Decimal("0.0022")
    assert job.stop_reason == "cost_cap"
    assert 0 < job.succeeded < 5


def test_variants__go_through_batches_of_their_own(openai: Place) -> None:

    job = openai.start("one", "two", variants=(VariantChoice(parameters={"temperature": 0}), VariantChoice()))
    job = finish(job)
    assert (job.total, job.succeeded) == (4, 4)
    assert sorted(len(batch["requests"]) for batch in openai.store.batches.values()) == [2, 2]


def test_pause__before_it_is_sent__lets_rows_wait(openai: Place) -> None:
    job = openai.start("one", "two")
    openai.store.faults["upload"].extend(["500"] * 3)
    turn(job, ProviderTimes(worker=5))
    assert reload(job).running == 2
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(status=JobStatus.PAUSED)
    turn(job)
    assert (reload(job).running, reload(job).pending) == (0, 2)
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(status=JobStatus.IN_PROGRESS)
    assert finish(job).succeeded == 2
    assert len(openai.store.batches) == 1


def test_connection__deleted_meanwhile__is_waited_for_until_the_stop(openai: Place) -> None:
    openai.store.polls = 9
    job = openai.start("one", "two")
    turn(job)
    with organization_scope(job.organization_id):
        ProviderCredential.objects.all().delete()
    turn(job)
    (batch,) = batches_of(job)
    assert "was deleted" in batch.error_message
    assert reload(job).running == 2
    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)

    assert (finish(job).status, reload(job).cancelled) == (JobStatus.CANCELLED, 2)


def test_start__on_the_sandbox_or_an_unknown_connection__is_refused(openai: Place) -> None:
    options = BatchOptions(delivery=Delivery.PROVIDER_BATCH)
    with pytest.raises(InvalidRequest) as refused:
        make_batch(project=openai.project, options=options)
    assert (refused.value.code, refused.value.param) == ("delivery_unavailable", "delivery")
    with organization_scope(openai.project.organization_id):
        ProviderCredential.objects.update(offers_batches=None)
    with pytest.raises(InvalidRequest, match="Nobody knows yet"):
        openai.start("one")
