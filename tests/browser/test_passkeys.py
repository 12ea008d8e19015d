"""A passkey, from its making to signing in with it alone, by Chromium's virtual authenticator."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import PASSWORD, make_organization, make_user

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.mark.usefixtures("real_passwords")
def test_passkey__made_on_the_security_page__signs_in_alone_and_as_second_step(
    page: Page, web_site: Site
) -> None:
    make_organization(name="Acme", owner=make_user(email="mira@example.com", password=PASSWORD))
    # A passkey belongs to a host name; an address in numbers has none.
    origin = web_site.url.replace("127.0.0.1", "localhost")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    _sign_in(page, origin)
    page.goto(f"{origin}/profile/security/")
    check_page(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("work laptop")
    check_page(page)
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.get_by_role("list", name="Recovery codes").get_by_role("listitem")).to_have_count(10)
    check_page(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_test_id("passkey")).to_contain_text("work laptop")
    check_page(page)

    page.context.clear_cookies()
    page.goto(f"{origin}/accounts/login/?next=/profile/security/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Security and sessions")).to_be_visible()

    page.context.clear_cookies()
    _sign_in(page, origin)
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/acme/default/**")


def _sign_in(page: Page, origin: str) -> None:
    page.goto(f"{origin}/accounts/login/")
    page.get_by_label("E-mail").fill("mira@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
