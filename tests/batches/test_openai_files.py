"""`/v1/files`: what OpenAI's clients send and read."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.batches.openai_models import OpenAIFile
from apps.batches.services import openai_files
from apps.batches.services.openai_files import purge_expired_files
from apps.core.models import FileChunk, StoredFile
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from tests.factories import make_api_key, make_project
from tests.factories.openai_batches import make_openai_batch, make_openai_file

pytestmark = pytest.mark.django_db

CONTENT = b'{"custom_id": "a"}\n'


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def client(project: Project) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_api_key(project=project)[1]}"})


def _upload(client: Client, content: bytes = CONTENT, fields: dict[str, str] | None = None) -> Any:
    file = SimpleUploadedFile("requests.jsonl", content)
    return client.post("/v1/files", {"file": file, "purpose": "batch", **(fields or {})})


def test_file__uploaded__is_told_read_listed_and_deleted(client: Client) -> None:
    answer = _upload(client)
    assert answer.status_code == 200, answer.content
    file = answer.json()
    assert file["id"].startswith("file-")
    assert (file["object"], file["bytes"], file["filename"]) == ("file", len(CONTENT), "requests.jsonl")
    assert (file["purpose"], file["status"]) == ("batch", "processed")
    assert file["expires_at"] - file["created_at"] == 30 * 86400
    assert client.get(f"/v1/files/{file['id']}").json() == file
    content = client.get(f"/v1/files/{file['id']}/content")
    assert content.getvalue() == CONTENT
    assert content["Content-Length"] == str(len(CONTENT))
    page = client.get("/v1/files").json()
    assert page == {
        "object": "list",
        "data": [file],
        "first_id": file["id"],
        "last_id": file["id"],
        "has_more": False,
    }
    gone = client.delete(f"/v1/files/{file['id']}").json()
    assert gone == {"id": file["id"], "object": "file", "deleted": True}
    assert client.get(f"/v1/files/{file['id']}").status_code == 404


def test_file__deleted__leaves_no_content(client: Client, project: Project) -> None:
    client.delete(f"/v1/files/{_upload(client).json()['id']}")
    with organization_scope(project.organization_id):
        assert not StoredFile.objects.exists()
        assert not FileChunk.objects.exists()


def test_file__with_an_expiry__keeps_to_it(client: Client) -> None:
    fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = _upload(client, fields=fields).json()
    assert file["expires_at"] - file["created_at"] == 3600


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "fine-tune"}, "purpose"),
        ({"purpose": ""}, "purpose"),
        ({"expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        ({"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "5"}, "expires_after.seconds"),
    ],
)
def test_upload__with_a_wrong_field__names_it(client: Client, fields: dict[str, str], param: str) -> None:
    answer = _upload(client, fields=fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_upload__without_or_of_an_empty_file__is_refused(client: Client) -> None:
    missing = client.post("/v1/files", {"purpose": "batch"})
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "file")
    empty = _upload(client, b"")
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "file_empty")


def test_upload__over_the_limit__leaves_nothing(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.batches.api.openai_files.LARGEST_FILE", 10)
    answer = _upload(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "file_too_large")
    with organization_scope(project.organization_id):
        assert not OpenAIFile.objects.exists()
        assert not StoredFile.objects.exists()


def test_upload__to_a_project_that_is_full__is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _upload(client)
    monkeypatch.setattr(openai_files, "MOST_BYTES", 5)
    assert _upload(client).json()["error"]["code"] == "file_quota_exceeded"
    monkeypatch.setattr(openai_files, "MOST_FILES", 1)
    assert _upload(client).json()["error"]["code"] == "file_quota_exceeded"


def test_upload__repeated_under_one_idempotency_key__makes_one_file(client: Client) -> None:
    def upload(content: bytes = CONTENT) -> Any:
        file = SimpleUploadedFile("requests.jsonl", content)
        return client.post(
            "/v1/files", {"file": file, "purpose": "batch"}, headers={"Idempotency-Key": "one"}
        )

    first, second = upload(), upload()
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert len(client.get("/v1/files").json()["data"]) == 1
    assert upload(b"{}\n").status_code == 409


def test_list__by_pages__goes_through_all_in_either_order(client: Client) -> None:
    made = [_upload(client).json()["id"] for _ in range(3)]
    first = client.get("/v1/files?limit=2").json()
    assert [row["id"] for row in first["data"]] == [made[2], made[1]]
    assert first["has_more"]
    rest = client.get(f"/v1/files?limit=2&after={first['last_id']}").json()
    assert [row["id"] for row in rest["data"]] == [made[0]]
    assert not rest["has_more"]
    assert [row["id"] for row in client.get("/v1/files?order=asc").json()["data"]] == made
    assert client.get("/v1/files?purpose=batch_output").json()["data"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "purpose=vision", "purpose=", "after=x"])
def test_list__with_a_wrong_parameter__names_it(client: Client, query: str) -> None:
    answer = client.get(f"/v1/files?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == query.partition("=")[0]


def test_file__that_a_batch_needs__stays(client: Client, project: Project) -> None:
    batch = make_openai_batch(project=project)
    file_id = OpenAIFile(id=batch.input_file_id).public_id
    answer = client.delete(f"/v1/files/{file_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "file_in_use")
    client.post(f"/v1/batches/{batch.public_id}/cancel")
    assert client.delete(f"/v1/files/{file_id}").status_code == 200


def test_file__expired__is_gone_and_purged(client: Client, project: Project) -> None:
    file = make_openai_file(project=project)
    with organization_scope(project.organization_id):
        OpenAIFile.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/v1/files/{file.public_id}").status_code == 404
    assert purge_expired_files() == 1


def test_file__of_another_project__is_not_there(client: Client) -> None:
    other = make_openai_file()
    for answer in (
        client.get(f"/v1/files/{other.public_id}"),
        client.get(f"/v1/files/{other.public_id}/content"),
        client.delete(f"/v1/files/{other.public_id}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")
