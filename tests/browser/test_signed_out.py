from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.tenants.models import User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import PASSWORD, make_organization, make_user

ADDRESSES = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/confirm-email/",
    "/accounts/inactive/",
    "/there/is/nothing/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_signed_out_page__both_themes_and_widths__sound(page: Page, web_site: Site, address: str) -> None:
    page.goto(web_site.url + address)
    check_page(page)


@pytest.mark.usefixtures("real_passwords")
def test_sign_in__wrong_password__says_so_and_keeps_the_address(page: Page, web_site: Site) -> None:
    make_organization(owner=make_user(email="mira@example.com", password=PASSWORD))
    page.goto(f"{web_site.url}/accounts/login/")
    page.get_by_label("E-mail").fill("mira@example.com")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value("mira@example.com")
    check_page(page)


@pytest.mark.usefixtures("real_passwords")
def test_sign_in__keyboard_only__lands_at_home_and_out_again(page: Page, web_site: Site) -> None:
    make_organization(name="Acme", owner=make_user(email="mira@example.com", password=PASSWORD))
    page.goto(f"{web_site.url}/accounts/login/")
    page.get_by_label("E-mail").focus()
    page.keyboard.type("mira@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/acme/default/**")
    page.get_by_text("Your account").focus()
    page.get_by_text("Your account, mira@example.com").locator("xpath=..").press("Enter")
    page.get_by_role("button", name="Sign out").press("Enter")
    page.wait_for_url("**/accounts/login/**")


@pytest.mark.usefixtures("real_passwords", "transactional_db")
def test_sign_in__without_scripts__works(chromium: Browser, web_site: Site) -> None:
    make_organization(name="Acme", owner=make_user(email="mira@example.com", password=PASSWORD))
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{web_site.url}/accounts/login/")
    page.get_by_label("E-mail").fill("mira@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/acme/default/**")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    context.close()


def test_theme__chosen_dark__rendered_by_the_server(
    page: Page, web_site: Site, sign_in: Callable[[User, Site], None]
) -> None:
    user = make_user(name="Mira Okafor")
    make_organization(name="Acme", owner=user)
    sign_in(user, web_site)
    page.goto(f"{web_site.url}/acme/default/")
    page.locator("summary", has_text="Your account").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    user.refresh_from_db()
    assert user.theme == "dark"
