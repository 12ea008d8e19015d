"""The row editor: a draft, two editors, versions, comparison."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.scope import organization_scope, system_scope
from apps.datasets import queries, services
from apps.datasets.comparing import compare
from apps.datasets.exporting import export_file
from apps.datasets.mapping import ColumnMapping, RowValues
from apps.datasets.models import Dataset, DatasetRow, DatasetVersion
from apps.tenants.models import Project
from tests.factories import make_dataset_import, make_project

pytestmark = pytest.mark.django_db

CONTENT = b"id,review\n1,one\n2,two\n3,three\n"


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def scope(project: Project) -> Iterator[None]:
    with organization_scope(project.organization_id):
        yield


@pytest.fixture
def version(project: Project, scope: None) -> DatasetVersion:
    waiting = make_dataset_import(project=project, content=CONTENT)
    return services.import_rows(
        actor=SYSTEM, dataset_import=waiting, dataset_name="Rows", mapping=queries.import_mapping(waiting)
    )


def change(version: DatasetVersion, place: int, text: str, *, revision: int = 0, **more: Any) -> int:
    values = {"id": str(place), "review": text}
    names = {"sequence": 0, "version_number": version.number} | more
    found = services.change_row(
        actor=SYSTEM, dataset=version.dataset, place=place, values=values, revision=revision, **names
    )
    return found.revision


def content(version: DatasetVersion) -> str:
    return b"".join(export_file(version, "csv").chunks).decode()


def test_draft__change_add_duplicate_remove__become_one_version(version: DatasetVersion) -> None:
    dataset = version.dataset
    change(version, 2, "TWO")
    services.add_row(
        actor=SYSTEM, dataset=dataset, version_number=1, after=1, values={"id": "1", "review": "copy"}
    )
    services.add_row(
        actor=SYSTEM, dataset=dataset, version_number=1, after=None, values={"id": "9", "review": "last"}
    )
    services.remove_row(actor=SYSTEM, dataset=dataset, version_number=1, place=3, sequence=0, revision=0)
    draft = queries.get_draft(dataset)
    assert draft is not None
    assert (draft.added, draft.changed, draft.removed) == (2, 1, 1)
    second = services.publish_draft(actor=SYSTEM, dataset=dataset, revision=4, note="By hand")
    assert content(second) == "id,review\n1,one\n1,copy\n2,TWO\n9,last\n"
    assert (second.number, second.row_count, second.kind, second.note) == (2, 4, "edit", "By hand")
    assert content(version) == CONTENT.decode()
    assert queries.get_draft(dataset) is None
    found = compare(version, second)
    assert (found.added, found.changed, found.removed) == (2, 1, 1)
    assert [(row.kind, row.after and row.after.number) for row in found.rows] == [
        ("added", 2),
        ("changed", 3),
        ("removed", None),
        ("added", 4),
    ]


def test_change_row__second_editor_of_the_same_row__gets_a_conflict(version: DatasetVersion) -> None:
    seen = change(version, 2, "first")
    change(version, 3, "another row is nobody's business")
    with pytest.raises(Conflict) as refused:
        change(version, 2, "second")
    assert (refused.value.code, refused.value.extra["current_revision"]) == ("row_changed", seen)
    change(version, 2, "second, knowing", revision=seen)
    undone = services.undo_change(
        actor=SYSTEM, dataset=version.dataset, version_number=1, place=2, sequence=0, revision=3
    )
    assert undone.revision == 4


def test_publish__draft_edited_meanwhile__gets_a_conflict(version: DatasetVersion) -> None:
    change(version, 1, "a")
    change(version, 2, "b")
    with pytest.raises(Conflict) as refused:
        services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=1)
    assert refused.value.code == "draft_changed"
    with pytest.raises(Conflict):
        services.discard_draft(actor=SYSTEM, dataset=version.dataset, revision=1)
    services.discard_draft(actor=SYSTEM, dataset=version.dataset, revision=2)
    with pytest.raises(NotFound):
        services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=2)


def test_publish__newer_version_came__asks_first(project: Project, version: DatasetVersion) -> None:
    change(version, 1, "edited")
    waiting = make_dataset_import(project=project, content=b"id,review\n7,new\n")
    services.import_rows(
        actor=SYSTEM, dataset_import=waiting, dataset_name="Rows", mapping=queries.import_mapping(waiting)
    )
    with pytest.raises(Conflict) as refused:
        services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=1)
    assert (refused.value.code, refused.value.extra["current_number"]) == ("dataset_version_stale", 2)
    third = services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=1, on_top=True)
    assert (third.number, content(third)) == (3, "id,review\n1,edited\n2,two\n3,three\n")


def test_append__new_columns_and_open_draft__keeps_both(version: DatasetVersion) -> None:
    change(version, 1, "edited")
    rows = [RowValues({"review": "four"}, "fine", {"run_id": "run_1"})]
    second = services.append_rows(
        actor=SYSTEM, dataset=version.dataset, rows=rows, expected_number=1, note="From a run"
    )
    assert content(second).splitlines() == [
        "id,review,expected,run_id",
        "1,one,,",
        "2,two,,",
        "3,three,,",
        ",four,fine,run_1",
    ]
    third = services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=1)
    assert content(third).splitlines()[1:] == ["1,edited,,", "2,two,,", "3,three,,", ",four,fine,run_1"]
    with pytest.raises(Conflict) as refused:
        services.append_rows(actor=SYSTEM, dataset=version.dataset, rows=rows, expected_number=1)
    assert refused.value.code == "dataset_version_stale"


def test_append__value_of_another_type__names_the_row(project: Project, scope: None) -> None:
    columns = [ColumnMapping("n", "variable", "n", "number")]
    empty = services.create_dataset(actor=SYSTEM, project=project, name="Numbers", columns=columns)
    assert (empty.row_count, content(empty)) == (0, "n\n")
    rows = [RowValues({"n": 1}, None, {}), RowValues({"n": "x"}, None, {})]
    with pytest.raises(InvalidRequest) as refused:
        services.append_rows(actor=SYSTEM, dataset=empty.dataset, rows=rows)
    assert (refused.value.code, refused.value.param) == ("row_invalid", "rows.1")


def test_restore__older_version__is_the_newest_again(version: DatasetVersion) -> None:
    change(version, 1, "edited")
    services.publish_draft(actor=SYSTEM, dataset=version.dataset, revision=1)
    third = services.restore_version(actor=SYSTEM, version=version, expected_number=2)
    assert (third.number, third.kind, content(third)) == (3, "restore", CONTENT.decode())
    assert compare(version, third).total == 0
    with pytest.raises(InvalidRequest):
        services.restore_version(actor=SYSTEM, version=third)


def test_change_columns__other_role_and_type__keeps_the_given_values(version: DatasetVersion) -> None:
    mapping = [ColumnMapping("id", "variable", "key", "number"), ColumnMapping("review", "ignore", "review")]
    second = services.change_columns(actor=SYSTEM, dataset=version.dataset, mapping=mapping)
    assert [row.variables for row in queries.list_rows(second)] == [{"key": 1}, {"key": 2}, {"key": 3}]
    assert content(second) == CONTENT.decode()
    bad = [mapping[0], ColumnMapping("review", "variable", "review", "number")]
    with pytest.raises(InvalidRequest) as refused:
        services.change_columns(actor=SYSTEM, dataset=version.dataset, mapping=bad)
    assert refused.value.message.startswith("Row 1: column 'review'")


def test_compare__two_uploads__pairs_by_number(project: Project, version: DatasetVersion) -> None:
    waiting = make_dataset_import(project=project, content=b"id,review\n1,one\n2,TWO\n3,three\n4,four\n")
    second = services.import_rows(
        actor=SYSTEM, dataset_import=waiting, dataset_name="Rows", mapping=queries.import_mapping(waiting)
    )
    found = compare(version, second)
    assert (found.added, found.changed, found.removed) == (1, 1, 0)


def test_archived__dataset__is_left_alone(project: Project, version: DatasetVersion) -> None:
    services.archive_dataset(actor=SYSTEM, dataset=version.dataset)
    assert not queries.list_datasets(project).exists()
    assert not queries.project_versions(project).exists()
    with pytest.raises(Conflict) as refused:
        change(version, 1, "x")
    assert refused.value.code == "dataset_archived"
    services.unarchive_dataset(actor=SYSTEM, dataset=version.dataset)
    assert queries.list_datasets(project).count() == 1


def test_deleted__dataset__frees_its_name_and_is_purged(project: Project) -> None:
    with organization_scope(project.organization_id):
        waiting = make_dataset_import(project=project, content=CONTENT)
        version = services.import_rows(
            actor=SYSTEM,
            dataset_import=waiting,
            dataset_name="Rows",
            mapping=queries.import_mapping(waiting),
        )
        change(version, 1, "x")
        services.delete_dataset(actor=SYSTEM, dataset=version.dataset)
        with pytest.raises(NotFound):
            queries.get_version(project, version.public_id)
        services.create_dataset(
            actor=SYSTEM, project=project, name="Rows", columns=[ColumnMapping("a", "variable", "a")]
        )
    assert services.purge_deleted() == 1
    with system_scope():
        assert not DatasetRow.all_organizations.exists()
        assert Dataset.all_organizations.count() == 1


def test_rename__taken_name__is_a_conflict(project: Project, version: DatasetVersion) -> None:
    columns = [ColumnMapping("a", "variable", "a")]
    services.create_dataset(actor=SYSTEM, project=project, name="Other", columns=columns)
    with pytest.raises(Conflict) as refused:
        services.rename_dataset(actor=SYSTEM, dataset=version.dataset, name="Other")
    assert (refused.value.code, refused.value.param) == ("name_taken", "name")
