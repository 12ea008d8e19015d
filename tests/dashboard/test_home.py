import pytest
from django.test import Client

from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_member, make_project, make_prompt, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def address(project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/{rest}"


def test_home__new_project__first_steps_and_no_panels(owner: Client, project: Project) -> None:
    page = owner.get(address(project)).content.decode()
    assert "0 of 4" in page
    assert "data-panel" not in page


def test_home__prompt_and_key_exist__steps_done_and_call_to_paste(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="review/sentiment")
    make_api_key(project=project)
    page = owner.get(address(project)).content.decode()
    assert "2 of 4" in page
    assert "prompt:review/sentiment@latest" in page
    assert "Waiting for your first call" in page


def test_home__production_is_set__call_names_it(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="review/sentiment", versions=2, labels={"production": 1})
    make_api_key(project=project)
    assert "prompt:review/sentiment@production" in owner.get(address(project)).content.decode()


def test_home__python_chosen__python_snippet(owner: Client, project: Project) -> None:
    make_prompt(project=project)
    make_api_key(project=project)
    page = owner.get(address(project), {"snippet": "python"}).content.decode()
    assert "from openai import OpenAI" in page


def test_home__stranger__not_found(client: Client, project: Project) -> None:
    client.force_login(owner_of(make_project().organization))
    assert client.get(address(project)).status_code == 404


def test_home__anonymous__sent_to_sign_in(client: Client, project: Project) -> None:
    response = client.get(address(project))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_home__the_organizations_new_page__is_not_a_project(owner: Client, project: Project) -> None:
    assert owner.get(f"/{project.organization.slug}/new/").status_code == 200


@pytest.mark.parametrize("panel", ["activity", "batches", "labels", "quota"])
def test_panel__owner__answers(owner: Client, project: Project, panel: str) -> None:
    response = owner.get(address(project, f"home/{panel}/"))
    assert response.status_code == 200
    assert b"<html" not in response.content


def test_panel__role_without_the_right__refused_and_not_offered(client: Client, project: Project) -> None:
    client.force_login(make_member(organization=project.organization, role=Role.BILLING))
    assert client.get(address(project, "home/labels/")).status_code == 403
    assert b"home/labels/" not in client.get(address(project)).content


def test_labels_panel__moved_label__from_and_to(owner: Client, project: Project) -> None:
    make_prompt(project=project, name="support-reply", versions=2, labels={"production": 2})
    page = owner.get(address(project, "home/labels/")).content.decode()
    assert "support-reply" in page
    assert "production <b>v2</b>" in page


def test_steps__still_waiting__keeps_asking(owner: Client, project: Project) -> None:
    make_prompt(project=project)
    make_api_key(project=project)
    response = owner.get(address(project, "home/steps/"))
    assert response.status_code == 200
    assert b'hx-trigger="every 4s"' in response.content
