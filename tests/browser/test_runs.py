"""Page 19: runs, as a person reads them."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.runs.types import Attempt, RunError
from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_organization, make_project, make_run, make_user

SignIn = Callable[[User, Site], None]
FAILED = RunError(code="provider_timeout", type="provider_error", message="Too slow.", status=504)


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


def test_runs__filter_open_search__by_form(page: Page, web_site: Site, project: Project) -> None:
    attempts = (Attempt(0, 10, "server", 503), Attempt(30, 12, kind="retry"))
    run = make_run(project=project, text='{"sentiment": "positive"}', attempts=attempts, request_id="req_abc")
    make_run(project=project, text="", error=FAILED)
    page.goto(f"{web_site.url}/acme/default/runs/")
    expect(page.get_by_test_id("run-row")).to_have_count(2)
    page.get_by_role("combobox", name="Status").select_option("failed")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_test_id("run-row")).to_have_count(1)
    expect(page).to_have_url(re.compile("status=failed"))
    page.get_by_label("Find by run_").fill("req_abc")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(run.public_id)
    expect(page.get_by_text("Retried once")).to_be_visible()
    expect(page.get_by_text("Call, server error 503")).to_be_visible()
    check_page(page)
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.locator("#output")).to_have_text('{"sentiment": "positive"}')
