"""From the form to the results, with a real worker."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
from playwright.sync_api import Page, expect

from apps.batches.models import BatchItem, BatchJob
from apps.batches.services.starting import BatchOptions
from apps.billing.models import UsageEvent
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from apps.tenants.models import User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import (
    SENTIMENT_SCHEMA,
    make_batch,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
    owner_of,
)

SHOTS = os.environ.get("SHOTS")
SignIn = Callable[[User, Site], None]
REVIEW = ({"name": "review", "type": "text", "required": True},)


def shoot(page: Page, name: str) -> None:
    """Keep a picture for a person, where one is wanted."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def download_as(page: Page, words: str) -> Path:
    """Take the results from the menu of downloads."""
    # A link that is downloaded leaves the menu open.
    if not page.get_by_role("link", name=words, exact=True).is_visible():
        page.locator("summary", has_text="Download").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=words, exact=True).click()
    return Path(download.value.path())


@pytest.mark.browser
def test_new_batch__checked_started_and_followed__ends_with_results_to_download(
    page: Page, sign_in: SignIn, whole_site: Site
) -> None:
    project = make_project()
    sign_in(owner_of(project.organization), whole_site)
    content = make_content(output_schema=SENTIMENT_SCHEMA)
    make_prompt(project=project, name="review-sentiment", labels={"production": 1}, content=content)
    rows = [RowValues({"review": f"Great product number {n}."}, "Positive", {}) for n in range(40)]
    make_dataset_version(project=project, name="Reviews", rows=rows)

    page.goto(f"{whole_site.url}/{project.organization.slug}/{project.slug}/batches/")
    page.get_by_role("link", name="New batch").first.click()
    page.get_by_label("Prompt and version").select_option(label="review-sentiment, production (v1)")
    page.get_by_role("textbox", name="Name optional").fill("Spring reviews")
    page.get_by_label("Run a sample first").check()
    expect(page.get_by_text("Every row has a value")).to_be_visible()
    expect(page.get_by_text("sandbox, not real money")).to_be_visible()
    expect(page.get_by_text("Sample of 5, then a pause")).to_be_visible()
    shoot(page, "batch-new")
    check_page(page)
    page.get_by_role("button", name="Start batch").click()

    expect(page.get_by_role("heading", name="Spring reviews")).to_be_visible()
    expect(page.get_by_text("The sample of 5 rows is through")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("5 of 40 rows finished")).to_be_visible()
    shoot(page, "batch-sample")
    partial = download_as(page, "CSV").read_text().splitlines()
    assert (len(partial), sum(",pending," in line for line in partial)) == (41, 35)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#batch-badge")).to_contain_text("Finished", timeout=30_000)
    expect(page.get_by_text("40 of 40 rows finished")).to_be_visible()
    shoot(page, "batch-done")
    check_page(page)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Results").click()
    page.get_by_role("link", name="2", exact=True).click()
    page.get_by_role("button", name="Mark as good").click()
    expect(page.get_by_text("You marked it as good")).to_be_visible()
    expect(page.get_by_role("link", name="Open the run")).to_be_visible()
    shoot(page, "batch-results")
    check_page(page)
    assert len(download_as(page, "CSV").read_text().splitlines()) == 41
    assert pyarrow.parquet.read_table(download_as(page, "Parquet")).num_rows == 40


@pytest.mark.browser
def test_batch__while_it_runs__can_be_stopped(page: Page, sign_in: SignIn, whole_site: Site) -> None:
    project = make_project()
    sign_in(owner_of(project.organization), whole_site)
    options = BatchOptions(concurrency=2, parameters={"sandbox_latency_ms": 60_000})
    job = make_batch(project=project, rows=5, options=options)
    room = f"{whole_site.url}/{project.organization.slug}/{project.slug}/batches/"

    page.goto(room)
    shoot(page, "batch-list")
    check_page(page)
    page.goto(f"{room}{job.public_id}/")
    expect(page.get_by_text("In flight 2")).to_be_visible(timeout=30_000)
    shoot(page, "batch-running")
    check_page(page)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Pausing: 2 calls in flight.")).to_be_visible()
    page.get_by_role("button", name="Stop batch").click()

    expect(page.get_by_text("calls in flight. Finished rows stay.")).to_be_visible()
    expect(page.locator("#batch-badge")).to_contain_text("Stopped", timeout=10_000)
    expect(page.get_by_role("button", name="Stop batch")).to_have_count(0)
    expect(page.get_by_role("button", name="Retry 5 rows")).to_be_visible()
    shoot(page, "batch-stopped")


@pytest.mark.browser
def test_batch__with_a_cap__stops_before_it_costs_more(page: Page, sign_in: SignIn, whole_site: Site) -> None:
    project = make_project()
    sign_in(owner_of(project.organization), whole_site)
    content = make_content(parameters={"max_tokens": 20})
    make_prompt(project=project, name="review-sentiment", labels={"production": 1}, content=content)
    rows = [RowValues({"review": f"Great product number {n}."}, None, {}) for n in range(200)]
    make_dataset_version(project=project, name="Reviews", rows=rows)

    page.goto(f"{whole_site.url}/{project.organization.slug}/{project.slug}/batches/new/")
    page.get_by_label("Prompt and version").select_option(label="review-sentiment, production (v1)")
    page.get_by_label("Cost cap").fill("0.001")
    expect(page.get_by_text("Every row has a value")).to_be_visible()
    page.get_by_role("button", name="Start batch").click()
    expect(page.locator("#batch-badge")).to_contain_text("Stopped", timeout=30_000)
    expect(page.get_by_text("The cost cap stopped the batch")).to_be_visible()

    with organization_scope(project.organization_id):
        job = BatchJob.objects.get()
    assert 0 < job.cost_used <= Decimal("0.001")
    assert job.succeeded + job.cancelled == 200


@pytest.mark.browser
def test_batch__stopped_from_the_list__can_be_retried_without_a_second_charge(
    page: Page, sign_in: SignIn, whole_site: Site
) -> None:
    project = make_project()
    sign_in(owner_of(project.organization), whole_site)
    rows = [RowValues({"review": text}, None, {}) for text in ("Fine.", None, "Good.")]
    ended = make_batch(project=project, rows=rows, content=make_content(variables=REVIEW))
    options = BatchOptions(concurrency=1, parameters={"sandbox_latency_ms": 60_000})
    slow = make_batch(project=project, rows=4, options=options)
    room = f"{whole_site.url}/{project.organization.slug}/{project.slug}/batches/"

    page.goto(room)
    page.get_by_role("button", name=f"Stop {slow.name}").click()
    expect(page.locator("#batch-badge")).to_contain_text("Stopped", timeout=20_000)
    page.goto(f"{room}{ended.public_id}/")
    expect(page.locator("#batch-badge")).to_contain_text("Finished", timeout=30_000)
    page.get_by_role("button", name="Retry 1 row").click()
    expect(page.get_by_text("3 of 3 rows finished")).to_be_visible(timeout=30_000)

    with organization_scope(project.organization_id):
        found = BatchItem.objects.filter(batch=ended).order_by("number")
        assert [item.status for item in found] == ["succeeded", "failed", "succeeded"]
        assert UsageEvent.objects.filter(key__startswith="item:").count() == 2
