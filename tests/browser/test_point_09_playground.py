"""Point 9: four models stream side by side; stop works within one second each; the text so far stays; a
reload keeps the inputs. Against a provider that sends a word every 50 ms."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from apps.core.scope import organization_scope
from apps.runs import queries
from apps.runs.models import Run
from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site, public_origin
from tests.factories import make_connection, make_content, make_project, make_prompt, owner_of
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

SHOTS = os.environ.get("SHOTS")
SignIn = Callable[[User, Site], None]
SLOW = ("slow-1", "slow-2", "slow-3", "slow-4")


@pytest.fixture
def site(django_db_setup: None, fake_provider: FakeProvider) -> Iterator[Site]:
    """Web and gateway, allowed to call the fake provider."""
    with public_origin({"OUTBOUND_ALLOWED_HOSTS": fake_provider.host}) as site:
        yield site


@pytest.fixture
def project(page: Page, fake_provider: FakeProvider) -> Project:
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=(*SLOW, "broken"))
    content = make_content("Reply to {{ review }}", model="local/slow-1")
    make_prompt(project=project, name="team/reply", content=content, labels={"production": 1})
    return project


def shoot(page: Page, name: str) -> None:
    """Keep a picture for a person, where one is wanted."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def _column(page: Page, number: int) -> Locator:
    return page.get_by_role("article", name=f"Column {number}")


def _output(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=f"Answer of column {number}")


def test_point_09__four_models_stream__stop_keeps_the_text_and_reload_the_inputs(
    page: Page,
    site: Site,
    sign_in: SignIn,
    project: Project,
    fake_provider: FakeProvider,
) -> None:
    sign_in(owner_of(project.organization), site)
    page.goto(f"{site.url}/{project.organization.slug}/{project.slug}/playground/")
    page.get_by_label("Name", exact=True).select_option(label="team/reply")
    page.wait_for_url("**prompt=prm_*")
    expect(page.get_by_label("Message 1", exact=True)).to_have_value("Reply to {{ review }}")
    page.get_by_label("review").fill("It broke at once.")
    for number in (2, 3, 4):
        page.get_by_role("button", name="Add model").click()
        page.get_by_label(f"Model of column {number}").select_option(f"local/slow-{number}")
    expect(page.get_by_role("button", name="Add model")).to_be_disabled()
    check_page(page)

    page.keyboard.press("Control+Enter")
    for number in (1, 2, 3, 4):
        expect(_output(page, number)).to_contain_text("word5")
    shoot(page, "playground-running")
    check_page(page)
    for number in (1, 2, 3, 4):
        before = time.monotonic()
        _column(page, number).get_by_role("button", name="Stop", exact=True).click()
        expect(_column(page, number).get_by_text("Stopped")).to_be_visible(timeout=1000)
        while not fake_provider.hung_up[f"slow-{number}"]:
            assert time.monotonic() < before + 1.0, "the provider is hung up on within a second"
            page.wait_for_timeout(20)
        expect(_output(page, number)).to_contain_text("word5")
    for number in (1, 2, 3, 4):
        expect(_column(page, number)).to_contain_text(re.compile(r"≈ \d+ / \d+"))
        expect(_column(page, number)).to_contain_text("unknown")
    with organization_scope(project.organization_id):
        runs = list(Run.objects.order_by("pk"))
        contents = [queries.load_content(run) for run in runs]
    assert [(run.status, run.source, run.version_number) for run in runs] == [
        ("cancelled", "playground", 1)
    ] * 4
    assert all(content is not None and "word5" in content.output for content in contents)
    kept = _output(page, 4).inner_text()
    shoot(page, "playground-stopped")

    page.get_by_label("Message 1", exact=True).fill("Answer {{ review }} in {{ language }}")
    page.get_by_label("language", exact=True).fill("English")
    page.reload()
    expect(page.get_by_label("Message 1", exact=True)).to_have_value("Answer {{ review }} in {{ language }}")
    expect(page.get_by_label("language", exact=True)).to_have_value("English")
    expect(page.get_by_label("review")).to_have_value("It broke at once.")
    expect(page.get_by_label("Model of column 4")).to_have_value("local/slow-4")
    assert _output(page, 4).inner_text() == kept
    expect(page.get_by_text("v1, changed")).to_be_visible()
    expect(page.get_by_role("table", name="Earlier tries").get_by_text("4 stopped")).to_be_visible()


def test_playground__a_provider_fails_and_the_sandbox_answers__both_are_told(
    page: Page, site: Site, sign_in: SignIn, project: Project
) -> None:
    sign_in(owner_of(project.organization), site)
    page.goto(f"{site.url}/{project.organization.slug}/{project.slug}/playground/")
    page.get_by_label("Message 2", exact=True).fill("Greet {{ name }}")
    page.get_by_label("Model of column 1").select_option("local/broken")
    page.get_by_role("button", name="Add model").click()
    page.get_by_label("Model of column 2").select_option("sandbox/standard")
    page.get_by_role("button", name="Run all").click()
    expect(_output(page, 1).get_by_role("alert")).to_contain_text("variable_missing")
    page.get_by_label("name", exact=True).fill("Dana")
    page.get_by_role("button", name="Run all").click()
    expect(_output(page, 1).get_by_role("alert")).to_contain_text(
        "provider_failed (provider_error): Out of order."
    )
    expect(_column(page, 2).get_by_text("Finished, stop")).to_be_visible()
    expect(_column(page, 2)).to_contain_text("sandbox")
    expect(_column(page, 2).get_by_role("link", name="Open run")).to_be_visible()
    shoot(page, "playground-done")
    check_page(page)
    _column(page, 2).get_by_role("button", name="Copy as code").click()
    expect(page.get_by_role("dialog")).to_contain_text("Greet Dana")
    page.get_by_label("Language").select_option("node")
    expect(page.get_by_role("dialog")).to_contain_text("process.env.PROMPTSAAS_KEY")
    check_page(page)
    page.get_by_role("button", name="Close").click()
    _column(page, 2).get_by_role("button", name="Save as version").click()
    page.get_by_label("Name of the prompt").fill("from/play")
    page.get_by_role("button", name="Create prompt").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("play")
