"""Points 16, 18 and 20 on the pages of analytics: unknown stays unknown, nothing jumps, and who did it."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from apps.analytics.models import Grain
from apps.core.scope import organization_scope
from apps.prompts.queries import latest_version
from apps.tenants.models import Project, User
from tests.browser.checks import axe_findings, check_page
from tests.browser.servers import Site
from tests.factories import (
    make_organization,
    make_project,
    make_prompt,
    make_rollup,
    make_segment,
    make_user,
)

SignIn = Callable[[User, Site], None]
KNOWN: dict[str, Any] = {
    "requests": 800,
    "failed": 40,
    "errors": {"provider_timeout": 30, "output_invalid": 10},
    "cost": Decimal("1.20"),
    "priced": 800,
    "input_tokens": 9_000,
    "output_tokens": 1_000,
    "latency_buckets": [300, 340],
    "latency_counts": [700, 60],
    "latency_sum": 760_000,
    "feedback_sum": 80,
    "feedback_count": 20,
}
UNKNOWN: dict[str, Any] = {"requests": 7, "unknown_price": 7, "unknown_tokens": 7}


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    """A project whose prompt was called an hour ago by a model of known and one of unknown price."""
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    project = make_project(organization=make_organization(name="Acme", owner=user))
    prompt = make_prompt(project=project, name="support/answer", versions=2, labels={"production": 2})
    with organization_scope(project.organization_id):
        version = latest_version(prompt)
    given = {"prompt_id": prompt.pk, "version_id": version.pk, "version_number": version.number}
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    for more, calls in (({"label": "production"}, KNOWN), ({"model": "local/llama"}, UNKNOWN)):
        segment = make_segment(project=project, **given, **more)
        for grain, start in ((Grain.FIVE_MINUTES, at), (Grain.HOUR, at), (Grain.DAY, at.replace(hour=0))):
            make_rollup(segment=segment, grain=grain, starts_at=start, **calls)
    return project


def open_page(page: Page, site: Site, rest: str = "") -> None:
    page.goto(f"{site.url}/acme/default/analytics/{rest}")


def chart(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def cells(figure: Locator) -> list[list[str]]:
    figure.get_by_text("Data table").click()
    rows = figure.get_by_role("row").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def test_point_16__unknown_price__is_unknown_in_tile_chart_table_and_file(
    page: Page, web_site: Site, project: Project
) -> None:
    open_page(page, web_site, "?group_by=model")
    tile = page.locator('[data-metric="cost"]')
    expect(tile).to_contain_text("7 calls of unknown price not in it")
    page.get_by_role("combobox", name="Group by").select_option("none")
    page.wait_for_url("**group_by=none**")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_role("combobox", name="Model").select_option("local/llama")
    page.get_by_role("button", name="Apply filters").click()
    page.wait_for_url("**model=local**")
    page.reload()
    expect(page.get_by_text("Model is local/llama")).to_be_visible()
    expect(page.get_by_role("combobox", name="Group by")).to_have_value("none")
    expect(tile.locator(".tile__value")).to_have_text("unknown")
    figure = chart(page, "Cost")
    expect(figure.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("7 calls of unknown price not in it")
    )
    shown = cells(figure)
    answer = page.request.get(
        web_site.url + str(figure.get_by_role("link", name="CSV").get_attribute("href"))
    )
    file = list(csv.reader(io.StringIO(answer.text())))
    assert {row[1] for row in shown[1:]} == {"none", "unknown"}
    assert [row[1:] for row in file[1:]] == [row[1:] for row in shown[1:]]
    check_page(page)


def test_point_18__panels_load_and_one_fails__nothing_jumps_or_breaks(
    context: BrowserContext, web_site: Site, project: Project
) -> None:
    page = context.new_page()
    held: list[Route] = []
    page.route("**/panels/**", lambda route: held.append(route))
    with page.expect_request("**/panels/changes/**"):
        open_page(page, web_site, "?range=7d")
    panels = page.locator(".analytics__panel")
    expect(panels).to_have_count(14)
    tops = "nodes => nodes.slice(0, 6).map(node => Math.round(node.getBoundingClientRect().top + scrollY))"
    before = panels.evaluate_all(tops)
    for route in held:
        if "/errors/" in route.request.url:
            route.fulfill(status=503, body="slow")
        else:
            route.continue_()
    page.unroute("**/panels/**")
    expect(chart(page, "Requests").get_by_role("img")).to_be_visible()
    expect(chart(page, "Latency").get_by_role("img")).to_be_visible()
    failed = page.get_by_role("alert").first
    expect(failed).to_contain_text("A shorter range takes less time.")
    expect(failed.get_by_role("link", name="Show last 24 hours")).to_be_visible()
    expect(page.locator('[data-metric="requests"] .tile__value')).to_have_text("807")
    assert panels.evaluate_all(tops) == before
    assert axe_findings(page) == []
    failed.get_by_role("button", name="Try again").click()
    expect(chart(page, "Error rate").get_by_role("img")).to_be_visible()
    assert panels.evaluate_all(tops) == before


def test_point_20__versions_side_by_side__two_clicks_to_who_changed_them(
    page: Page, web_site: Site, project: Project
) -> None:
    open_page(page, web_site, "versions/")
    expect(page.get_by_role("cell", name="of 100, n = 807")).to_be_visible()
    check_page(page)
    page.get_by_role("link", name="Who changed it").click()
    events = page.get_by_test_id("audit-event")
    expect(events.first).to_be_visible()
    events.first.get_by_role("link").first.click()
    expect(page.get_by_text("support/answer").first).to_be_visible()
