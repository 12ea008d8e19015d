"""Pages that take rows for a batch, and keep them as a dataset."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.batches.jobs import prepare_rows
from apps.batches.preparation_models import RowPreparation
from apps.batches.row_sources import ImportSource
from apps.batches.services import preparing
from apps.core.scope import organization_scope
from apps.datasets.jobs import work_on_import
from apps.datasets.models import DatasetImport
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.batches.test_sources import ended_batch, preparation_of, start_from
from tests.factories import make_content, make_project, make_prompt, make_run
from tests.factories.datasets import make_dataset_import
from tests.factories.tenants import owner_of

pytestmark = pytest.mark.django_db
CSV = b"Text,Sentiment\nGood,Positive\nBad,Negative\n"


@pytest.fixture
def project() -> Project:
    made = make_project()
    make_prompt(project=made, name="classify", content=make_content("Classify: {{ review }}"))
    return made


@pytest.fixture
def browser(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def room(project: Project) -> str:
    return f"/{project.organization.slug}/{project.slug}/batches/"


def upload(browser: Client, project: Project, content: bytes = CSV) -> str:
    """The address of the mapping."""
    file = SimpleUploadedFile("reviews.csv", content)
    answer = browser.post(f"{room(project)}new/upload/", {"file": file})
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def mapping(role: str = "variable") -> dict[str, str]:
    return {
        "role_0": role,
        "name_0": "review",
        "type_0": "text",
        "role_1": "expected",
        "name_1": "expected",
        "type_1": "text",
    }


def test_upload__small__goes_by_the_mapping_to_the_new_batch(browser: Client, project: Project) -> None:
    address = upload(browser, project)
    assert b"Use these rows" in browser.get(address).content
    answer = browser.post(address, mapping())
    assert answer.status_code == 302
    page = browser.get(answer["Location"]).content.decode()
    assert "reviews.csv (2 rows, for a batch)" in page
    assert b"reviews" not in browser.get(room(project).replace("batches", "datasets")).content


def test_upload__large__shows_its_progress_until_a_worker_is_through(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("uploading", "importing"):
        monkeypatch.setattr(f"apps.datasets.services.{module}.SMALL_FILE_BYTES", 10)
    address = upload(browser, project)
    assert b"Reading the file" in browser.get(address).content
    with organization_scope(project.organization_id):
        waiting = DatasetImport.objects.get()
    work_on_import(str(waiting.pk))
    assert browser.get(f"{address}?part=progress")["HX-Refresh"] == "true"
    assert browser.post(address, mapping())["Location"] == address
    assert b"0 of 2 rows" in browser.get(address).content
    work_on_import(str(waiting.pk))
    assert "?dataset=dsv_" in browser.get(address)["Location"]


def test_upload__mapping_without_a_variable__stays_on_the_page(browser: Client, project: Project) -> None:
    answer = browser.post(upload(browser, project), mapping("metadata"))
    assert (answer.status_code, b"at least one column" in answer.content) == (422, True)


def test_runs__chosen__start_a_batch_that_can_keep_them(browser: Client, project: Project) -> None:
    make_run(project=project)
    form = {"order": "newest", "limit": "10", "expected": "answer", "status": "succeeded"}
    prepared = browser.post(f"{room(project)}new/runs/", form)["Location"]
    new = browser.get(prepared)["Location"]
    version = new.partition("dataset=")[2]
    start = {"prompt": prompt_choice(project), "dataset": version, "concurrency": "4", "priority": "0"}
    batch = browser.post(new, {**start, "action": "start"})["Location"]
    assert b"keep as dataset" in browser.get(batch).content
    kept = browser.post(f"{batch}keep/", {"name": "From runs"})
    assert browser.get(kept["Location"]).status_code == 200
    assert b"From runs" in browser.get(room(project).replace("batches", "datasets")).content
    assert b"It broke." in b"".join(browser.get(f"{batch}rows/"))


def prompt_choice(project: Project) -> str:
    with organization_scope(project.organization_id):
        return f"{Prompt.objects.get().public_id}:number:1"


def test_runs__without_any__is_told_at_the_form(browser: Client, project: Project) -> None:
    form = {"order": "newest", "limit": "10", "expected": "answer"}
    answer = browser.post(f"{room(project)}new/runs/", form)
    assert (answer.status_code, b"No run is like that" in answer.content) == (422, True)


def test_batch__large__shows_its_progress(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "MOST_ROWS_AT_ONCE", 0)
    other = ended_batch(project, 0.1, 0.9)
    form = {"batch": other.public_id, "match": "differs"}
    address = browser.post(f"{room(project)}new/batch/", form)["Location"]
    assert b"Taking rows" in browser.get(address).content
    with organization_scope(project.organization_id):
        taken = RowPreparation.objects.get()
    prepare_rows(str(taken.pk))
    assert "dataset=dsv_" in browser.get(address)["Location"]


def test_batch__without_a_choice__says_what_is_needed(browser: Client, project: Project) -> None:
    other = ended_batch(project, 0.1)
    answer = browser.post(f"{room(project)}new/batch/", {"batch": other.public_id})
    assert (answer.status_code, b"Say which rows" in answer.content) == (422, True)


def test_batch_that_waits__shows_how_far_its_rows_are__and_why_it_failed(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "SMALL_FILE_BYTES", 0)
    job = start_from(project, ImportSource(make_dataset_import(project=project, content=b"a,b\n1,2\n").pk))
    page = f"{room(project)}{job.public_id}/"
    assert b"Its rows are being taken: 0 so far" in browser.get(page).content
    prepare_rows(str(preparation_of(job).pk))
    assert b"It could not start: No row has a value" in browser.get(page).content
