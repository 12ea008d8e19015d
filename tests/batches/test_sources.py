"""Rows for a batch from an upload, from earlier runs and from another batch."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from apps.audit.actor import SYSTEM
from apps.batches import services
from apps.batches.jobs import prepare_rows as prepare_job
from apps.batches.models import BatchItem, BatchJob, JobStatus, Source
from apps.batches.option_records import options_as_json, options_of
from apps.batches.planning import VariantChoice
from apps.batches.preparation_models import PreparationState, RowPreparation
from apps.batches.row_sources import BatchSource, ImportSource, RunsSource, source_of
from apps.batches.rules import RerunRule, RowChoice
from apps.batches.services import preparing, preparing_work
from apps.batches.services.starting import BatchOptions
from apps.batches.taking import batches as batch_taking
from apps.batches.taking import runs as runs_taking
from apps.batches.work import MultiRowWork
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.scope import organization_scope, system_scope
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.datasets.models import Dataset, DatasetRow, DatasetVersion, Origin
from apps.runs.queries import RunFilters
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from tests.batches.support import reload
from tests.factories import make_content, make_project, make_prompt, make_run
from tests.factories.batches import make_batch
from tests.factories.datasets import make_dataset_import

pytestmark = pytest.mark.django_db
PROMPT = PromptReference("classify", number=1)
ROWS = [RowValues({"review": "x"}, None, {})]
CSV = b"review,expected\n" + b"".join(b"Review %d,Positive\n" % n for n in range(1, 8))


@pytest.fixture
def project() -> Project:
    made = make_project()
    make_prompt(project=made, name="classify", content=make_content("Classify: {{ review }}"))
    return made


@pytest.fixture
def left_to_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is small; pieces are of two."""
    monkeypatch.setattr(preparing, "MOST_RUNS_AT_ONCE", 0)
    monkeypatch.setattr(preparing, "MOST_ROWS_AT_ONCE", 0)
    monkeypatch.setattr(preparing, "SMALL_FILE_BYTES", 0)
    monkeypatch.setattr(runs_taking, "RUNS_A_PIECE", 2)
    monkeypatch.setattr(batch_taking, "ROWS_A_PIECE", 2)


def start_from(project: Project, source: object, **options: object) -> BatchJob:
    with organization_scope(project.organization_id):
        return services.start_batch_from(
            actor=SYSTEM,
            project=project,
            prompt=PROMPT,
            source=source,  # type: ignore[arg-type]
            options=BatchOptions(**options),  # type: ignore[arg-type]
        )


def preparation_of(job: BatchJob) -> RowPreparation:
    with organization_scope(job.organization_id):
        return RowPreparation.objects.select_related("dataset_version__dataset").get(batch_id=job.pk)


def rows_of(job: BatchJob) -> list[tuple[int, object, str | None]]:
    with organization_scope(job.organization_id):
        found = DatasetRow.objects.filter(dataset_version_id=reload(job).dataset_version_id)
        return [(row.number, row.variables.get("review"), row.expected) for row in found.order_by("number")]


def ended_batch(project: Project, *confidences: float) -> BatchJob:
    """A batch whose rows ended with such a confidence; those below a half differ from what was expected."""
    job = make_batch(project=project, rows=len(confidences))
    with organization_scope(project.organization_id):
        for number, confidence in enumerate(confidences, start=1):
            BatchItem.objects.create(
                organization_id=project.organization_id,
                batch=job,
                number=number,
                status="succeeded",
                parsed={"confidence": confidence},
                matches=confidence >= 0.5,
            )
    return job


def test_runs__few__start_at_once_over_their_variables(project: Project) -> None:
    for number in range(3):
        make_run(project=project, text=f"Answer {number}")
    job = start_from(project, RunsSource(limit=2))
    assert (job.status, job.source, job.total) == (JobStatus.IN_PROGRESS, Source.RUNS, 2)
    assert rows_of(job) == [(1, "It broke.", "Answer 1"), (2, "It broke.", "Answer 2")]


def test_runs__many__are_taken_by_a_worker__and_what_has_no_content_is_told(
    project: Project, left_to_a_worker: None
) -> None:
    for number in range(5):
        make_run(project=project, text=f"Answer {number}", record_payload=number != 2)
    job = start_from(project, RunsSource(limit=10, expected="none"), name="Again", cost_cap=None)
    assert (job.status, job.total, job.name) == (JobStatus.VALIDATING, 0, "Again")
    make_run(project=project, text="Too late")
    prepare_job(str(preparation_of(job).pk))
    job = reload(job)
    assert (job.status, job.total, job.pending, job.name) == (JobStatus.IN_PROGRESS, 4, 4, "Again")
    assert [number for number, *_ in rows_of(job)] == [1, 2, 3, 4]
    found = preparation_of(job)
    assert (found.state, found.rows, found.left_out) == (PreparationState.READY, 4, 1)


def test_runs__killed_between_pieces__goes_on_behind_the_last(
    project: Project, left_to_a_worker: None
) -> None:
    for number in range(5):
        make_run(project=project, text=f"Answer {number}")
    job = start_from(project, RunsSource(limit=10, order="random"))
    found = preparation_of(job)
    assert preparing_work.work_off(found.pk, seconds=0) is True
    half = rows_of(job)
    assert len(half) == 2
    prepare_job(str(found.pk))
    ended = rows_of(job)
    assert (ended[:2], [number for number, *_ in ended]) == (half, [1, 2, 3, 4, 5])
    assert {answer for *_, answer in ended} == {f"Answer {number}" for number in range(5)}


def test_runs__by_filter__takes_no_others(project: Project) -> None:
    make_run(project=project, text="Gateway")
    make_run(project=project, text="Playground", source="playground")
    job = start_from(project, RunsSource(RunFilters(source="playground")))
    assert [expected for *_, expected in rows_of(job)] == ["Playground"]


def test_runs__none__is_refused_by_name(project: Project) -> None:
    with pytest.raises(InvalidRequest) as refused:
        start_from(project, RunsSource(RunFilters(status="failed")))
    assert (refused.value.code, refused.value.param) == ("no_rows", "runs")


def test_batch__rows_below_a_value__are_copied_in_order(project: Project) -> None:
    other = ended_batch(project, 0.9, 0.2, 0.6, 0.4)
    job = start_from(project, BatchSource(other.pk, RowChoice(field="confidence", below=0.5)))
    assert (job.source, job.total) == (Source.BATCH, 2)
    assert rows_of(job) == [(1, "Great product 2.", "Positive"), (2, "Great product 4.", "Positive")]


def test_batch__many__is_copied_in_pieces_by_a_worker(project: Project, left_to_a_worker: None) -> None:
    other = ended_batch(project, 0.1, 0.9, 0.1, 0.1, 0.1)
    job = start_from(project, BatchSource(other.pk, RowChoice(match="differs")))
    found = preparation_of(job)
    assert preparing_work.work_off(found.pk, seconds=0) is True
    prepare_job(str(found.pk))
    assert [review for _, review, _ in rows_of(job)] == [f"Great product {n}." for n in (1, 3, 4, 5)]
    with organization_scope(project.organization_id):
        version = DatasetVersion.objects.get(pk=reload(job).dataset_version_id)
        assert [column["name"] for column in version.columns] == ["review", "expected", "id"]


def test_batch__of_another_project__is_not_found(project: Project) -> None:
    other = ended_batch(make_project(organization=project.organization, name="Other"), 0.1)
    with pytest.raises(NotFound):
        start_from(project, BatchSource(other.pk, RowChoice(match="differs")))


def test_upload__large__is_imported_by_a_worker_and_starts(project: Project, left_to_a_worker: None) -> None:
    upload = make_dataset_import(project=project, content=CSV)
    job = start_from(project, ImportSource(upload.pk))
    prepare_job(str(preparation_of(job).pk))
    job = reload(job)
    assert (job.status, job.source, job.total) == (JobStatus.IN_PROGRESS, Source.UPLOAD, 7)
    assert preparation_of(job).dataset_version.dataset.origin == Origin.BATCH


def test_upload__without_the_variable__ends_the_batch_with_the_reason(
    project: Project, left_to_a_worker: None
) -> None:
    upload = make_dataset_import(project=project, content=b"text,label\nGood,Positive\n")
    job = start_from(project, ImportSource(upload.pk))
    prepare_job(str(preparation_of(job).pk))
    job = reload(job)
    assert (job.status, job.total) == (JobStatus.FAILED, 0)
    assert (job.problem["code"], job.problem["param"]) == ("variable_missing", "variables.review")


def test_upload__used_before__is_refused(project: Project) -> None:
    upload = make_dataset_import(project=project, content=CSV)
    start_from(project, ImportSource(upload.pk))
    with pytest.raises(Conflict) as refused:
        start_from(project, ImportSource(upload.pk))
    assert refused.value.code == "already_imported"


def test_batch_that_waits__stopped__does_not_start(project: Project, left_to_a_worker: None) -> None:
    make_run(project=project)
    job = start_from(project, RunsSource())
    with organization_scope(project.organization_id):
        services.cancel_batch(actor=SYSTEM, job=job)
    prepare_job(str(preparation_of(job).pk))
    assert (reload(job).status, reload(job).total) == (JobStatus.CANCELLED, 0)


def test_rows_of_a_batch__stay_out_of_the_library__until_they_are_kept(project: Project) -> None:
    make_run(project=project)
    job = start_from(project, RunsSource())
    with organization_scope(project.organization_id):
        version = dataset_queries.get_version(project, DatasetVersion.objects.get().public_id)
        assert list(dataset_queries.list_datasets(project)) == []
        assert list(dataset_queries.project_versions(project)) == []
        with pytest.raises(NotFound):
            dataset_queries.get_dataset(project, version.dataset.public_id)
        with pytest.raises(Conflict):
            dataset_services.append_rows(actor=SYSTEM, dataset=version.dataset, rows=ROWS)
        kept = dataset_services.keep_dataset(actor=SYSTEM, version=version, name="Kept")
        assert dataset_queries.get_dataset(project, kept.public_id).name == "Kept"
        with pytest.raises(Conflict) as twice:
            dataset_services.keep_dataset(actor=SYSTEM, version=version, name="Again")
        assert twice.value.code == "dataset_kept"
    assert reload(job).source == Source.RUNS


def test_keep__under_a_taken_name__is_refused(project: Project) -> None:
    make_run(project=project)
    start_from(project, RunsSource())
    with organization_scope(project.organization_id):
        version = DatasetVersion.objects.get()
        dataset_services.create_version(actor=SYSTEM, project=project, dataset_name="Taken", rows=ROWS)
        with pytest.raises(Conflict) as refused:
            dataset_services.keep_dataset(actor=SYSTEM, version=version, name="Taken")
    assert (refused.value.code, refused.value.param) == ("name_taken", "name")


def test_purge__rows_that_no_batch_uses__go_after_a_week(project: Project) -> None:
    make_run(project=project)
    used = start_from(project, RunsSource())
    with organization_scope(project.organization_id):
        unused = services.prepare_rows(actor=SYSTEM, project=project, source=RunsSource()).dataset_version
        Dataset.objects.update(created_at=datetime(2026, 11, 1, tzinfo=UTC))
    services.purge_unused_rows()
    with system_scope():
        gone = Dataset.all_organizations.filter(deleted_at__isnull=False).values_list("pk", flat=True)
        assert list(gone) == [unused.dataset_id]
        assert unused.pk != reload_version(used)


def reload_version(job: BatchJob) -> object:
    return BatchJob.all_organizations.get(pk=job.pk).dataset_version_id


def test_options__every_one__comes_back_from_json() -> None:
    options = BatchOptions(
        **{
            **{each.name: getattr(BatchOptions(), each.name) for each in fields(BatchOptions)},
            "name": "n",
            "cost_cap": Decimal("1.5"),
            "api_key_id": uuid4(),
            "start_at": datetime(2026, 1, 1, tzinfo=UTC),
            "deadline": datetime(2026, 1, 2, tzinfo=UTC),
            "rerun_rule": RerunRule(RowChoice(match="differs"), model="a/b"),
            "variants": (VariantChoice(number=2), VariantChoice(model="a/b", parameters={"seed": 1})),
            "work": MultiRowWork(),
            "parameters": {"temperature": 0.5},
        }
    )
    assert options_of(options_as_json(PROMPT, options)) == (PROMPT, options)


@pytest.mark.parametrize(
    "source",
    [
        ImportSource(uuid4(), ({"column": "a", "role": "variable", "name": "a", "type": "text"},), "rows"),
        RunsSource(RunFilters(prompt_id=uuid4(), since=datetime(2026, 1, 1, tzinfo=UTC)), before=uuid4()),
        BatchSource(uuid4(), RowChoice(codes=("a",), field="b", below=0.5)),
    ],
)
def test_source__any__comes_back_from_json(source: object) -> None:
    assert source_of(source.as_json()) == source  # type: ignore[attr-defined]
