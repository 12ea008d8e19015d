import csv
import io

import pytest

from apps.audit.actor import SYSTEM
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.core.scope import organization_scope
from apps.datasets import queries, services
from apps.datasets.mapping import ColumnMapping, RowValues
from apps.datasets.models import Dataset, DatasetImport, DatasetRow, DatasetVersion
from apps.tenants.models import Project
from tests.factories import make_dataset_import, make_dataset_version, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def import_all(dataset_import: DatasetImport, name: str = "Reviews") -> DatasetVersion:
    with organization_scope(dataset_import.organization_id):
        return services.import_rows(
            actor=SYSTEM,
            dataset_import=dataset_import,
            dataset_name=name,
            mapping=queries.import_mapping(dataset_import),
        )


def test_upload_file__csv__keeps_facts_and_proposes_a_mapping(project: Project) -> None:
    dataset_import = make_dataset_import(project=project, content=b"id;review;label\n1;Good;Positive\n")
    with organization_scope(project.organization_id):
        facts = queries.import_facts(dataset_import)
        roles = [item.role for item in queries.import_mapping(dataset_import)]
    assert (facts.delimiter, facts.columns) == (";", ("id", "review", "label"))
    assert roles == ["metadata", "variable", "expected"]


def test_upload_file__over_the_cap__is_refused_by_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.datasets.services.uploading.MAX_FILE_BYTES", 2 * 1024 * 1024)
    chunks = (b"x" * 1024 * 1024 for _ in range(3))
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as refused:
        services.upload_file(actor=SYSTEM, project=project, name="big.csv", chunks=chunks)
    assert (refused.value.code, refused.value.param) == ("file_too_large", "file")


def test_upload_file__no_text__is_refused_by_name(project: Project) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_dataset_import(project=project, content=b"\x89PNG\r\n\x1a\n\x00\x01")
    assert (refused.value.code, refused.value.param) == ("file_unreadable", "file")


def test_import_rows__good_and_bad__counts_both_and_keeps_the_bad_to_download(project: Project) -> None:
    content = b'review,sentiment\nGood,Positive\nonly one\n"=HYPERLINK(1)",x,y\nBad,Negative\n'
    version = import_all(make_dataset_import(project=project, content=content))
    assert (version.number, version.row_count, version.problem_count) == (1, 2, 2)
    with organization_scope(project.organization_id):
        rows = list(queries.list_rows(version))
        stored = queries.stored_file(version.problems_file_id)
        assert stored is not None
        problems = list(csv.reader(io.StringIO(b"".join(files.read(stored)).decode())))
    assert [(row.number, row.variables, row.expected) for row in rows] == [
        (1, {"review": "Good"}, "Positive"),
        (2, {"review": "Bad"}, "Negative"),
    ]
    assert problems[0] == ["line", "problem", "row"]
    assert [row[0] for row in problems[1:]] == ["3", "4"]
    assert problems[2][2].startswith('"=HYPERLINK') or problems[2][2].startswith("'")


def test_import_rows__same_name_again__makes_the_next_version(project: Project) -> None:
    first = import_all(make_dataset_import(project=project))
    second = import_all(make_dataset_import(project=project))
    assert (first.dataset_id, first.number, second.number) == (second.dataset_id, 1, 2)


def test_import_rows__twice__is_a_conflict(project: Project) -> None:
    dataset_import = make_dataset_import(project=project)
    import_all(dataset_import)
    with pytest.raises(Conflict) as refused:
        import_all(dataset_import)
    assert refused.value.code == "already_imported"


def test_import_rows__nothing_usable__leaves_nothing_behind(project: Project) -> None:
    dataset_import = make_dataset_import(project=project, content=b"a,b\nonly\n")
    with pytest.raises(InvalidRequest) as refused:
        import_all(dataset_import)
    assert refused.value.code == "no_rows"
    with organization_scope(project.organization_id):
        assert not Dataset.objects.exists()


def test_import_rows__bad_mapping__names_the_column(project: Project) -> None:
    dataset_import = make_dataset_import(project=project)
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as refused:
        services.import_rows(
            actor=SYSTEM,
            dataset_import=dataset_import,
            dataset_name="x",
            mapping=[ColumnMapping("nope", "variable", "nope")],
        )
    assert (refused.value.code, refused.value.param) == ("mapping_invalid", "mapping.nope")


def test_choose_format__other_delimiter__reads_the_file_anew(project: Project) -> None:
    dataset_import = make_dataset_import(project=project, content=b"a,b;c\n1,2;3\n4,5;6\n")
    with organization_scope(project.organization_id):
        services.choose_format(
            actor=SYSTEM, dataset_import=dataset_import, delimiter=";", encoding="utf-8", has_header=True
        )
        assert queries.preview(dataset_import).columns == ("a,b", "c")
        with pytest.raises(InvalidRequest):
            services.choose_format(
                actor=SYSTEM, dataset_import=dataset_import, delimiter="x", encoding="utf-8", has_header=True
            )


def test_create_version__rows_given__are_stored_in_order(project: Project) -> None:
    rows = [RowValues({"n": number}, None, {"source": "api"}) for number in range(5)]
    version = make_dataset_version(project=project, rows=rows)
    with organization_scope(project.organization_id):
        assert [row.variables["n"] for row in queries.list_rows(version)] == [0, 1, 2, 3, 4]
        assert [(column["name"], column["role"]) for column in version.columns] == [
            ("n", "variable"),
            ("source", "metadata"),
        ]


def test_create_version__no_rows__is_refused(project: Project) -> None:
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest):
        services.create_version(actor=SYSTEM, project=project, dataset_name="x", rows=[])


def test_import_rows__five_thousand__numbers_without_gaps(project: Project) -> None:
    content = b"review\n" + b"".join(b"row %d\n" % number for number in range(5_000))
    version = import_all(make_dataset_import(project=project, content=content))
    with organization_scope(project.organization_id):
        numbers = DatasetRow.objects.filter(dataset_version=version).order_by("number").values_list("number")
        assert [number for (number,) in numbers] == list(range(1, 5_001))


def test_delete_dataset__another_is_called_by_its_id__frees_the_name(project: Project) -> None:
    version = make_dataset_version(project=project)
    other = make_dataset_version(project=project)
    with organization_scope(project.organization_id):
        Dataset.objects.filter(pk=other.dataset_id).update(name=version.dataset.public_id)
        services.delete_dataset(actor=SYSTEM, dataset=version.dataset)
        assert Dataset.objects.get(pk=version.dataset_id).deleted_at is not None
