"""Point 24: create, edit, save, run, diff and promote by keyboard alone at 200 % zoom, and by touch at
320 px, in dark colours without a serious finding and without sideways scrolling.

Without scripts the forms are walked in test_without_scripts.py and, for signing in, in test_signed_out.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from apps.tenants.models import User
from tests.browser.checks import FIND_OVERFLOW, axe_findings
from tests.browser.conftest import PATIENCE_MS, session_cookie
from tests.browser.servers import Site
from tests.factories import make_organization, make_user

MOST_TABS: Final = 150
# What 1280 × 900 leaves at 200 % zoom, and the narrowest phone.
ZOOMED: Final[dict[str, Any]] = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 320, "height": 640}, "has_touch": True}


@dataclass(frozen=True)
class Hand:
    """A person with one way to reach things."""

    page: Page

    def press(self, target: Locator) -> None:
        """Follow a link or press a button."""
        target.tap()

    def write(self, target: Locator, text: str) -> None:
        """Put a text into a field in place of what stands there."""
        target.tap()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)


@dataclass(frozen=True)
class Keyboard(Hand):
    """Somebody who has no pointer: everything is reached by Tab."""

    def reach(self, target: Locator) -> None:
        """Press Tab until it has the focus, and see that it is shown."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("node => node === document.activeElement"):
                expect(target).to_be_in_viewport()
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"not within reach of {MOST_TABS} tabs: {target}")

    def press(self, target: Locator) -> None:
        self.reach(target)
        self.page.keyboard.press("Enter")

    def write(self, target: Locator, text: str) -> None:
        self.reach(target)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)


def check(page: Page) -> None:
    """No serious finding and nothing beyond the edge, as the page is now."""
    assert axe_findings(page) == [], page.url
    assert page.evaluate(FIND_OVERFLOW) == [], page.url


def create(hand: Hand, page: Page) -> None:
    hand.press(page.get_by_role("main").get_by_role("link", name="New prompt").first)
    hand.write(page.get_by_label("Name"), "support/reply")
    hand.write(page.get_by_label("User message"), "Review: {{ review }}")
    check(page)
    hand.press(page.get_by_role("button", name="Create prompt"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("reply")


def edit_and_save(hand: Hand, page: Page) -> None:
    hand.write(page.get_by_label("User message 1"), "Customer review: {{ review }}")
    expect(page.locator("#draft-status")).to_contain_text("Draft saved")
    check(page)
    hand.press(page.get_by_role("button", name="Save version"))
    dialog = page.get_by_role("dialog", name="Save as v2")
    hand.write(dialog.get_by_label("What changed"), "Say whose review it is")
    check(page)
    hand.press(dialog.get_by_role("button", name="Save v2"))
    expect(page.get_by_text("Version 2 is saved.").first).to_be_visible()


def run(hand: Hand, page: Page) -> None:
    hand.press(page.get_by_role("button", name="Run", exact=True))
    hand.write(page.get_by_label("review", exact=True), "It broke at once.")
    hand.press(page.locator("main [data-run]"))
    expect(page.get_by_text("Finished, stop")).to_be_visible()
    check(page)


def compare(hand: Hand, page: Page) -> None:
    hand.press(page.get_by_role("navigation", name="Sections").get_by_role("link", name="History"))
    expect(page.locator("ins").first).to_contain_text("Customer review:")
    check(page)


def promote(hand: Hand, page: Page) -> None:
    hand.press(page.get_by_role("navigation", name="Sections").get_by_role("link", name="Labels"))
    hand.press(page.get_by_role("main").get_by_role("link", name="Set a label").first)
    hand.write(page.get_by_role("textbox", name="Label"), "production")
    check(page)
    hand.press(page.get_by_role("button", name="Set the label"))
    expect(page.get_by_text("production points at v2.").first).to_be_visible()
    check(page)


@pytest.mark.slow
@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(
    ("kind", "screen"), [(Keyboard, ZOOMED), (Hand, PHONE)], ids=["keyboard-at-200-percent", "touch-at-320"]
)
def test_point_24__core_flow_in_dark_colours__works(
    chromium: Browser, whole_site: Site, kind: Callable[[Page], Hand], screen: dict[str, Any]
) -> None:
    user: User = make_user(name="Mira Okafor")
    make_organization(name="Acme", owner=user)
    context = chromium.new_context(**screen, color_scheme="dark", reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([session_cookie(user, whole_site)])
    page = context.new_page()
    hand = kind(page)
    page.goto(f"{whole_site.url}/acme/default/prompts/")
    check(page)
    create(hand, page)
    edit_and_save(hand, page)
    saved = page.url
    run(hand, page)
    page.goto(saved)
    compare(hand, page)
    promote(hand, page)
    context.close()
