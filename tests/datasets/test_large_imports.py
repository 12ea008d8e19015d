"""Files that a worker reads and imports: in pieces, after kills, by two at once, and what ends them."""

import pytest

from apps.audit.actor import SYSTEM
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import StoredFile
from apps.core.scope import organization_scope, system_scope
from apps.datasets import queries, services
from apps.datasets.jobs import sweep, work_on_import
from apps.datasets.mapping import RowValues
from apps.datasets.models import Dataset, DatasetImport, DatasetRow, DatasetVersion, ImportState, Origin
from apps.datasets.services import import_work
from apps.tenants.models import Project
from tests.factories import make_project
from tests.factories.datasets import make_dataset_import, make_dataset_version

pytestmark = pytest.mark.django_db
CSV = b"review,score\n" + b"".join(b"Review %d,%d\n" % (n, n) for n in range(1, 8)) + b"too,many,cells\n"


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    """Nothing is small, and a piece has two rows."""
    for module in ("uploading", "importing"):
        monkeypatch.setattr(f"apps.datasets.services.{module}.SMALL_FILE_BYTES", 0)
    monkeypatch.setattr(import_work, "ROWS_A_STATEMENT", 2)
    return make_project()


def now(waiting: DatasetImport) -> DatasetImport:
    with organization_scope(waiting.organization_id):
        return DatasetImport.objects.select_related("version__dataset").get(pk=waiting.pk)


def begin(project: Project, name: str = "Reviews", content: bytes = CSV) -> DatasetImport:
    """An import whose rows are next."""
    waiting = make_dataset_import(project=project, content=content)
    work_on_import(str(waiting.pk))
    waiting = now(waiting)
    with organization_scope(project.organization_id):
        return services.start_import(
            actor=SYSTEM,
            dataset_import=waiting,
            dataset_name=name,
            mapping=queries.import_mapping(waiting),
        )


def test_large_file__is_read_by_a_worker__then_waits(project: Project) -> None:
    waiting = make_dataset_import(project=project, content=CSV)
    assert (waiting.state, waiting.facts["rows"]) == (ImportState.READING, 0)
    with organization_scope(project.organization_id), pytest.raises(Conflict) as early:
        services.start_import(
            actor=SYSTEM, dataset_import=waiting, dataset_name="x", mapping=queries.import_mapping(waiting)
        )
    assert early.value.code == "import_under_way"
    work_on_import(str(waiting.pk))
    waiting = now(waiting)
    assert (waiting.state, waiting.facts["rows"], waiting.facts["problem_rows"]) == ("waiting", 7, 1)


def test_import__killed_between_pieces__goes_on_and_loses_nothing(project: Project) -> None:
    waiting = begin(project)
    assert services.work_off(waiting.pk, seconds=0) is True
    assert now(waiting).rows_written == 2
    with organization_scope(project.organization_id):
        assert list(queries.list_datasets(project)) == []
    assert services.work_off(waiting.pk, seconds=0) is True
    work_on_import(str(waiting.pk))
    version = now(waiting).version
    assert version is not None
    with organization_scope(project.organization_id):
        rows = queries.list_rows(version).values_list("number", "variables__review")
        assert list(rows) == [(n, f"Review {n}") for n in range(1, 8)]
        assert (version.dataset.name, version.dataset.origin, version.number) == ("Reviews", "library", 1)
        assert (version.row_count, version.problem_count, Dataset.objects.count()) == (7, 1, 1)


def test_import__into_a_dataset__is_its_next_version(project: Project) -> None:
    before = make_dataset_version(project=project, name="Reviews")
    waiting = begin(project)
    work_on_import(str(waiting.pk))
    version = now(waiting).version
    assert version is not None
    assert (version.dataset_id, version.number, version.kind) == (before.dataset_id, 2, "import")


def test_import__by_two_workers__writes_each_row_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = begin(project)
    write = import_work._write
    ahead = [True]

    def second_worker_first(*arguments: object) -> bool:
        if ahead:
            ahead.clear()
            assert services.work_off(waiting.pk, seconds=0) is True
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(import_work, "_write", second_worker_first)
    assert services.work_off(waiting.pk, seconds=60) is False
    assert now(waiting).rows_written == 2
    work_on_import(str(waiting.pk))
    with organization_scope(project.organization_id):
        assert DatasetRow.objects.count() == 7


def test_import__into_a_dataset_archived_meanwhile__fails_with_the_reason(project: Project) -> None:
    waiting = begin(project)
    version = make_dataset_version(project=project, name="Reviews")
    with organization_scope(project.organization_id):
        services.archive_dataset(actor=SYSTEM, dataset=version.dataset)
    work_on_import(str(waiting.pk))
    ended = now(waiting)
    assert (ended.state, ended.error_code) == (ImportState.FAILED, "dataset_archived")
    with system_scope():
        staged = Dataset.all_organizations.get(origin=Origin.IMPORT)
        assert staged.deleted_at is not None
    services.purge_deleted()
    with organization_scope(project.organization_id):
        assert not DatasetVersion.objects.filter(dataset_id=staged.pk).exists()


def test_import__whose_file_expired__fails_with_the_reason(project: Project) -> None:
    waiting = begin(project)
    with organization_scope(project.organization_id):
        StoredFile.objects.filter(pk=waiting.file_id).delete()
    work_on_import(str(waiting.pk))
    assert (now(waiting).state, now(waiting).error_code) == (ImportState.FAILED, "file_expired")


def test_file__not_to_be_read_to_its_end__fails_with_the_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.datasets.services.uploading.MAX_ROWS", 3)
    waiting = make_dataset_import(project=project, content=CSV)
    work_on_import(str(waiting.pk))
    assert (now(waiting).state, now(waiting).error_code) == (ImportState.FAILED, "too_many_rows")


def test_import__that_breaks_off_again_and_again__is_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = begin(project)

    def break_off(*_: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(import_work, "_write", break_off)
    for _ in range(import_work.MOST_FAILURES):
        assert now(waiting).state == ImportState.IMPORTING
        work_on_import(str(waiting.pk))
    assert (now(waiting).state, now(waiting).error_code) == (ImportState.FAILED, "import_failed")


def test_sweep__import_that_nobody_works_on__is_rung_for_again(project: Project) -> None:
    waiting = begin(project)
    assert sweep() == 0
    with organization_scope(project.organization_id):
        DatasetImport.objects.filter(pk=waiting.pk).update(touched_at="2026-11-01T00:00:00Z")
    assert sweep() == 1


def test_problems__more_than_are_kept__are_all_counted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.datasets.services.importing.MOST_PROBLEMS_KEPT", 2)
    waiting = begin(project, content=b"a,b\n1,2\n" + b"x\n" * 5)
    work_on_import(str(waiting.pk))
    version = now(waiting).version
    assert version is not None
    with organization_scope(project.organization_id):
        kept = queries.stored_file(version.problems_file_id)
        assert kept is not None
        lines = files.content(kept).decode().splitlines()
    assert (version.problem_count, len(lines), "and 3 more rows" in lines[-1]) == (5, 4, True)


def test_large_version__takes_files_only(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.datasets.row_storage.MOST_ROWS_COPIED", 2)
    version = make_dataset_version(project=project, name="Reviews")
    rows = [RowValues({"review": "x"}, None, {})]
    with organization_scope(project.organization_id):
        refusals = (
            lambda: services.append_rows(actor=SYSTEM, dataset=version.dataset, rows=rows),
            lambda: services.change_columns(actor=SYSTEM, dataset=version.dataset, mapping=[]),
            lambda: services.add_row(
                actor=SYSTEM, dataset=version.dataset, version_number=1, after=None, values={"review": "x"}
            ),
        )
        for refused in refusals:
            with pytest.raises(InvalidRequest) as told:
                refused()
            assert told.value.code == "dataset_too_large"
        assert services.replace_rows(actor=SYSTEM, dataset=version.dataset, rows=rows).number == 2
