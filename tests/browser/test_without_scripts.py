"""The core forms with scripts switched off: list, view, create, save, promote, upload, start, make a key."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.tenants.models import User
from tests.browser.conftest import session_cookie
from tests.browser.servers import Site
from tests.factories import make_organization, make_user

Open = Callable[[str], Page]


@pytest.fixture
def open_page(chromium: Browser, web_site: Site, transactional_db: None) -> Iterator[Open]:
    """A signed-in page without scripts, at an address below the project."""
    user: User = make_user(name="Mira Okafor")
    make_organization(name="Acme", owner=user)
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([session_cookie(user, web_site)])
    page = context.new_page()

    def open_page(address: str) -> Page:
        page.goto(f"{web_site.url}/acme/default/{address}")
        return page

    yield open_page
    context.close()


def create_prompt(page: Page) -> None:
    page.get_by_label("Name").fill("triage/sentiment")
    page.get_by_label("User message").fill("Review: {{ review }}")
    page.get_by_label("Model").select_option(index=1)
    page.get_by_role("button", name="Create prompt").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("sentiment")


def test_prompt__created_saved_and_promoted__without_scripts(open_page: Open) -> None:
    page = open_page("prompts/new/")
    create_prompt(page)
    editor = page.get_by_label("User message 1")
    assert editor.evaluate("node => getComputedStyle(node).color") != "rgba(0, 0, 0, 0)"
    editor.fill("Customer review: {{ review }} in {{ language }}")
    page.get_by_role("button", name="Update preview and keep the draft").click()
    expect(page.locator("#preview")).to_contain_text("Customer review: [review] in [language]")
    page.get_by_role("button", name="Save version").click()
    page.get_by_label("What changed").fill("Say whose review it is")
    page.get_by_role("button", name="Save v2").click()
    expect(page.get_by_text("newest v2")).to_be_visible()
    page.get_by_role("link", name="Labels").click()
    page.get_by_role("link", name="Set a label").first.click()
    page.get_by_role("textbox", name="Label").fill("production")
    page.get_by_role("button", name="Set the label").click()
    expect(page.get_by_text("set to v2")).to_be_visible()
    open_page("prompts/")
    expect(page.get_by_role("link", name="triage/sentiment")).to_be_visible()


def test_batch__rows_uploaded_and_started__without_scripts(open_page: Open, tmp_path: Path) -> None:
    page = open_page("prompts/new/")
    create_prompt(page)
    file = tmp_path / "reviews.csv"
    file.write_text("review\nGood.\nBad.\n")
    open_page("datasets/new/")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("button", name="Import rows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reviews")
    open_page("batches/new/")
    page.get_by_role("button", name="Check and estimate").click()
    expect(page.get_by_text("sandbox, not real money")).to_be_visible()
    page.get_by_role("button", name="Start batch").click()
    expect(page.get_by_text("of 2 rows finished")).to_be_visible()


def test_key__made_and_revoked__without_scripts(open_page: Open) -> None:
    page = open_page("settings/keys/new/")
    page.get_by_label("Name").fill("Checkout service")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#key")).to_contain_text("psk_live_")
    open_page("settings/keys/")
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_test_id("key-row")).to_contain_text("Revoked")
