"""Purges: exactly the due rows go, whatever is held, overridden or stopped in between."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.analytics.counting.history import count_history
from apps.analytics.counting.waiting import count_waiting
from apps.audit import queries as audit_queries
from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditDetail, AuditEvent
from apps.audit.sealing import seal_all
from apps.batches.models import BatchItem, BatchJob
from apps.batches.services import retry_failed
from apps.core import files
from apps.core.errors import Conflict
from apps.core.ids import uuid7
from apps.core.models import FileChunk, StoredFile, TenantModel
from apps.core.scope import organization_scope, system_scope
from apps.datasets.models import Dataset, DatasetRow, DatasetVersion, Origin
from apps.datasets.services import archive_dataset
from apps.retention import jobs, queries, services
from apps.retention.models import DataClass, PurgeRun, PurgeState
from apps.runs.feedback import Giver
from apps.runs.models import CacheEntry, Feedback, Run, RunPayload, UncountedRuns
from apps.runs.services import give_feedback
from apps.tenants.models import Organization, Project
from tests.factories import (
    make_batch,
    make_cache_entry,
    make_dataset_version,
    make_hold,
    make_policy,
    make_project,
    make_run,
    owner_of,
)
from tests.retention.support import NOW, begin, kept, purge

pytestmark = pytest.mark.django_db(transaction=True)

MONTH_AGO = NOW - timedelta(days=30)
YOUNGER = MONTH_AGO + timedelta(milliseconds=1)


def _end_batch(project: Project, at: datetime) -> BatchJob:
    """A batch that has ended, with an answer in each row and a run for one of them."""
    job = make_batch(project=project)
    run = make_run(project=project, source="batch", source_id=job.pk, at=at)
    with organization_scope(project.organization_id):
        BatchItem.objects.bulk_create(
            BatchItem(
                organization_id=project.organization_id,
                batch=job,
                number=number,
                status="succeeded",
                output="Fine.",
                parsed={"a": 1},
                run_id=run.pk,
                latency_ms=7,
            )
            for number in range(1, job.total + 1)
        )
        BatchJob.objects.filter(pk=job.pk).update(status="completed", completed_at=at)
    return job


def _date(model: type[TenantModel], row_id: UUID, **values: Any) -> None:
    with system_scope():
        model.all_organizations.filter(pk=row_id).update(**values)


def test_content__exactly_as_old_as_allowed__goes_and_its_facts_and_scores_stay() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=30)
    old, young = make_run(project=project, at=MONTH_AGO), make_run(project=project, at=YOUNGER)
    with organization_scope(project.organization_id):
        for run in (old, young):
            give_feedback(giver=Giver("user:1", "1"), run=run, score=4, comment="Good.")
            give_feedback(giver=Giver("user:2", "2"), run=run, score=None, comment="Words alone.")
    assert queries.dry_run(project.organization, NOW).total(DataClass.RUN_PAYLOADS) == 3
    done = purge(project.organization)
    assert (kept(project, RunPayload), kept(project, Run)) == ({young.pk}, {old.pk, young.pk})
    with organization_scope(project.organization_id):
        said = Feedback.objects.filter(run_id=old.pk).values_list("score", "sealed_text")
        assert list(said) == [(4, None)]
        assert Feedback.objects.filter(run_id=young.pk, sealed_text__isnull=False).count() == 2
        event = AuditEvent.objects.get(action="purge.finished")
    assert (done.state, done.counts["run_payloads"]) == (PurgeState.FINISHED, 3)
    assert event.changes == {"run_payloads": [3, 0]}
    assert queries.dry_run(project.organization, NOW).counts == []


def test_content__answers_kept_for_similar_questions__go_with_it_uncounted() -> None:
    project, other = make_project(), make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=30)
    make_cache_entry(project=project, created_at=MONTH_AGO)
    young = make_cache_entry(project=project, created_at=YOUNGER)
    theirs = make_cache_entry(project=other, created_at=MONTH_AGO)
    make_run(project=project, at=MONTH_AGO)
    assert purge(project.organization).counts["run_payloads"] == 1
    assert (kept(project, CacheEntry), kept(other, CacheEntry)) == ({young.pk}, {theirs.pk})


def test_facts__that_no_rollup_has_counted__wait_until_one_has() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_FACTS, days=30)
    counted, waiting = make_run(project=project, at=MONTH_AGO), make_run(project=project, at=MONTH_AGO)
    with system_scope():
        UncountedRuns.all_organizations.all().delete()
        UncountedRuns.all_organizations.create(organization_id=project.organization_id, run_ids=[waiting.pk])
    purge(project.organization)
    assert (kept(project, Run), kept(project, RunPayload)) == ({waiting.pk}, set())
    with system_scope():
        UncountedRuns.all_organizations.all().delete()
    purge(project.organization)
    assert kept(project, Run) == set()
    assert counted.pk != waiting.pk


def test_batches__that_ended_long_enough_ago__lose_answers_and_their_runs_content() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.BATCHES, days=30)
    old, young = _end_batch(project, MONTH_AGO), _end_batch(project, YOUNGER)
    running = make_batch(project=project)
    done = purge(project.organization)
    with organization_scope(project.organization_id):
        emptied = BatchItem.objects.filter(batch=old).values_list("output", "parsed", "latency_ms")
        assert set(emptied) == {("", None, 7)}
        assert BatchItem.objects.filter(batch=young, output="Fine.").count() == 3
        jobs = dict(BatchJob.objects.values_list("pk", "content_deleted_at"))
        with_content = set(
            Run.objects.filter(pk__in=kept(project, RunPayload)).values_list("source_id", flat=True)
        )
    assert jobs[old.pk] is not None
    assert (jobs[young.pk], jobs[running.pk]) == (None, None)
    assert with_content == {young.pk}
    assert done.counts["batches"] == 1


def test_batches__with_rows_of_their_own__lose_those_with_their_content_unless_another_has_them() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.BATCHES, days=30)
    alone, shared, sharing = (_end_batch(project, at) for at in (MONTH_AGO, MONTH_AGO, YOUNGER))
    with organization_scope(project.organization_id):
        BatchJob.objects.filter(pk=sharing.pk).update(dataset_version_id=shared.dataset_version_id)
        Dataset.objects.update(origin=Origin.BATCH)
    purge(project.organization)
    with organization_scope(project.organization_id):
        gone = DatasetVersion.objects.get(pk=alone.dataset_version_id)
        assert (gone.rows_deleted_at is not None, gone.rows.count()) == (True, 0)
        stays = DatasetVersion.objects.get(pk=shared.dataset_version_id)
        assert (stays.rows_deleted_at, stays.rows.count()) == (None, 3)
        assert set(BatchJob.objects.filter(content_deleted_at=None)) == {sharing}


def test_datasets__versions_that_were_replaced__lose_rows_and_files_unless_a_batch_shows_them() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.DATASETS, days=30)
    old = make_dataset_version(project=project, name="Reviews")
    new = make_dataset_version(project=project, name="Reviews")
    alone = make_dataset_version(project=project, name="Alone")
    used = _end_batch(project, MONTH_AGO).dataset_version
    with organization_scope(project.organization_id):
        file = files.store(
            organization_id=project.organization_id, name="a.csv", content_type="text/csv", chunks=[b"a"]
        )
        for version in (alone, used):
            archive_dataset(actor=SYSTEM, dataset=version.dataset)
    _date(DatasetVersion, old.pk, created_at=MONTH_AGO - timedelta(days=400), file_id=file.pk)
    _date(DatasetVersion, new.pk, created_at=YOUNGER)
    assert purge(project.organization).counts["datasets"] == 0
    _date(DatasetVersion, new.pk, created_at=MONTH_AGO)
    for version in (alone, used):
        _date(type(version.dataset), version.dataset_id, archived_at=MONTH_AGO)
    assert purge(project.organization).counts["datasets"] == 2
    with organization_scope(project.organization_id):
        left = set(DatasetRow.objects.values_list("dataset_version_id", flat=True))
        marked = set(
            DatasetVersion.objects.filter(rows_deleted_at__isnull=False).values_list("pk", flat=True)
        )
    assert left == {new.pk, used.pk}
    assert marked == {old.pk, alone.pk}
    assert kept(project, StoredFile) == set()


def test_batch__whose_answers_and_rows_are_gone__still_has_its_pages_and_no_retry(client: Client) -> None:
    project = make_project()
    for data_class in (DataClass.BATCHES, DataClass.DATASETS):
        make_policy(organization=project.organization, data_class=data_class, days=30)
    job = _end_batch(project, MONTH_AGO)
    with organization_scope(project.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(failed=3, pending=0)
        archive_dataset(actor=SYSTEM, dataset=job.dataset_version.dataset)
    _date(Dataset, job.dataset_version.dataset_id, archived_at=MONTH_AGO)
    assert purge(project.organization).counts["datasets"] == 1
    client.force_login(owner_of(project.organization))
    home = f"/{project.organization.slug}/{project.slug}"
    assert "Retention deleted" in client.get(f"{home}/batches/{job.public_id}/results/").content.decode()
    page = client.get(f"{home}/datasets/{job.dataset_version.dataset.public_id}/").content.decode()
    assert "Retention deleted the rows of v1" in page
    with organization_scope(project.organization_id), pytest.raises(Conflict, match="deleted the rows"):
        retry_failed(actor=SYSTEM, job=job)


def test_files_and_audit_details__go_by_age_but_not_while_any_hold_is_in_force() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.FILES, days=30)
    make_policy(organization=project.organization, data_class=DataClass.AUDIT, days=30)
    with organization_scope(project.organization_id):
        file = files.store(
            organization_id=project.organization_id, name="a", content_type="text/csv", chunks=[b"a"]
        )
        event = services.set_policy(
            actor=Actor(kind="user", id=uuid7(), role="owner", display="Ada"),
            organization=project.organization,
            data_class=DataClass.FILES,
            days=29,
        )
    seal_all()
    with organization_scope(project.organization_id):
        StoredFile.objects.filter(pk=file.pk).update(created_at=MONTH_AGO)
    details = AuditDetail.all_organizations.filter(organization_id=project.organization_id)
    hold = make_hold(project=project)
    future = datetime.now(UTC) + timedelta(days=31)
    assert not any(purge(project.organization, future).counts.values())
    with organization_scope(project.organization_id):
        assert details.count() >= 1
        services.release_hold(actor=SYSTEM, hold=hold, reason="Closed.")
    counts = purge(project.organization, future).counts
    assert (counts["files"], counts["audit"] >= 1) == (1, True)
    assert (kept(project, StoredFile), kept(project, FileChunk)) == (set(), set())
    with organization_scope(project.organization_id):
        assert details.count() == 0
        assert AuditEvent.objects.filter(object_id=event.public_id).exists()
    seal_all()
    assert list(audit_queries.verify_chain(project.organization_id)) == []


def test_work__stopped_and_changed_in_between__goes_on_by_what_holds_then() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=30)
    runs = [make_run(project=project, at=MONTH_AGO - timedelta(days=10 - n)) for n in range(6)]
    begun = begin(project.organization)
    # One piece at a time: each turn begins with a worker that knows nothing of the last.
    assert services.work(0, size=2, rest=0) == 1
    assert kept(project, RunPayload) == {run.pk for run in runs[2:]}
    hold = make_hold(project=project)
    while services.work(0, size=2, rest=0):
        pass
    assert kept(project, RunPayload) == {run.pk for run in runs[2:]}
    with organization_scope(project.organization_id):
        services.release_hold(actor=SYSTEM, hold=hold, reason="Closed.")
        assert PurgeRun.objects.get(pk=begun.pk).state == PurgeState.FINISHED
    purge(project.organization)
    assert kept(project, RunPayload) == set()


def test_begin_nights__is_once_a_night_and_leaves_out_organizations_made_since() -> None:
    organization = make_project().organization
    with system_scope():
        Organization.objects.filter(pk=organization.pk).update(created_at=NOW - timedelta(days=3))
    make_project()
    assert services.begin_nights(NOW) == 1
    assert services.begin_nights(NOW + timedelta(hours=10)) == 0
    services.work(5, rest=0)
    assert services.begin_nights(NOW + timedelta(hours=13, minutes=59)) == 0
    assert services.begin_nights(NOW + timedelta(hours=14)) >= 1
    with organization_scope(organization.id):
        nights = list(PurgeRun.objects.order_by("night").values_list("night", flat=True))
        assert nights == [date(2026, 11, 20), date(2026, 11, 21)]
        # Nothing was due, so the trail has nothing to tell.
        assert not AuditEvent.objects.filter(action="purge.finished").exists()


def test_job__while_older_runs_wait_to_be_counted__deletes_nothing() -> None:
    project = make_project()
    make_policy(organization=project.organization, data_class=DataClass.RUN_FACTS, days=30)
    old = make_run(project=project, at=datetime.now(UTC) - timedelta(days=40))
    begin(project.organization, at=datetime.now(UTC))
    assert jobs.purge() == 0
    assert kept(project, Run) == {old.pk}
    count_waiting()
    while count_history():
        pass
    jobs.purge()
    assert kept(project, Run) == set()
