from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.tenants.models import Project, User
from apps.tenants.roles import Role
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_api_key, make_member, make_organization, make_project, make_user

SignIn = Callable[[User, Site], None]


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


def test_keys__made_and_revoked__each_page_sound(page: Page, web_site: Site, project: Project) -> None:
    page.goto(f"{web_site.url}/acme/default/settings/keys/")
    check_page(page)
    page.get_by_role("link", name="New key").first.click()
    check_page(page)
    page.get_by_label("Name").fill("Checkout service")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#key")).to_contain_text("psk_live_")
    check_page(page)
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Revoke").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Revoke")
    check_page(page)
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_test_id("key-row")).to_contain_text("Revoked")


def test_keys__member_without_the_right__told_who_can_grant(
    page: Page, web_site: Site, project: Project, sign_in: SignIn
) -> None:
    make_api_key(project=project)
    sign_in(make_member(organization=project.organization, role=Role.VIEWER), web_site)
    page.goto(f"{web_site.url}/acme/default/settings/keys/new/")
    expect(page.get_by_text("Mira Okafor")).to_be_visible()
    check_page(page)
