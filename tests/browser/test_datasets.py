from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from apps.tenants.models import User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_organization, make_user


def test_datasets__from_empty_to_imported__reads_an_odd_file(
    page: Page, web_site: Site, sign_in: Callable[[User, Site], None], tmp_path: Path
) -> None:
    user = make_user()
    make_organization(name="Acme", owner=user)
    sign_in(user, web_site)
    file = tmp_path / "reviews.csv"
    file.write_text('review;sentiment\n"two\nlines";negative\nonly one cell\nfine;positive\n')
    page.goto(f"{web_site.url}/acme/default/datasets/")
    page.get_by_role("link", name="New dataset").first.click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("semicolon-separated")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Import rows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reviews")
    page.get_by_role("navigation", name="Project").get_by_role("link", name="Datasets").click()
    expect(page.get_by_role("link", name="reviews")).to_be_visible()
