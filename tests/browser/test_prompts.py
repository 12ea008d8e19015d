"""The pages of prompts in a real browser: sound in both themes, and the editor's script."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.prompts.models import Prompt
from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_content, make_organization, make_project, make_prompt, make_user

SignIn = Callable[[User, Site], None]

SYSTEM = """You write replies for the Acme help desk.
Use the tone guide: friendly, exact, no filler. Answer in {{ language }}.
Never promise a refund; quote the policy instead.
{% if order %}
Order {{ order.id }} was placed on {{ order.date }} and is now “{{ order.status }}”.
{% endif %}
At most {{ max_words }} words."""
SCHEMA = {"type": "object", "required": ["reply"], "properties": {"reply": {"type": "string"}}}


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


@pytest.fixture
def prompt(project: Project) -> Prompt:
    """A prompt with rich content, then two plain versions, and labels at two of them."""
    return make_prompt(
        project=project,
        name="support/reply",
        description="Answers a customer's e-mail in our tone",
        content=make_content(
            "Customer {{ customer_name }} wrote:\n<message>\n{{ message }}\n</message>",
            system=SYSTEM,
            variables=(
                {"name": "language", "type": "text", "default": "English"},
                {"name": "order", "type": "json", "required": False},
                {"name": "max_words", "type": "number", "default": 120},
            ),
            parameters={"temperature": 0.2, "max_tokens": 600},
            output_schema=SCHEMA,
        ),
        versions=3,
        labels={"production": 1, "staging": 2},
    )


def open_page(page: Page, site: Site, path: str = "") -> None:
    page.goto(f"{site.url}/acme/default/prompts/{path}")


def message(page: Page, number: int) -> str:
    return page.get_by_role("article").nth(number - 1).get_by_role("textbox").input_value()


def test_list__empty_then_filled__moves_what_is_chosen(page: Page, web_site: Site, project: Project) -> None:
    open_page(page, web_site)
    expect(page.get_by_role("heading", name="No prompts yet")).to_be_visible()
    check_page(page)
    make_prompt(project=project, name="top", versions=2, labels={"production": 1, "staging": 2})
    make_prompt(project=project, name="support/reply", description="Answers a customer's e-mail")
    open_page(page, web_site)
    page.get_by_role("navigation", name="Folders").get_by_role("link", name="support").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("support")
    page.get_by_label("Select support/reply").check()
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Move 1 prompt")
    page.get_by_label("Folder").fill("archive/old")
    page.get_by_role("button", name="Move 1 prompt").click()
    expect(page.get_by_text("1 prompt moved.").first).to_be_visible()


def test_new__form__creates_and_opens_the_editor(page: Page, web_site: Site, project: Project) -> None:
    open_page(page, web_site, "new/")
    page.get_by_label("Name").fill("support/reply")
    page.get_by_label("User message").fill("Reply to {{ review }}")
    page.get_by_role("button", name="Create prompt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reply")
    assert message(page, 1) == "Reply to {{ review }}"


def test_history__unified__compares_what_is_chosen(page: Page, web_site: Site, prompt: Prompt) -> None:
    open_page(page, web_site, f"{prompt.public_id}/history/?from=1&to=3")
    page.get_by_role("link", name="Unified").click()
    expect(page.locator("ins").first).to_be_visible()
    check_page(page)
    page.get_by_label("Compare to").select_option("2")
    expect(page).to_have_url(re.compile("to=2"))
    expect(page.locator("ins").first).to_contain_text("Review 2")


def test_overview__calls_name_and_tags__by_keyboard(page: Page, web_site: Site, prompt: Prompt) -> None:
    open_page(page, web_site, f"{prompt.public_id}/")
    expect(page.get_by_text("curl http")).to_be_visible()
    expect(page.get_by_text("from openai import OpenAI")).to_be_hidden()
    page.get_by_role("radio", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("from openai import OpenAI")).to_be_visible()
    check_page(page)
    page.get_by_role("link", name="Name and tags").click()
    page.get_by_role("textbox", name="Tags").fill("Billing, mail")
    page.get_by_role("button", name="Save details").click()
    expect(page.get_by_role("link", name="billing", exact=True)).to_be_visible()


def test_labels__move_roll_back_and_remove__by_dialogs(page: Page, web_site: Site, prompt: Prompt) -> None:
    open_page(page, web_site, f"{prompt.public_id}/history/")
    page.get_by_text("Move label").click()
    page.get_by_role("link", name="Move production to v3").click()
    expect(page.get_by_role("dialog")).to_contain_text("Gateways serve v3 within a second")
    check_page(page)
    page.get_by_label("Reason").fill("Agreed in the review")
    page.get_by_role("button", name="Move production to v3").click()
    expect(page.get_by_text("Agreed in the review")).to_be_visible()
    page.get_by_role("link", name=re.compile("Roll back to v1")).click()
    page.get_by_role("button", name="Roll back to v1").click()
    expect(page.get_by_text("production is back at v1.").first).to_be_visible()
    page.get_by_role("link", name="Remove staging").click()
    page.get_by_role("button", name="Remove staging").click()
    expect(page.get_by_text("staging is removed.").first).to_be_visible()
