from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import (
    make_api_key,
    make_batch,
    make_organization,
    make_project,
    make_prompt,
    make_run,
    make_user,
)

SignIn = Callable[[User, Site], None]


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor", staff=True)
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


def test_home__waiting_for_the_first_call__sound(page: Page, web_site: Site, project: Project) -> None:
    make_prompt(project=project, versions=2, labels={"production": 2})
    make_api_key(project=project)
    page.goto(f"{web_site.url}/acme/default/welcome/")
    expect(page.get_by_text("Waiting for your first request")).to_be_visible()
    page.get_by_text("JavaScript", exact=True).click()
    expect(page.get_by_label("First call, JavaScript")).to_be_visible()
    check_page(page)
    make_run(project=project, source="gateway")
    expect(page.get_by_text("Your first request arrived")).to_be_visible(timeout=5_000)


def test_home__batches_run__panels_arrive(page: Page, web_site: Site, project: Project) -> None:
    make_prompt(project=project, name="support/reply", versions=2, labels={"production": 2})
    make_batch(project=project, rows=5)
    page.goto(f"{web_site.url}/acme/default/")
    expect(page.get_by_role("heading", name="Running batches")).to_be_visible()
    expect(page.get_by_text("0 of 5 rows")).to_be_visible()
    expect(page.get_by_text("of 10,000 runs")).to_be_visible()


def test_home__one_panel_fails__says_so_and_the_others_stay(
    context: BrowserContext, web_site: Site, project: Project
) -> None:
    make_batch(project=project, rows=5)
    page = context.new_page()
    page.route("**/home/labels/", lambda route: route.fulfill(status=500, body="broken"))
    page.goto(f"{web_site.url}/acme/default/")
    expect(page.get_by_role("alert")).to_contain_text("This part could not be loaded")
    expect(page.get_by_text("0 of 5 rows")).to_be_visible()
    page.unroute("**/home/labels/")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No label has moved yet")).to_be_visible()


def test_search_box__keyboard_only__leads_to_the_prompt(page: Page, web_site: Site, project: Project) -> None:
    make_prompt(project=project, name="support/reply")
    make_prompt(project=project, name="support/refund")
    page.goto(f"{web_site.url}/acme/default/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Search or jump to")).to_be_visible()
    page.keyboard.type("support")
    expect(page.locator("#palette-hits a")).to_have_count(2)
    check_page(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("reply")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Search or jump to")).not_to_be_visible()


def test_list__keyboard_only__chooses_rows_and_counts_them(
    page: Page, web_site: Site, project: Project
) -> None:
    for _ in range(3):
        make_batch(project=project, rows=1)
    page.goto(f"{web_site.url}/acme/default/")
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
    for key in ("j", "x", "j", "j", "x"):
        page.keyboard.press(key)
    bar = page.get_by_label("Actions for the chosen batches")
    expect(bar).to_contain_text("2 chosen")
    expect(bar.get_by_role("button", name="Stop 2")).to_be_visible()
    bar.get_by_role("button", name="Stop 2").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop 2 batches?")
    page.get_by_role("button", name="Stop 2 batches").click()
    expect(page.get_by_text("Stopping 2 batches.")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("gone?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No batch matches")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
