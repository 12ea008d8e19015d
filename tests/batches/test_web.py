"""Pages of batches through the test client."""

import pytest
from django.test import Client

from apps.batches.models import BatchJob, JobStatus
from apps.batches.services.starting import BatchOptions
from apps.batches.web.presenting import leading_columns
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from apps.tenants.models import Project
from tests.batches.support import reload, run_batch_pump
from tests.factories import (
    make_batch,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(client: Client, project: Project) -> str:
    """Sign the owner in; returns the address of the project's batches."""
    client.force_login(owner_of(project.organization))
    return f"/{project.organization.slug}/{project.slug}/batches/"


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content
    return response.content.decode()


def test_pages__before_and_after_a_run__show_rows_and_results(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    assert "No batches yet" in page(client, room)
    job = make_batch(project=project, rows=3)
    address = f"{room}{job.public_id}/"

    assert "Stop batch" in page(client, address)
    assert 'hx-trigger="every 1s"' in page(client, f"{address}progress/")
    assert "Stop batch" in page(client, f"{address}progress/?was=validating")
    assert "Stop batch" not in page(client, f"{address}progress/?was=in_progress")
    run_batch_pump()

    assert "Great product" in page(client, address)
    assert "hx-trigger" not in page(client, f"{address}progress/", status=286)
    assert "Positive" in page(client, f"{address}results/?match=match")
    assert "No row matches" in page(client, f"{address}results/?match=differs")
    assert "Open the run" in page(client, f"{address}results/?open=2")
    assert job.name in page(client, room)


def test_new_batch__check_then_start__shows_the_estimate_and_starts(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    prompt = make_prompt(project=project, labels={"production": 1})
    version = make_dataset_version(project=project)
    form = {
        "prompt": f"{prompt.public_id}:label:production",
        "dataset": version.public_id,
        "concurrency": "4",
        "cost_cap": "0.5",
    }
    assert prompt.name in page(client, f"{room}new/?dataset={version.public_id}")

    checked = client.post(f"{room}new/", form | {"action": "check"})
    assert "sandbox, not real money" in checked.content.decode()
    fragment = client.post(f"{room}new/estimate/", form)
    assert "Every row has a value" in fragment.content.decode()
    chosen = {"deduplicate": "on", "sample": "on", "sample_rows": "1", "cost_cap": "0.000001"}
    told = client.post(f"{room}new/estimate/", form | chosen).content.decode()
    assert "0 rows, at no cost" in told
    assert "Sample of 1, then a pause" in told
    assert "will stop before its last row" in told
    started = client.post(f"{room}new/", form | {"action": "start"})

    assert started.status_code == 302
    with organization_scope(project.organization_id):
        job = BatchJob.objects.get()
    assert (job.label, job.total, job.concurrency) == ("production", 3, 4)


def test_new_batch__rows_without_the_variable__are_refused_with_its_name(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    prompt = make_prompt(project=project, content=make_content("{{ nowhere }}"))
    version = make_dataset_version(project=project)
    form = {"prompt": f"{prompt.public_id}:number:1", "dataset": version.public_id, "concurrency": "4"}

    response = client.post(f"{room}new/", form | {"action": "start"})

    assert response.status_code == 422
    assert "No row has a value for the variable &#x27;nowhere&#x27;" in response.content.decode()


def test_stop_and_retry__by_buttons__change_the_job(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    job = make_batch(project=project, rows=3, options=BatchOptions(concurrency=1))
    address = f"{room}{job.public_id}/"

    assert client.post(f"{address}stop/").status_code == 302
    assert reload(job).status == JobStatus.CANCELLED

    assert "Retry 3 rows" in page(client, address)
    assert client.post(f"{address}retry/").status_code == 302
    assert reload(job).status == JobStatus.IN_PROGRESS


def test_download__of_finished_rows__streams_csv(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    job = make_batch(project=project, rows=3)
    run_batch_pump()

    response = client.get(f"{room}{job.public_id}/download/?format=csv")

    lines = response.getvalue().decode().splitlines()
    heads = lines[0].split(",")
    assert heads[:2] == ["row", "review"]
    assert {"reason", "sentiment", "status", "output", "expected", "match"} <= set(heads)
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]


def test_leading_columns__what_the_prompt_reads__stands_first(client: Client) -> None:
    project = make_project()
    room = signed_in(client, project)
    rows = [RowValues({"review": "Great product."}, "Positive", {"id": "17", "shop": "North"})]
    job = make_batch(project=project, rows=rows)
    with organization_scope(project.organization_id):
        names = leading_columns(job, ["id", "shop", "review"])
    assert names == ["review", "id"]
    assert "Great product." in page(client, f"{room}{job.public_id}/results/")
