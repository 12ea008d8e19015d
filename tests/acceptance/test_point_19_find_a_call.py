"""Point 19: any past call can be opened by its id from the search box, and nobody else's can be guessed."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import ids
from apps.core.request_id import new_request_id
from apps.tenants.models import Project
from tests.factories import make_project, make_prompt, make_run, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project()
    client.force_login(owner_of(project.organization))
    return project


def search(client: Client, project: Project, text: str) -> str:
    address = f"/{project.organization.slug}/{project.slug}/search/"
    return client.get(address, {"q": text}).content.decode()


@pytest.mark.parametrize("kind", ["run", "req"])
def test_point_19__id_of_a_call__opens_its_page(client: Client, project: Project, kind: str) -> None:
    run = make_run(project=project, request_id=new_request_id())
    wanted = run.public_id if kind == "run" else run.request_id
    href = f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/"
    assert f'href="{href}"' in search(client, project, f" {wanted} ")
    page = client.get(href).content.decode()
    assert "Say something about: It broke." in page


def test_point_19__call_of_another_project__is_found_from_anywhere(client: Client, project: Project) -> None:
    second = make_project(organization=project.organization, name="Second")
    run = make_run(project=second)
    assert f"/{second.slug}/runs/{run.public_id}/" in search(client, project, run.public_id)


@pytest.mark.parametrize("kind", ["run", "req", "prm"])
def test_point_19__anothers_and_nobodys_id__same_answer_by_the_same_statements(
    client: Client, project: Project, kind: str
) -> None:
    foreign = make_project()
    run = make_run(project=foreign, request_id=new_request_id())
    prompt = make_prompt(project=foreign)
    anothers = {"run": run.public_id, "req": run.request_id, "prm": prompt.public_id}[kind]
    nobodys = new_request_id() if kind == "req" else ids.encode(kind, ids.uuid7())

    def told(text: str) -> tuple[str, list[str]]:
        with CaptureQueriesContext(connection) as captured:
            page = search(client, project, text)
        heading = page[page.index("<main") : page.index("</main>")].replace(text, "…")
        statements = [query["sql"].split(" WHERE ")[0] for query in captured]
        return heading, [statement for statement in statements if "SAVEPOINT" not in statement]

    search(client, project, nobodys)
    assert told(anothers) == told(nobodys)
    assert "Nothing here is called" in told(anothers)[0]
