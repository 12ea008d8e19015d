"""Datasets by API."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Client:
    _, token = make_api_key(project=project)
    return Client(headers={"Authorization": f"Bearer {token}"})


def create(api: Client, **body: Any) -> Any:
    return api.post("/api/v1/datasets", body, content_type="application/json")


def test_create__rows__can_be_read_back(api: Client) -> None:
    rows = [{"variables": {"review": "Good"}, "expected": "Positive", "metadata": {"id": 1}}]
    created = create(api, name="Reviews", rows=rows)
    assert created.status_code == 201
    version = created.json()
    assert (version["object"], version["number"], version["row_count"]) == ("dataset_version", 1, 1)
    read = api.get(f"/api/v1/dataset_versions/{version['id']}/rows").json()
    assert [{key: row[key] for key in ("variables", "expected", "metadata")} for row in read["data"]] == rows
    assert api.get(f"/api/v1/dataset_versions/{version['id']}").json() == version
    dataset = api.get(f"/api/v1/datasets/{version['dataset']}").json()
    assert (dataset["name"], dataset["latest_number"]) == ("Reviews", 1)
    listed = api.get("/api/v1/datasets").json()
    assert [item["id"] for item in listed["data"]] == [dataset["id"]]
    assert api.get(f"/api/v1/datasets/{dataset['id']}/versions").json()["data"] == [version]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"rows": [{"variables": {}}]}, "name"),
        ({"name": "x"}, "rows"),
        ({"name": "x", "rows": []}, "rows"),
        ({"name": "x", "rows": [{"variables": 1}]}, "rows"),
    ],
)
def test_create__bad_body__names_the_field(api: Client, body: dict[str, Any], param: str) -> None:
    answer = create(api, **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)


def test_upload_and_import__proposed_mapping__makes_a_version(api: Client) -> None:
    file = SimpleUploadedFile("reviews.csv", b"review;label\nGood;Positive\nBad\n")
    uploaded = api.post("/api/v1/dataset_imports", {"file": file})
    assert uploaded.status_code == 201
    body = uploaded.json()
    assert body["facts"]["delimiter"] == ";"
    address = f"/api/v1/dataset_imports/{body['id']}"
    imported = api.post(f"{address}/import", {"dataset": "Reviews"}, content_type="application/json")
    assert imported.status_code == 201
    version = imported.json()
    assert (version["row_count"], version["problem_count"]) == (1, 1)
    assert api.get(address).json()["dataset_version"] == version["id"]
    problems = api.get(f"/api/v1/dataset_versions/{version['id']}/problems")
    assert problems.headers["Content-Type"].startswith("text/csv")
    again = api.post(f"{address}/import", {"dataset": "Reviews"}, content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_imported")


def test_import__chosen_mapping__is_used(api: Client) -> None:
    file = SimpleUploadedFile("n.jsonl", b'{"n": 1}\n{"n": 2}\n')
    uploaded = api.post("/api/v1/dataset_imports", {"file": file}).json()
    mapping = [{"column": "n", "role": "variable", "name": "number", "type": "number"}]
    imported = api.post(
        f"/api/v1/dataset_imports/{uploaded['id']}/import",
        {"dataset": "Numbers", "mapping": mapping},
        content_type="application/json",
    ).json()
    assert imported["columns"] == mapping


def test_upload__no_file__names_the_field(api: Client) -> None:
    answer = api.post("/api/v1/dataset_imports", {"name": "x"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


def test_create__same_idempotency_key__has_one_effect(api: Client) -> None:
    body = {"name": "Reviews", "rows": [{"variables": {"review": "Good"}}]}
    headers = {"Idempotency-Key": "one"}
    first, second = (
        api.post("/api/v1/datasets", body, content_type="application/json", headers=headers) for _ in range(2)
    )
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    body["name"] = "Other"
    third = api.post("/api/v1/datasets", body, content_type="application/json", headers=headers)
    assert (third.status_code, third.json()["error"]["type"]) == (409, "idempotency_error")


def test_create__key_that_only_reads__is_refused(project: Project) -> None:
    _, token = make_api_key(project=project, scopes=(Scope.READ,))
    answer = create(Client(headers={"Authorization": f"Bearer {token}"}), name="x", rows=[])
    assert answer.status_code == 403


def test_get__id_of_another_organization__is_404(api: Client) -> None:
    _, token = make_api_key(project=make_project())
    stranger = Client(headers={"Authorization": f"Bearer {token}"})
    version = create(api, name="Mine", rows=[{"variables": {"a": 1}}]).json()
    for address in (f"datasets/{version['dataset']}", f"dataset_versions/{version['id']}/rows"):
        assert stranger.get(f"/api/v1/{address}").status_code == 404


def test_rows__append_replace_and_stale__make_versions_or_409(api: Client) -> None:
    first = create(api, name="Reviews", rows=[{"variables": {"review": "Good"}}]).json()
    address = f"/api/v1/datasets/{first['dataset']}/rows"
    body = {"rows": [{"variables": {"review": "Bad"}, "expected": "Negative"}], "expected_number": 1}
    added = api.post(address, body, content_type="application/json")
    assert (added.status_code, added.json()["number"], added.json()["row_count"]) == (201, 2, 2)
    stale = api.post(address, body, content_type="application/json")
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "dataset_version_stale")
    replaced = api.put(address, {"rows": body["rows"]}, content_type="application/json").json()
    assert (replaced["number"], replaced["row_count"], replaced["kind"]) == (3, 1, "rows")
    difference = api.get(f"/api/v1/dataset_versions/{first['id']}/compare?to={added.json()['id']}").json()
    assert (difference["added"], difference["changed"], difference["removed"]) == (1, 0, 0)
    restored = api.post(
        f"/api/v1/dataset_versions/{first['id']}/restore",
        {"expected_number": 3},
        content_type="application/json",
    )
    assert (restored.status_code, restored.json()["number"], restored.json()["kind"]) == (201, 4, "restore")


def test_rows__cursor__goes_through_in_order(api: Client) -> None:
    rows = [{"variables": {"n": number}} for number in range(1, 6)]
    version = create(api, name="Numbers", rows=rows).json()
    address = f"/api/v1/dataset_versions/{version['id']}/rows"
    seen, cursor = [], ""
    while True:
        found = api.get(f"{address}?limit=2{cursor}").json()
        seen += [row["number"] for row in found["data"]]
        if not found["has_more"]:
            break
        cursor = f"&starting_after={found['next_cursor']}"
    assert seen == [1, 2, 3, 4, 5]
    last = found["data"][-1]["id"]
    before = api.get(f"{address}?limit=2&ending_before={last}").json()
    assert [row["number"] for row in before["data"]] == [3, 4]
    wrong = api.get(f"{address}?starting_after=dsi_00000000000000000000000000")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (404, "starting_after")
    wrong = api.get(f"{address}?starting_after=first")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "starting_after")


def test_export__formats__are_files(api: Client) -> None:
    version = create(api, name="A/B", rows=[{"variables": {"a": "=1+1", "n": 5}}]).json()
    address = f"/api/v1/dataset_versions/{version['id']}/export"
    answer = api.get(address)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="A-B v1.csv"'
    assert b"".join(answer.streaming_content) == b"a,n\n=1+1,5\n"  # type: ignore[attr-defined]
    lines = b"".join(api.get(f"{address}?format=jsonl").streaming_content)  # type: ignore[attr-defined]
    assert lines == b'{"a":"=1+1","n":5}\n'
    wrong = api.get(f"{address}?format=xlsx")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "format")
    gone = api.get(f"/api/v1/dataset_versions/{version['id']}/original")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "file_expired")


def test_dataset__empty_rename_archive_delete__by_api(api: Client) -> None:
    empty = create(api, name="Empty", columns=[{"name": "question"}, {"name": "answer", "role": "expected"}])
    assert (empty.status_code, empty.json()["row_count"]) == (201, 0)
    taken = create(api, name="Empty", columns=[{"name": "question"}])
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "name_taken")
    both = create(api, name="x", columns=[{"name": "a"}], rows=[{"variables": {"a": 1}}])
    assert both.status_code == 400
    address = f"/api/v1/datasets/{empty.json()['dataset']}"
    body = {"name": "Renamed", "archived": True}
    changed = api.patch(address, body, content_type="application/json").json()
    assert (changed["name"], changed["archived_at"] is None) == ("Renamed", False)
    assert api.get("/api/v1/datasets").json()["data"] == []
    assert len(api.get("/api/v1/datasets?archived=true&search=renam").json()["data"]) == 1
    assert api.get("/api/v1/datasets?archived=maybe").status_code == 400
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_export__name_with_control_characters__makes_a_header_that_can_be_sent(api: Client) -> None:
    made = create(api, name="a\x01b\x7f\N{NEXT LINE}c", rows=[{"variables": {"x": "1"}}]).json()
    answer = api.get(f"/api/v1/dataset_versions/{made['id']}/export")
    assert answer.status_code == 200
    assert answer["Content-Disposition"].isprintable()
