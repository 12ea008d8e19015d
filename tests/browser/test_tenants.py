import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.tenants.models import Project, User
from apps.tenants.roles import Role
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_member, make_organization, make_project, make_user

SignIn = Callable[[User, Site], None]


@pytest.fixture
def owner(transactional_db: None, sign_in: SignIn, web_site: Site) -> User:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return user


@pytest.fixture
def project(owner: User) -> Project:
    return make_project(organization=make_organization(name="Acme", owner=owner))


def _keys(site: Site) -> str:
    return f"{site.url}/acme/default/settings/keys/"


def test_new_organization__first_one__sound(page: Page, web_site: Site, owner: User) -> None:
    page.goto(web_site.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Name your organization")
    check_page(page)


def test_key__made_used_and_revoked__sound(page: Page, web_site: Site, project: Project) -> None:
    page.goto(_keys(web_site))
    page.get_by_role("link", name="New key").first.click()
    page.get_by_label("Name").fill("Checkout service")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("shown this one time")).to_be_visible()
    check_page(page)
    token = page.locator("#key").inner_text()
    answer = page.request.get(f"{web_site.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["actor"]["name"] == "Checkout service"
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Revoke Checkout service").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke Checkout service?")
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("The key Checkout service no longer works.")).to_be_visible()


def test_project__made_and_switched__sound(page: Page, web_site: Site, project: Project) -> None:
    page.goto(f"{web_site.url}/acme/new/")
    page.get_by_label("Name").fill("Sales assistant")
    page.get_by_role("button", name="Create project").click()
    # Nothing has run there yet, so its home leads to the quickstart.
    expect(page).to_have_url(f"{web_site.url}/acme/sales-assistant/welcome/")
    page.get_by_text("Switch project").locator("..").click()
    page.get_by_role("link", name="Default").click()
    expect(page).to_have_url(re.compile(r"/acme/default/"))


def test_keys__member_without_the_right__told_who_can_grant(
    page: Page, web_site: Site, project: Project, sign_in: SignIn
) -> None:
    sign_in(make_member(organization=project.organization, role=Role.VIEWER), web_site)
    page.goto(f"{_keys(web_site)}new/")
    expect(page.get_by_text("Mira Okafor")).to_be_visible()
    check_page(page)
