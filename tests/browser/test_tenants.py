import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.models import Project, User
from apps.tenants.roles import Scope
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_api_key, make_organization, make_project, make_user

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


def test_keys__of_every_kind__sound(page: Page, web_site: Site, project: Project) -> None:
    make_api_key(project=project, name="Checkout service")
    soon = timezone.now() + timedelta(days=30)
    make_api_key(project=project, name="Nightly test", scopes=(Scope.RUN,), livemode=False, expires_at=soon)
    ended, _ = make_api_key(project=project, name="Left behind")
    with organization_scope(project.organization_id):
        services.revoke_api_key(actor=SYSTEM, key=ended)
    page.goto(_keys(web_site))
    expect(page.get_by_test_id("key-row")).to_have_count(3)
    check_page(page)


def test_key__made_used_and_revoked__sound(page: Page, web_site: Site, project: Project) -> None:
    page.goto(_keys(web_site))
    page.get_by_role("link", name="New key").first.click()
    check_page(page)
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
    check_page(page)
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("The key Checkout service no longer works.")).to_be_visible()


def test_project__made_and_switched__sound(page: Page, web_site: Site, project: Project) -> None:
    page.goto(f"{web_site.url}/acme/new/")
    check_page(page)
    page.get_by_label("Name").fill("Sales assistant")
    page.get_by_role("button", name="Create project").click()
    # Nothing has run there yet, so its home leads to the quickstart.
    expect(page).to_have_url(f"{web_site.url}/acme/sales-assistant/welcome/")
    page.get_by_text("Switch project").locator("..").click()
    page.get_by_role("link", name="Default").click()
    expect(page).to_have_url(re.compile(r"/acme/default/"))


def test_theme__dark__is_drawn_by_the_server(page: Page, web_site: Site, project: Project) -> None:
    page.goto(_keys(web_site))
    page.locator("summary").filter(has_text="Your account").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(_keys(web_site))
