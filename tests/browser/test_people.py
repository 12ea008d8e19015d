"""People: somebody is invited, joins with a new account, and gets a right on one prompt."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy

from playwright.sync_api import Browser, Page, expect

from apps.audit.actor import SYSTEM
from apps.core.mail import message_bytes
from apps.core.models import OutgoingMail
from apps.core.scope import organization_scope, system_scope
from apps.tenants import services
from apps.tenants.models import User
from apps.tenants.roles import Role
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_member, make_organization, make_project, make_prompt, make_user

SignIn = Callable[[User, Site], None]
EMAIL = "ada@example.com"


def _invitation_path() -> str:
    with system_scope():
        row = OutgoingMail.objects.filter(recipients=[EMAIL]).order_by("-id")[0]
        message = message_from_bytes(message_bytes(row), policy=policy.default)
    body = message.get_body()
    assert body is not None
    found = re.search(r"/invitations/[^/\s]+/", body.get_content())
    assert found is not None
    return found[0]


def test_people__invited_joined_and_shared_with__sees_the_prompt(
    page: Page, chromium: Browser, sign_in: SignIn, web_site: Site
) -> None:
    owner = make_user(name="Grace Hopper")
    organization = make_organization(name="Acme", owner=owner)
    project = make_project(organization=organization)
    prompt = make_prompt(project=project, name="support-reply")
    with organization_scope(organization.id):
        services.create_custom_role(
            actor=SYSTEM,
            organization=organization,
            name="Release manager",
            description="Decides what goes live.",
            permissions=["prompts.release"],
        )
    make_member(organization=organization, role=Role.EDITOR)
    sign_in(owner, web_site)

    page.goto(f"{web_site.url}/acme/settings/members/")
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("E-mail addresses").fill(EMAIL)
    page.get_by_role("radio", name="Billing: Sees").check()
    check_page(page)
    page.get_by_role("button", name="Send invitations").click()
    expect(page.get_by_test_id("invitation-row")).to_contain_text(EMAIL)

    with chromium.new_context() as context:
        guest = context.new_page()
        guest.goto(web_site.url + _invitation_path())
        expect(guest.get_by_role("heading", level=1)).to_have_text("Join Acme")
        check_page(guest)
        guest.get_by_label("Your name").fill("Ada Lovelace")
        guest.get_by_label("Password", exact=True).fill("correct horse battery")
        guest.get_by_role("button", name="Create account and join").click()
        guest.wait_for_url(f"{web_site.url}/acme/default/**")
        overview = f"{web_site.url}/acme/default/prompts/{prompt.public_id}/"
        guest.goto(overview)
        expect(guest.get_by_role("heading", level=1)).to_have_text("Your role doesn't include this")

        page.goto(overview)
        page.get_by_role("link", name="Share").click()
        page.get_by_label("E-mail address of a member").fill(EMAIL)
        page.get_by_role("button", name="Give access").click()
        expect(page.get_by_test_id("person-access")).to_contain_text("Ada Lovelace")
        check_page(page)
        guest.reload()
        expect(guest.get_by_role("heading", level=1)).to_have_text("support-reply")
