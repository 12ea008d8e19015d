"""Where the rows of a batch come from, by API."""

from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.batches.api import source_shapes
from apps.batches.jobs import prepare_rows
from apps.batches.models import BatchJob
from apps.batches.preparation_models import RowPreparation
from apps.core.scope import organization_scope
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.batches.test_sources import ended_batch, rows_of
from tests.factories import make_api_key, make_content, make_project, make_prompt, make_run

pytestmark = pytest.mark.django_db
ROWS = [
    {"variables": {"review": "Good"}, "expected": "Positive", "metadata": {"id": 7}},
    {"variables": {"review": "Bad"}},
]


@pytest.fixture
def project() -> Project:
    made = make_project()
    make_prompt(project=made, name="classify", content=make_content("Classify: {{ review }}"))
    return made


@pytest.fixture
def token(project: Project) -> str:
    return make_api_key(project=project)[1]


def call(client: Client, token: str, body: Any, address: str = "batches", **form: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if form:
        data = {"batch": orjson.dumps(body).decode(), **form}
        return client.post(f"/api/v1/{address}", data, headers=headers)
    return client.post(f"/api/v1/{address}", orjson.dumps(body), "application/json", headers=headers)


def start(client: Client, token: str, **body: Any) -> dict[str, Any]:
    answer = call(client, token, {"prompt": "classify", "version": 1, **body})
    assert answer.status_code == 202, answer.content
    found: dict[str, Any] = answer.json()
    return found


def job_of(project: Project, told: dict[str, Any]) -> BatchJob:
    with organization_scope(project.organization_id):
        return BatchJob.objects.get(name=told["name"])


def take(project: Project) -> None:
    with organization_scope(project.organization_id):
        [waiting] = RowPreparation.objects.all()
    prepare_rows(str(waiting.pk))


def test_rows__few__start_at_once(client: Client, project: Project, token: str) -> None:
    told = start(client, token, rows=ROWS)
    assert (told["status"], told["source"], told["counts"]["total"]) == ("in_progress", "rows", 2)
    assert rows_of(job_of(project, told)) == [(1, "Good", "Positive"), (2, "Bad", None)]


def test_rows__many__wait_for_a_worker(
    client: Client, project: Project, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_shapes, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr("apps.batches.services.preparing.SMALL_FILE_BYTES", 0)
    told = start(client, token, rows=ROWS, name="Many")
    assert (told["status"], told["source"], told["counts"]["total"]) == ("validating", "rows", 0)
    take(project)
    job = job_of(project, told)
    assert (job.status, job.total, job.source) == ("in_progress", 2, "rows")
    assert rows_of(job) == [(1, "Good", "Positive"), (2, "Bad", None)]


@pytest.mark.parametrize(
    ("rows", "param"),
    [
        ([], "rows"),
        ([{"variables": {"review": "x"}}, 5], "rows.1"),
        ([{"variables": "x"}], "rows.0.variables"),
        ([{"variables": {"review": "x"}, "expected": 5}], "rows.0.expected"),
        ([{"variables": {"review": "x"}, "metadata": []}], None),
        ([{"variables": {"review": "x"}, "output": "y"}], "rows.0.output"),
        ([{"variables": {"r" * 101: "x"}}], "rows.0"),
    ],
)
def test_rows__bad__are_refused_by_field_and_row(
    client: Client, token: str, rows: list[Any], param: str | None
) -> None:
    answer = call(client, token, {"prompt": "classify", "version": 1, "rows": rows})
    if param is None:
        assert answer.status_code == 202
    else:
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_file__in_the_form__starts_over_its_rows(client: Client, project: Project, token: str) -> None:
    file = SimpleUploadedFile("rows.csv", b"Review,expected\nGood,Positive\nBad,Negative\n")
    answer = call(client, token, {"prompt": "classify", "version": 1, "name": "File"}, file=file)
    assert (answer.status_code, answer.json()["source"]) == (202, "upload")
    assert rows_of(job_of(project, answer.json())) == [(1, "Good", "Positive"), (2, "Bad", "Negative")]


def test_file__uploaded_before__is_taken_with_another_mapping(
    client: Client, project: Project, token: str
) -> None:
    file = SimpleUploadedFile("rows.csv", b"a,b\nGood,Positive\n")
    uploaded = call(client, token, {}, "dataset_imports", file=file).json()
    mapping = [{"column": "b", "role": "expected"}, {"column": "a", "role": "variable", "name": "review"}]
    told = start(client, token, dataset_import=uploaded["id"], mapping=mapping, name="Mapped")
    assert rows_of(job_of(project, told)) == [(1, "Good", "Positive")]


def test_runs__by_filter__give_the_rows(client: Client, project: Project, token: str) -> None:
    make_run(project=project, text="Yes")
    make_run(project=project, text="No", source="playground")
    told = start(client, token, runs={"source": "gateway", "limit": 5, "expected": "none"})
    assert (told["source"], rows_of(job_of(project, told))) == ("runs", [(1, "It broke.", None)])


def test_runs__without_the_right_to_see_them__are_refused(client: Client, project: Project) -> None:
    make_run(project=project)
    blind = make_api_key(project=project, scopes=(Scope.RUN,))[1]
    answer = call(client, blind, {"prompt": "classify", "version": 1, "runs": {}})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")


def test_other_batch__by_choice__gives_its_rows(client: Client, project: Project, token: str) -> None:
    other = ended_batch(project, 0.9, 0.2)
    where = {"field": "confidence", "below": 0.5}
    told = start(client, token, from_batch={"batch": other.public_id, "where": where}, name="Again")
    assert rows_of(job_of(project, told)) == [(1, "Great product 2.", "Positive")]


@pytest.mark.parametrize("more", [{}, {"rows": ROWS, "runs": {}}])
def test_source__none_or_two__is_refused(client: Client, token: str, more: dict[str, Any]) -> None:
    answer = call(client, token, {"prompt": "classify", "version": 1, **more})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "source_invalid")


def test_kept_rows__are_a_dataset__with_the_same_rows(client: Client, project: Project, token: str) -> None:
    told = start(client, token, rows=ROWS)
    kept = call(client, token, {"name": "Kept"}, f"batches/{told['id']}/keep_rows")
    assert (kept.status_code, kept.json()["latest_row_count"]) == (201, 2)
    headers = {"Authorization": f"Bearer {token}"}
    rows = client.get(f"/api/v1/batches/{told['id']}/rows", headers=headers)
    lines = b"".join(rows).splitlines()
    assert orjson.loads(lines[0]) == {"review": "Good", "expected": "Positive", "id": 7}
    again = call(client, token, {"name": "Again"}, f"batches/{told['id']}/keep_rows")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "dataset_kept")
