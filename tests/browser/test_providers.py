"""Page 24: provider connections, as a person uses them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_connection, make_organization, make_project, make_user

SignIn = Callable[[User, Site], None]


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


def test_providers__add_edit_delete__by_form(page: Page, web_site: Site, project: Project) -> None:
    page.goto(f"{web_site.url}/acme/default/settings/providers/")
    page.get_by_role("main").get_by_role("link", name="Add connection").first.click()
    page.get_by_label("Name").fill("openai")
    page.get_by_label("Base URL").fill("https://api.openai.com/v1")
    page.get_by_label("API key").fill("sk-secret-0123456789abcdef")
    page.get_by_label("Models").fill("gpt-4o-mini\nno-such-model")
    page.get_by_role("button", name="Save connection").click()
    row = page.get_by_test_id("connection-row")
    expect(row).to_contain_text("••••cdef")
    row.get_by_role("link", name="2 enabled models of openai").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Models and prices").click()
    unknown = page.get_by_test_id("model-row").filter(has_text="no-such-model")
    expect(unknown).to_contain_text("unknown")
    expect(page.get_by_text("Every run of the last 30 days has a price.")).to_be_visible()
    unknown.get_by_role("link", name="Set price of openai/no-such-model").click()
    page.get_by_label("Input, $ per million tokens", exact=True).fill("0.25")
    page.get_by_label("Output, $ per million tokens").fill("1.5")
    page.get_by_role("button", name="Save price").click()
    expect(unknown).to_contain_text("own price")
    page.get_by_role("link", name="Connections").click()
    row.get_by_role("link", name="Edit openai").click()
    page.get_by_label("Base URL").fill("https://other.example.com/v1")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_text("Enter the key again")).to_be_visible()
    check_page(page)
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Delete openai").click()
    page.get_by_role("button", name="Delete connection").click()
    expect(page.get_by_text("No connections yet")).to_be_visible()


def test_providers__test_call_of_a_refused_address__tells_why(
    page: Page, web_site: Site, project: Project
) -> None:
    make_connection(project=project, name="lost", base_url="https://provider.invalid/v1")
    page.goto(f"{web_site.url}/acme/default/settings/providers/")
    page.get_by_role("button", name="Test lost").click()
    expect(page.get_by_test_id("connection-row")).to_contain_text("Failed")
    expect(page.get_by_test_id("connection-row")).to_contain_text("provider.invalid has no address")
    check_page(page)
