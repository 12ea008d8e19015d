"""Starting, stopping, retrying, ending."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.batches import services
from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus, Pump, StopReason
from apps.batches.planning import plan_batch
from apps.batches.services.starting import BatchOptions
from apps.batches.sweeping import sweep
from apps.billing.models import UsageKey
from apps.core import queue
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.runs.types import PromptReference
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import (
    make_batch,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = ({"name": "stars", "type": "number", "required": True},)


def start(project: Any, prompt: str, version: Any, **options: Any) -> BatchJob:
    with organization_scope(project.organization_id):
        return services.start_batch(
            actor=SYSTEM,
            project=project,
            prompt=PromptReference(prompt, label="production"),
            dataset_version=version,
            options=BatchOptions(**options),
        )


def test_start_batch__by_label__is_fixed_to_the_version_of_now_and_rings_a_pump() -> None:
    project = make_project()
    prompt = make_prompt(project=project, versions=2, labels={"production": 1})
    version = make_dataset_version(project=project)

    job = start(project, prompt.name, version, row_limit=2)

    assert (job.version_number, job.label, job.total, job.status) == (1, "production", 2, "in_progress")
    assert items_of(job) == []
    assert queue.queue_depth() == 1
    with organization_scope(project.organization_id):
        assert AuditEvent.objects.filter(action="batch.started").count() == 1


def test_take__ids_of_rows__are_uuid7() -> None:
    job = make_batch(rows=1)
    run_batch_pump()
    item = items_of(job)[0]

    assert (item.id.version, item.id.variant) == (7, "specified in RFC 4122")


def test_start_batch__a_cap_without_a_known_price__is_refused() -> None:
    project = make_project()
    prompt = make_prompt(project=project, labels={"production": 1})
    version = make_dataset_version(project=project)

    with pytest.raises(InvalidRequest) as refused:
        start(project, prompt.name, version, model="sandbox/unheard-of", cost_cap=Decimal(1))

    assert refused.value.code == "price_unknown"


def test_start_batch__an_unknown_connection_or_prompt__is_not_found() -> None:
    project = make_project()
    prompt = make_prompt(project=project, labels={"production": 1})
    version = make_dataset_version(project=project)

    with pytest.raises(NotFound):
        start(project, prompt.name, version, model="nowhere/gpt")
    with pytest.raises(NotFound):
        start(project, "no-such-prompt", version)


def test_start_batch__without_redis__is_accepted_and_swept_later(settings: Any) -> None:
    reachable = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    job = make_batch()
    settings.REDIS_URL = reachable

    Pump.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert sweep().rung == 1

    assert queue.queue_depth() == 1
    assert reload(job).status == JobStatus.IN_PROGRESS


def test_sweep__after_flushall__rings_again(redis: Any) -> None:
    make_batch()
    redis.flushall()
    Pump.objects.update(expires_at="2020-01-01T00:00:00Z")

    assert sweep().rung == 1
    assert sweep().rung == 0


def test_plan_batch__rows_that_lack_a_variable__are_counted_with_examples() -> None:
    project = make_project()
    prompt = make_prompt(project=project, content=make_content("{{ stars }}", variables=TYPED))
    rows = [RowValues({"stars": value}, None, {}) for value in (1, "", 3, None)]
    version = make_dataset_version(project=project, rows=rows)

    with organization_scope(project.organization_id):
        plan = plan_batch(
            project=project, prompt=PromptReference(prompt.name, number=1), dataset_version=version
        )

    assert [(each.name, each.rows, each.examples) for each in plan.missing] == [("stars", 2, (2, 4))]
    assert plan.estimate.status == "sandbox"
    assert plan.estimate.low is not None
    assert plan.estimate.high is not None
    assert 0 < plan.estimate.low < plan.estimate.high


def test_plan_batch__a_variable_that_no_row_has__is_refused() -> None:
    project = make_project()
    prompt = make_prompt(project=project, content=make_content("{{ elsewhere }}"))
    version = make_dataset_version(project=project)

    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as refused:
        plan_batch(project=project, prompt=PromptReference(prompt.name, number=1), dataset_version=version)

    assert refused.value.param == "variables.elsewhere"


def test_cancel_batch__nothing_in_flight__ends_with_finished_work_kept() -> None:
    job = make_batch(rows=5)
    with organization_scope(job.organization_id):
        assert services.cancel_batch(actor=SYSTEM, job=job).status == JobStatus.CANCELLED

    job = reload(job)
    assert (job.status, job.cancelled, job.stop_reason) == (JobStatus.CANCELLED, 5, StopReason.REQUESTED)
    assert run_batch_pump() == 0
    with organization_scope(job.organization_id), pytest.raises(Conflict):
        services.cancel_batch(actor=SYSTEM, job=job)


def test_finish_job__called_twice__tells_the_end_once() -> None:
    job = make_batch(rows=2)
    run_batch_pump()

    assert services.finish_job(job.organization_id, job.id) is False
    with system_scope():
        assert OutboxMessage.objects.filter(topic="batch.completed").count() == 1
    with organization_scope(job.organization_id):
        assert AuditEvent.objects.filter(action="batch.completed").count() == 1


def test_retry_failed__failed_rows_only__run_once_more_under_a_new_usage_key() -> None:
    rows = [RowValues({"stars": value}, None, {}) for value in (1, "many", 3)]
    job = make_batch(rows=rows, content=make_content("{{ stars }}", variables=TYPED))
    run_batch_pump()
    job = reload(job)
    assert (job.status, job.succeeded, job.failed) == (JobStatus.COMPLETED, 2, 1)
    assert items_of(job)[1].error_code == "variable_invalid"

    with organization_scope(job.organization_id):
        assert services.retry_failed(actor=SYSTEM, job=job) == 1
        with pytest.raises(Conflict):
            services.retry_failed(actor=SYSTEM, job=job)
    assert run_batch_pump() == 1

    job = reload(job)
    assert (job.status, job.succeeded, job.failed) == (JobStatus.COMPLETED, 2, 1)
    assert [item.round for item in items_of(job)] == [0, 1, 0]
    with organization_scope(job.organization_id):
        assert UsageKey.objects.count() == 2


def test_retry_failed__stopped_rows__are_charged_once_each() -> None:
    job = make_batch(rows=4)
    with organization_scope(job.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)
    sweep()
    with organization_scope(job.organization_id):
        services.retry_failed(actor=SYSTEM, job=job)

    assert run_batch_pump() == 4

    with organization_scope(job.organization_id):
        assert BatchItem.objects.filter(status=ItemStatus.SUCCEEDED, round=0).count() == 4
        assert UsageKey.objects.count() == 4
        with pytest.raises(Conflict) as refused:
            services.retry_failed(actor=SYSTEM, job=reload(job))
    assert refused.value.code == "nothing_to_retry"


def test_stop_expired_jobs__past_the_window__expires_with_the_rest_stopped() -> None:
    job = make_batch(rows=2)
    with organization_scope(job.organization_id):
        BatchJob.objects.update(expires_at="2020-01-01T00:00:00Z")

    sweep()

    job = reload(job)
    assert (job.status, job.cancelled) == (JobStatus.EXPIRED, 2)


def test_list_jobs__one_or_ten_batches__cost_the_same(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    address = f"/{project.organization.slug}/{project.slug}/batches/"
    make_batch(project=project)
    # The first page of a session notes who was here.
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    for _ in range(4):
        make_batch(project=project)

    with django_assert_num_queries(len(one)):
        client.get(address)
