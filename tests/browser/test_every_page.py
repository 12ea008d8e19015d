"""Every page of the product once: axe in both themes and no sideways scrolling."""

import pytest
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import BrowserContext, Page

from tests.access.pages import WebPage, fill_project, prove_again, staff_owner, web_pages
from tests.browser.checks import AXE, axe_findings, sideways_overflow
from tests.browser.conftest import session_cookie
from tests.browser.servers import Site
from tests.factories import make_project

# Pages that need no owner's session; test_signed_out.py looks at those that anybody may open.
WHOLE_PAGE = "() => document.querySelector('html > body h1') !== null"


def _is_page(page: Page, site: Site, each: WebPage) -> bool:
    """Open it; whether it is a page rather than a part of one, a file, or a way to another page."""
    answer = page.request.get(site.url + each.address, max_redirects=0)
    if answer.status >= 300 and answer.status < 400:
        return False
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return is_html and "<html" in answer.text()


def _problems(page: Page, site: Site, each: WebPage) -> list[str]:
    page.goto(site.url + each.address, wait_until="load")
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {finding}" for finding in axe_findings(page)]
    return found + sideways_overflow(page)


@pytest.mark.slow
def test_every_page__in_both_themes_and_at_all_widths__is_sound(
    page: Page, context: BrowserContext, web_site: Site
) -> None:
    assert AXE.exists()
    project = make_project()
    owner = staff_owner(project)
    fill_project(project)
    cookie = session_cookie(owner, web_site)
    prove_again(SessionStore(cookie["value"]))
    context.add_cookies([cookie])
    pages = [each for each in web_pages(project) if _is_page(page, web_site, each)]
    assert len(pages) > 60
    found = {each.pattern: _problems(page, web_site, each) for each in pages}
    assert {pattern: problems for pattern, problems in found.items() if problems} == {}
