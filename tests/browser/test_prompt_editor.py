"""The editor in a real browser: what is typed stays, everywhere and under every key."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import queries, services
from apps.prompts.models import Prompt
from apps.tenants.models import Project, User
from tests.browser.checks import check_page
from tests.browser.servers import Site
from tests.factories import make_content, make_organization, make_project, make_prompt, make_user

SignIn = Callable[[User, Site], None]

SCHEMA = {
    "type": "object",
    "required": ["reply"],
    "properties": {"reply": {"type": "string", "minLength": 1}, "mood": {"type": "string", "enum": ["good"]}},
}
TOOL = {"type": "function", "function": {"name": "find_order", "description": "Looks an order up"}}


@pytest.fixture
def project(transactional_db: None, sign_in: SignIn, web_site: Site) -> Project:
    user = make_user(name="Mira Okafor")
    sign_in(user, web_site)
    return make_project(organization=make_organization(name="Acme", owner=user))


@pytest.fixture
def prompt(project: Project) -> Prompt:
    content = make_content(
        "Hi {{ name }}", system="Be kind.", output_schema=SCHEMA, tools=(TOOL,), parameters={"max_tokens": 99}
    )
    return make_prompt(project=project, name="support/reply", content=content, labels={"production": 1})


def open_editor(page: Page, site: Site, prompt: Prompt) -> None:
    page.goto(f"{site.url}/acme/default/prompts/{prompt.public_id}/edit/")


def texts(page: Page) -> list[str]:
    return [each.input_value() for each in page.locator(".code-edit__input").all()]


def fields(page: Page) -> dict[str, str]:
    """Every field that a person sees, as it stands."""
    found: dict[str, str] = page.evaluate(
        "() => Object.fromEntries(new FormData(document.getElementById('editor')))"
    )
    return {name: value for name, value in found.items() if name not in ("revision", "state")}


def test_point_02__typed_and_closed__is_in_another_browser_and_alt_tab_changes_nothing(
    page: Page, chromium: Browser, context: BrowserContext, web_site: Site, prompt: Prompt
) -> None:
    open_editor(page, web_site, prompt)
    editor = page.get_by_label("User message 2")
    editor.fill("Dear {{ name }}, about {{ topic }}")
    expect(page.locator("#variables")).to_contain_text("topic")
    page.locator("#sample-topic").fill("tea")
    page.locator("#p-temperature").fill("0.4")
    before = fields(page)
    page.evaluate("() => dispatchEvent(new Event('blur'))")
    expect(page.locator("#draft-status")).to_have_text(re.compile(r"Draft saved \d\d:\d\d"))
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    assert fields(page) == before
    expect(page.locator("#p-temperature")).to_be_focused()
    page.close()

    other = chromium.new_context(storage_state=context.storage_state())
    there = other.new_page()
    open_editor(there, web_site, prompt)
    assert texts(there) == ["Be kind.", "Dear {{ name }}, about {{ topic }}"]
    expect(there.locator("#sample-topic")).to_have_value("tea")
    expect(there.locator("#p-temperature")).to_have_value("0.4")
    other.close()


def test_typing__follows_with_variables_preview_warnings_and_jumps(
    page: Page, web_site: Site, prompt: Prompt
) -> None:
    open_editor(page, web_site, prompt)
    check_page(page)
    editor = page.get_by_label("User message 2")
    editor.fill("Hi {{ nmae }}, about {{ topic }} and {place}")
    expect(page.locator("#hints")).to_contain_text("nmae is not defined. Did you mean name?")
    expect(page.locator("#hints")).to_contain_text("{place} is plain text")
    expect(page.locator(".code-edit__paint mark.tok-warn").first).to_have_text("{{ nmae }}")
    page.locator("#sample-topic").fill("tea")
    expect(page.locator("#preview")).to_contain_text("Hi [nmae], about tea and {place}")
    expect(page.locator("#estimate")).to_contain_text("≤ 99 tokens")
    page.get_by_role("button", name="Define nmae").click()
    expect(page.locator("#hints")).not_to_contain_text("nmae is not defined")
    editor.fill("line\n  {{ name.__class__ }}")
    expect(page.locator("#hints")).to_contain_text("Saving waits for these")
    check_page(page)
    page.get_by_role("link", name="Message 2, line 2").press("Enter")
    assert editor.evaluate("node => node.selectionStart") == len("line\n  {{ name.")


def test_blocks__added_moved_by_button_and_drag_and_dropped__keep_their_texts(
    page: Page, web_site: Site, prompt: Prompt
) -> None:
    open_editor(page, web_site, prompt)
    page.get_by_role("button", name="Add message").click()
    page.get_by_label("Assistant message 3").fill("third")
    page.get_by_role("button", name="Move message 3 up").click()
    assert texts(page) == ["Be kind.", "third", "Hi {{ name }}"]
    page.locator("#message-1 [data-grip]").drag_to(
        page.locator("#message-3"), target_position={"x": 60, "y": 60}
    )
    assert texts(page) == ["third", "Hi {{ name }}", "Be kind."]
    expect(page.get_by_label("System message 3")).to_have_value("Be kind.")
    page.get_by_role("button", name="Duplicate message 2").click()
    page.get_by_role("button", name="Delete message 1").click()
    assert texts(page) == ["Hi {{ name }}", "Hi {{ name }}", "Be kind."]
    expect(page.locator("#draft-status")).to_contain_text("Draft saved")


def test_schema_and_tools__form_and_json__are_two_views_of_one_text(
    page: Page, web_site: Site, prompt: Prompt
) -> None:
    open_editor(page, web_site, prompt)
    card = page.locator("#schema-card")
    expect(card).to_contain_text("Kept, and shown only as JSON: minLength.")
    card.get_by_role("button", name="Add property").click()
    page.locator("#schema-2-name").fill("score")
    page.locator("#schema-2-type").select_option("number")
    page.locator("#schema-raw").click()
    raw = page.get_by_label("JSON Schema")
    expect(raw).to_have_value(re.compile(r'"score": \{\s+"type": "number"'))
    assert '"minLength": 1' in raw.input_value()
    raw.fill('{"type": "object",\n "properties" {}}')
    page.locator("#schema-raw").click()
    expect(card).to_contain_text("(line 2, column 15)")
    page.locator("#tools-add").click()
    expect(page.locator("#tool-1-name")).to_have_value("tool_1")
    page.get_by_role("button", name="Add parameter to tool_1").click()
    expect(page.locator("#tool-1-0-name")).to_have_value("property")
    check_page(page)


def test_save__dialog_and_conflict__shows_the_diff_and_merges(
    page: Page, web_site: Site, prompt: Prompt
) -> None:
    open_editor(page, web_site, prompt)
    page.get_by_label("User message 2").fill("Shorter, {{ name }}")
    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog", name="Save as v2")
    expect(dialog).to_contain_text("User message changes against v1")
    expect(dialog.locator("ins").first).to_contain_text("Shorter")
    check_page(page)
    with organization_scope(prompt.organization_id):
        services.publish_version(
            actor=SYSTEM, prompt=prompt, content=make_content("Theirs, {{ name }}", system="Be kind.")
        )
    dialog.get_by_label("Label").select_option("production")
    dialog.get_by_role("button", name="Save v2").click()
    expect(page.get_by_text("Changed on both sides").first).to_be_visible()
    check_page(page)
    page.get_by_label("Both, theirs first").check()
    page.get_by_role("button", name="Save the result as v3").click()
    expect(page.locator("#messages")).to_contain_text("Version 3 is saved and production points at it.")
    assert texts(page)[1] == "Theirs, {{ name }}\nShorter, {{ name }}"
    with organization_scope(prompt.organization_id):
        assert queries.labels_of([prompt])[prompt.pk]["production"] == 3
