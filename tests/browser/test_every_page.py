"""Every page of the product once: axe in both themes and no sideways scrolling."""

from collections.abc import Sequence
from typing import Final

import pytest
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import BrowserContext, Page

from tests.access.pages import WebPage, fill_project, prove_again, staff_owner, web_pages
from tests.browser.checks import axe_findings, sideways_overflow
from tests.browser.conftest import session_cookie
from tests.browser.servers import Site
from tests.factories import make_project

# The same on every page of a project.
FRAME: Final = (".sidebar", ".topbar")


def _opened(page: Page, site: Site, each: WebPage) -> int:
    """Open an address; the status of the page, or 0 for a part of one, a file, or a way to another page."""
    answer = page.request.get(site.url + each.address, max_redirects=0)
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    if 300 <= answer.status < 400 or not is_html or "<html" not in answer.text():
        return 0
    page.goto(site.url + each.address)
    return answer.status


def _problems(page: Page, without: Sequence[str]) -> list[str]:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = axe_findings(page, without=without)
    # A theme changes nothing but colours.
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = axe_findings(page, "color-contrast", without=without)
    return found + [f"dark: {finding}" for finding in dark] + sideways_overflow(page)


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_every_page__in_both_themes_and_at_all_widths__is_sound(
    page: Page, context: BrowserContext, web_site: Site, half: int
) -> None:
    project = make_project()
    owner = staff_owner(project)
    fill_project(project)
    cookie = session_cookie(owner, web_site)
    prove_again(SessionStore(cookie["value"]))
    context.add_cookies([cookie])
    refusals: set[int] = set()
    problems: dict[str, list[str]] = {}
    frame_seen = False
    # In halves, so that two processes share them.
    for each in web_pages(project)[half::2]:
        status = _opened(page, web_site, each)
        # The pages of one refusal differ in words alone.
        if status and status not in refusals:
            framed = "/default/" in each.address
            problems[each.pattern] = _problems(page, FRAME if framed and frame_seen else ())
            frame_seen = frame_seen or framed
        if status >= 400:
            refusals.add(status)
    assert len(problems) > 35, "pages are missing from the walk"
    assert {pattern: found for pattern, found in problems.items() if found} == {}
