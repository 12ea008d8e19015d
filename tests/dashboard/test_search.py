import pytest
from django.test import Client

from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_batch, make_member, make_project, make_prompt, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project()
    client.force_login(owner_of(project.organization))
    return project


def hits(client: Client, project: Project, text: str) -> str:
    address = f"/{project.organization.slug}/{project.slug}/search/"
    response = client.get(address, {"q": text}, headers={"HX-Request": "true"})
    assert response.status_code == 200
    return response.content.decode()


def test_search__part_of_a_name__prompt_and_batch(client: Client, project: Project) -> None:
    make_prompt(project=project, name="support/reply")
    job = make_batch(project=project, rows=1)
    assert "support/reply" in hits(client, project, "REPLY")
    assert job.public_id in hits(client, project, job.name)


def test_search__id_of_a_prompt__leads_to_it(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project)
    page = hits(client, project, f" {prompt.public_id} ")
    assert f"/prompts/{prompt.public_id}/" in page
    assert page.count("menu__item") == 1


def test_search__unknown_id__nothing(client: Client, project: Project) -> None:
    make_prompt(project=project)
    assert "Nothing here is called" in hits(client, project, "run_01kaaaaaaaaaaaaaaaaaaaaaaa")
    assert "Nothing here is called" in hits(client, project, "req_unknown")


def test_search__another_organizations_prompt__not_found(client: Client, project: Project) -> None:
    foreign = make_prompt(name="foreign-secret")
    assert "Nothing here is called" in hits(client, project, foreign.public_id)
    assert "Nothing here is called" in hits(client, project, "foreign")


def test_search__role_without_the_right__kind_left_out(client: Client, project: Project) -> None:
    make_prompt(project=project, name="support-reply")
    client.force_login(make_member(organization=project.organization, role=Role.BILLING))
    assert "Nothing here is called" in hits(client, project, "support")


def test_search__hostile_text__escaped(client: Client, project: Project) -> None:
    assert "<script>" not in hits(client, project, "<script>alert(1)</script>")


def test_search__without_scripts__whole_page(client: Client, project: Project) -> None:
    make_prompt(project=project, name="support-reply")
    address = f"/{project.organization.slug}/{project.slug}/search/"
    page = client.get(address, {"q": "support"}).content.decode()
    assert "<h1>Search</h1>" in page
    assert "support-reply" in page


def test_search__empty__actions_and_pages_that_one_may_open(client: Client, project: Project) -> None:
    page = hits(client, project, "")
    assert "New prompt" in page
    assert "Usage" in page
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    page = hits(client, project, "")
    assert "New prompt" not in page
    assert "Runs" in page


def test_search__words_of_a_page_or_a_project__lead_there(client: Client, project: Project) -> None:
    second = make_project(organization=project.organization, name="Help desk")
    assert f"/{project.organization.slug}/{second.slug}/" in hits(client, project, "desk")
    assert "/settings/keys/new/" in hits(client, project, "new key")
    assert "/batches/new/" in hits(client, project, "new bat")


def test_search__id_of_another_project_of_ones_own__leads_there(client: Client, project: Project) -> None:
    second = make_project(organization=project.organization, name="Help desk")
    prompt = make_prompt(project=second)
    assert f"/{second.slug}/prompts/{prompt.public_id}/" in hits(client, project, prompt.public_id)
    elsewhere = make_prompt(name="in-another-organization")
    owner = owner_of(project.organization)
    make_member(organization=elsewhere.project.organization, user=owner)
    assert elsewhere.public_id in hits(client, project, elsewhere.public_id)
    assert hits(client, project, elsewhere.public_id).count("menu__item") == 1
