"""What holds on every page: no serious axe finding, no sideways scrolling on a phone."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
WIDTHS = (360, 768, 1440)
SERIOUS = frozenset({"serious", "critical"})
FIND_OVERFLOW = """() => {
  const limit = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= limit) return [];
  const right = (node) => node.getBoundingClientRect().right;
  const nodes = [...document.body.querySelectorAll("*")].filter((node) => node.checkVisibility());
  const wide = nodes.filter((node) => right(node) > limit + 1);
  return wide.slice(0, 5).map((node) => node.outerHTML.slice(0, 160));
}"""


@cache
def _axe_source() -> str:
    return AXE.read_text()


def axe_findings(page: Page, *rules: str, without: Sequence[str] = ()) -> list[str]:
    """Return the serious and critical findings on the page as it is now, by all rules or those named.

    `without` are selectors of parts that are not looked at.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe_source())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    result: dict[str, Any] = page.evaluate(
        "([without, options]) => axe.run({exclude: without}, options)",
        [[[each] for each in without], options],
    )
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in result["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def sideways_overflow(page: Page, widths: Sequence[int] = WIDTHS) -> list[str]:
    """Return the widths at which the page scrolls sideways, each with the elements that stick out."""
    before = page.viewport_size
    found: list[str] = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(FIND_OVERFLOW)
        if wide:
            found.append(f"{width} px: {wide}")
    if before:
        page.set_viewport_size(before)
    return found


def check_page(page: Page) -> None:
    """Assert what a page must hold in the state it is in.

    Every page is walked in both themes at all widths by test_every_page; here it is the state that is new.
    """
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    findings = axe_findings(page)
    assert findings == [], f"{page.url}: {findings}"
    overflow = sideways_overflow(page, widths=WIDTHS[:1])
    assert overflow == [], f"{page.url}: {overflow}"
