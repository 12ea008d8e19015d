"""The page of a run that waits: how far it is, cancelling it, and giving way to the run's own page."""

import pytest
from django.test import Client

from apps.tenants.models import Project
from tests.factories import make_background_run, make_project, owner_of
from tests.runs.test_background import reload, run_background_pump

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS_AGAIN = {"HX-Request": "true"}


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project()
    client.force_login(owner_of(project.organization))
    return project


def test_page__a_run_that_waits__says_so_until_it_has_run(client: Client, project: Project) -> None:
    run = make_background_run(project=project)
    address = f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/"

    page = client.get(address).content.decode()
    assert "It waits for a worker." in page
    assert "Cancel run" in page
    part = client.get(f"{address}?part=state", headers=LOOKS_AGAIN).content.decode()
    assert part.startswith('<div class="stack stack--lg" id="background-state"')
    assert client.get(f"{address}json/").json()["status"] == "queued"
    found = client.get(f"/{project.organization.slug}/{project.slug}/runs/?q={run.public_id}")
    assert found.headers["location"] == address

    run_background_pump()
    ended = client.get(f"{address}?part=state", headers=LOOKS_AGAIN)
    assert ended.headers["HX-Refresh"] == "true"
    assert "Messages as sent" in client.get(address).content.decode()


def test_cancel__on_the_page__ends_it(client: Client, project: Project) -> None:
    run = make_background_run(project=project)
    address = f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/"

    page = client.post(f"{address}cancel/", follow=True).content.decode()
    assert "The run is cancelled." in page
    assert "It was cancelled before a model was called." in page
    assert reload(run).status == "cancelled"

    other = make_background_run(project=project)
    run_background_pump()
    told = client.post(
        f"/{project.organization.slug}/{project.slug}/runs/{other.public_id}/cancel/", follow=True
    )
    assert "This run has ended." in told.content.decode()
