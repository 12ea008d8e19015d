"""One newcomer's way through everything, by clicking: sign up, prompt, release, batch, key, call."""

import re
from pathlib import Path

import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from apps.core.mail import message_text
from apps.core.models import OutgoingMail
from apps.core.scope import system_scope
from tests.browser.checks import check_page
from tests.browser.servers import Site

EMAIL = "newcomer@example.com"
PASSWORD = "three unrelated words"
REVIEWS = ["It broke after a day.", "I love it, works great.", "Terrible sound, sent it back."]


def click_link(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("link", name=name).first.click()


def go(page: Page, entry: str) -> None:
    page.get_by_role("navigation", name="Project").get_by_role("link", name=entry).click()


def link_in_last_mail() -> str:
    with system_scope():
        text = message_text(OutgoingMail.objects.order_by("-id")[0])
    match = re.search(r"https?://\S+", text)
    assert match is not None, text
    return match[0]


def sign_up(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/accounts/signup/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
    page.goto(link_in_last_mail())
    page.get_by_role("button", name="Confirm address").click()
    if page.get_by_role("heading", name="Sign in").is_visible():
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name").fill("Acme")
    page.get_by_role("button", name="Create organization").click()
    expect(page.get_by_text("0 of 5")).to_be_visible()


def make_prompt(page: Page) -> None:
    click_link(page, "New prompt")
    page.get_by_label("Name").fill("triage/sentiment")
    page.get_by_label("System message").fill("Answer with the sentiment of the review.")
    page.get_by_label("User message").fill("Review: {{ review }}")
    page.get_by_label("Model").select_option(index=1)
    page.get_by_role("button", name="Create prompt").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("sentiment")


def save_second_version(page: Page) -> None:
    page.get_by_label(re.compile("User message")).fill("Customer review:\n{{ review }}")
    page.get_by_role("button", name="Save version").click()
    page.get_by_label("What changed").fill("Say whose review it is")
    page.get_by_role("button", name="Save v2").click()
    expect(page.get_by_text("newest v2")).to_be_visible()


def section(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Sections").get_by_role("link", name=name).click()


def set_production(page: Page) -> None:
    section(page, "Labels")
    click_link(page, "Set a label")
    page.get_by_role("textbox", name="Label").fill("production")
    page.get_by_role("button", name="Set the label").click()
    expect(page.get_by_text("set to v1")).to_be_visible()
    section(page, "Edit")


def compare_and_release(page: Page) -> None:
    section(page, "History")
    expect(page.locator("del").first).to_contain_text("Review:")
    expect(page.locator("ins").first).to_contain_text("Customer review:")
    section(page, "Labels")
    click_link(page, "Move to v2")
    page.get_by_label("Reason").fill("Says whose review it is")
    page.get_by_role("button", name="Move production to v2").click()
    expect(page.get_by_text("v1 → v2")).to_be_visible()


def upload_rows(page: Page, folder: Path) -> None:
    file = folder / "reviews.csv"
    file.write_text("review;sentiment\n" + "".join(f'"{text}";negative\n' for text in REVIEWS))
    go(page, "Datasets")
    click_link(page, "New dataset")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("semicolon-separated")).to_be_visible()
    page.get_by_role("button", name="Import rows").click()
    expect(page.get_by_text("3 rows").first).to_be_visible()


def run_batch(page: Page) -> None:
    click_link(page, "New batch")
    page.get_by_label("Prompt and version").select_option(label="triage/sentiment, production (v2)")
    page.get_by_role("button", name="Start batch").click()
    expect(page.locator("#batch-badge")).to_contain_text("Finished", timeout=30_000)
    expect(page.get_by_text("of 3 rows finished")).to_be_visible()
    section(page, "Results")
    expect(page.get_by_text("It broke after a day.", exact=True)).to_be_visible()
    page.get_by_text("Download", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == len(REVIEWS) + 1
    assert "It broke after a day." in lines[1]


def make_key(page: Page) -> str:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="API keys").click()
    click_link(page, "New key")
    page.get_by_label("Name").fill("Walk")
    page.get_by_role("button", name="Create key").click()
    return page.locator("#key").inner_text().strip()


def call(site: Site, key: str) -> str:
    client = OpenAI(base_url=f"{site.url}/v1", api_key=key)
    answer = client.chat.completions.create(
        model="prompt:triage/sentiment@production",
        messages=[],
        extra_body={"variables": {"review": "Called from a program"}},
    )
    return answer.id


def see_the_run(page: Page) -> None:
    go(page, "Runs")
    expect(page.get_by_text("Called from a program").first).to_be_visible()
    page.locator('[data-testid="run-row"]').first.get_by_role("link").first.click()
    expect(page.get_by_text("Called from a program").first).to_be_visible()
    check_page(page)


@pytest.mark.slow
def test_newcomer__from_sign_up_to_the_first_call__sees_the_run(
    page: Page, whole_site: Site, tmp_path: Path
) -> None:
    sign_up(page, whole_site)
    make_prompt(page)
    set_production(page)
    save_second_version(page)
    compare_and_release(page)
    upload_rows(page, tmp_path)
    run_batch(page)
    key = make_key(page)
    go(page, "Home")
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_text("Waiting for your first request")).to_be_visible()
    call(whole_site, key)
    expect(page.get_by_text("Your first request arrived")).to_be_visible(timeout=15_000)
    see_the_run(page)
