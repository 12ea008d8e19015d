"""The row editor's pages, without JavaScript."""

import pytest
from django.test import Client

from apps.core.scope import organization_scope
from apps.datasets import queries
from apps.datasets.models import Dataset, DatasetVersion
from apps.tenants.models import Project
from tests.factories import make_dataset_version, make_project, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def dataset(project: Project) -> Dataset:
    return make_dataset_version(project=project, name="Reviews").dataset


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


@pytest.fixture
def base(project: Project, dataset: Dataset) -> str:
    return f"/{project.organization.slug}/{project.slug}/datasets/{dataset.public_id}/"


def edited(text: str, *, revision: int = 0, expected: str = "Positive") -> dict[str, str | int]:
    return {"value_0": text, "value_1": expected, "revision": revision, "version": 1}


def latest(project: Project, dataset: Dataset) -> DatasetVersion:
    with organization_scope(project.organization_id):
        return queries.get_numbered_version(dataset, None)


def test_editor__edit_add_duplicate_remove_publish__makes_the_next_version(
    web: Client, project: Project, dataset: Dataset, base: str
) -> None:
    assert "Great product." in web.get(f"{base}rows/1.0/").content.decode()
    assert web.post(f"{base}rows/1.0/", edited("Great <b>product</b>")).headers["Location"] == base
    assert web.post(f"{base}rows/new/", edited("Brand new")).status_code == 302
    assert "Love it." in web.get(f"{base}rows/new/?copy=3.0").content.decode()
    assert web.post(f"{base}rows/new/?copy=3.0", edited("Love it.")).status_code == 302
    assert web.post(f"{base}rows/2.0/remove/").status_code == 302
    page = web.get(base).content.decode()
    assert "2 rows added, 1 changed, 1 removed" in page
    assert "Great &lt;b&gt;product" in page
    assert "Draft of v1" not in web.get(f"{base}?version=1").content.decode()
    assert "Publish the draft as v2?" in web.get(f"{base}draft/publish/").content.decode()
    answer = web.post(f"{base}draft/publish/", {"revision": 4, "note": "Cleaned"})
    assert answer.status_code == 302
    version = latest(project, dataset)
    with organization_scope(project.organization_id):
        texts = [row.variables["review"] for row in queries.list_rows(version)]
    assert texts == ["Great <b>product</b>", "Love it.", "Brand new", "Love it."]
    versions = web.get(f"{base}versions/").content.decode()
    assert "Cleaned" in versions
    assert "From v1 to v2: <strong>2</strong> rows added, <strong>1</strong> changed" in versions


def test_editor__second_editor__keeps_the_text_and_sees_the_others(web: Client, base: str) -> None:
    web.post(f"{base}rows/1.0/", edited("Theirs"))
    answer = web.post(f"{base}rows/1.0/", edited("Mine"))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Theirs" in page
    assert "Mine" in page
    assert 'name="revision" value="1"' in page
    assert web.post(f"{base}rows/1.0/", edited("Mine", revision=1)).status_code == 302


def test_publish__edited_meanwhile__shows_it_with_409(web: Client, base: str) -> None:
    web.post(f"{base}rows/1.0/", edited("One"))
    web.post(f"{base}rows/2.0/", edited("Two"))
    answer = web.post(f"{base}draft/publish/", {"revision": 1})
    assert answer.status_code == 409
    assert "edited after you opened this page" in answer.content.decode()


def test_discard__asks_and_leaves_the_version(
    web: Client, project: Project, dataset: Dataset, base: str
) -> None:
    web.post(f"{base}rows/1.0/", edited("One"))
    assert "1 edit of v1" in web.get(f"{base}draft/discard/").content.decode()
    assert web.post(f"{base}draft/discard/", {"revision": 1}).status_code == 302
    assert latest(project, dataset).number == 1


def test_undo__removed_row__is_kept(web: Client, base: str) -> None:
    web.post(f"{base}rows/2.0/remove/")
    assert "Keep it" in web.get(base).content.decode()
    web.post(f"{base}rows/2.0/undo/")
    assert "Keep it" not in web.get(base).content.decode()


def test_columns_and_restore__each_make_a_version(
    web: Client, project: Project, dataset: Dataset, base: str
) -> None:
    assert web.get(f"{base}columns/").status_code == 200
    data = {"role_0": "variable", "name_0": "text", "type_0": "text", "latest": 1}
    data |= {"role_1": "metadata", "name_1": "label", "type_1": "text"}
    assert web.post(f"{base}columns/", data).status_code == 302
    assert [column["name"] for column in latest(project, dataset).columns] == ["text", "label"]
    assert "Restore v1 as v3?" in web.get(f"{base}versions/1/restore/").content.decode()
    assert web.post(f"{base}versions/1/restore/", {"latest": 2}).status_code == 302
    assert [column["name"] for column in latest(project, dataset).columns] == ["review", "expected"]


def test_settings__rename_archive_delete(web: Client, project: Project, base: str) -> None:
    other = make_dataset_version(project=project, name="Taken").dataset
    assert web.post(f"{base}settings/", {"name": other.name}).status_code == 422
    assert web.post(f"{base}settings/", {"name": "Better name"}).status_code == 302
    assert "Better name" in web.get(f"{base}settings/").content.decode()
    room = f"/{project.organization.slug}/{project.slug}/datasets/"
    web.post(f"{base}archive/")
    web.get(f"{base}settings/")
    assert f'{base}"' not in web.get(room).content.decode()
    assert "Better name" in web.get(f"{room}?state=archived").content.decode()
    web.post(f"{base}archive/")
    assert web.get(f"{base}delete/").status_code == 200
    assert web.post(f"{base}delete/").headers["Location"] == room
    assert web.get(base).status_code == 404


def test_new__paste_and_empty__make_datasets(web: Client, project: Project) -> None:
    address = f"/{project.organization.slug}/{project.slug}/datasets/new/"
    pasted = web.post(address, {"way": "paste", "table": "question\tanswer\nWhy?\tBecause."})
    assert "tab-separated" in web.get(pasted.headers["Location"]).content.decode()
    empty = web.post(address, {"way": "empty", "name": "Empty", "variables": "a, b", "expected": "on"})
    page = web.get(empty.headers["Location"]).content.decode()
    assert "No rows yet" in page
    bad = web.post(address, {"way": "empty", "name": "Empty", "variables": "a"})
    assert bad.status_code == 422
    assert "has a dataset of that name" in bad.content.decode()


def test_detail__fifty_rows__costs_the_queries_of_one(
    web: Client, project: Project, base: str, django_assert_max_num_queries: object
) -> None:
    web.post(f"{base}rows/1.0/", edited("One"))
    web.get(base)
    with django_assert_max_num_queries(15 + 4) as first:  # type: ignore[operator]
        web.get(base)
    for number in range(30):
        web.post(f"{base}rows/new/", edited(f"Row {number}"))
    with django_assert_max_num_queries(15 + 4) as second:  # type: ignore[operator]
        web.get(base)
    assert len(first) == len(second)
