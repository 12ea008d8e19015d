"""The list, the editor and the form of a new prompt without a script; who may do what on every page."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.scope import organization_scope
from apps.prompts import queries
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_content, make_dataset_version, make_prompt, owner_of
from tests.prompts.web_support import Web, editor_form, labels, newest, words

pytestmark = pytest.mark.django_db


def test_list__no_prompts__explains_and_offers_the_first(web: Web) -> None:
    status, html = web.get()
    assert status == 200
    assert "No prompts yet" in html
    assert "New prompt" in html


def test_list__folders__are_offered_level_by_level(web: Web, project: Project) -> None:
    for name in ("top", "support/reply", "support/de/mail"):
        make_prompt(project=project, name=name, labels={"production": 1})
    _, html = web.get()
    assert html.count('data-testid="prompt-row"') == 3
    assert "folder=support&quot;" in html or 'folder=support"' in html
    _, html = web.get(folder="support")
    assert html.count('data-testid="prompt-row"') == 2
    assert "folder=support%2Fde" in html
    assert ">top<" not in html


def test_list__search_and_label__find_in_every_folder(web: Web, project: Project) -> None:
    make_prompt(project=project, name="support/reply", labels={"production": 1})
    make_prompt(project=project, name="sales/offer", description="Writes a REPLY to an offer")
    _, html = web.get(q="reply")
    assert "support/reply" in html
    assert "sales/offer" in html or ">offer<" in html
    _, html = web.get(label="production")
    assert "support/reply" in html
    assert "sales/offer" not in html
    assert "No prompt matches" in web.get(q="zzz")[1]


def test_list__ten_prompts__cost_the_same_queries_as_one(web: Web, project: Project) -> None:
    counts = []
    web.get()  # The first visit of a while notes that the member was active.
    for wanted in (1, 10):
        with organization_scope(project.organization_id):
            missing = wanted - Prompt.objects.count()
        for _ in range(missing):
            make_prompt(project=project, labels={"production": 1})
        with CaptureQueriesContext(connection) as captured:
            assert web.get()[1].count('data-testid="prompt-row"') == wanted
        counts.append(len(captured))
        own = [query["sql"] for query in captured if "prompts_" in query["sql"]]
        assert len(own) <= 6
    assert counts[0] == counts[1]


def test_list__more_than_a_page__goes_on_by_last_change(web: Web, project: Project) -> None:
    for number in range(52):
        make_prompt(project=project, name=f"p{number}")
    _, html = web.get()
    found = re.search(r'href="[^"]*after=([\w-]+)" rel="next"', html)
    assert found is not None
    _, html = web.get(after=found.group(1))
    assert html.count('data-testid="prompt-row"') == 2


def test_new__form__makes_prompt_and_opens_the_editor(web: Web, project: Project) -> None:
    assert web.get("new/")[0] == 200
    form = {
        "name": "a/b",
        "kind": "chat",
        "system": "Be kind.",
        "content": "{{ x }}",
        "model": "sandbox/standard",
    }
    status, location = web.post("new/", form)
    assert status == 302
    with organization_scope(project.organization_id):
        prompt = Prompt.objects.get(name="a/b")
        assert queries.latest_version(prompt).messages[0] == {"role": "system", "content": "Be kind."}
    assert location.endswith(f"/prompts/{prompt.public_id}/edit/")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "taken"}, "There is a prompt"),
        ({"name": "a/run"}, "reserved"),
        ({"content": "{{ a + 1 }}"}, "Arithmetic is not available"),
        ({"kind": "text", "system": "x"}, "exactly one message"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_new__not_allowed__keeps_what_was_typed(
    web: Web, project: Project, change: dict[str, str], text: str
) -> None:
    make_prompt(project=project, name="taken")
    form = {"name": "new", "kind": "chat", "content": "typed text", "model": "sandbox/standard"} | change
    status, html = web.post("new/", form)
    assert status == 422
    assert text in words(html)
    assert form["content"] in html


def test_editor__newest_version__fills_the_form(web: Web, project: Project) -> None:
    content = make_content(
        "Reply to {{ review }}", system="Be kind.", parameters={"temperature": 0.2, "stop": ["END"]}
    )
    prompt = make_prompt(project=project, name="support/reply", content=content)
    status, html = web.get(f"{prompt.public_id}/edit/")
    assert status == 200
    assert "Be kind." in html
    assert 'value="0.2"' in html
    assert "[review]" in html  # the preview's stand-in
    assert 'name="base_number" value="1"' in html


@pytest.mark.parametrize(
    ("action", "order"),
    [
        ("down:0", "b a c"),
        ("up:2", "a c b"),
        ("drop:1", "a c"),
        ("copy:0", "a a b c"),
        ("add", "a b c "),
        ("up:0", "a b c"),
        ("drop:9", "a b c"),
    ],
)
def test_editor__block_buttons__change_the_form_only(
    web: Web, project: Project, action: str, order: str
) -> None:
    prompt = make_prompt(project=project)
    form = editor_form(action=action) | {"role": ["system", "user", "assistant"], "content": ["a", "b", "c"]}
    status, html = web.post(f"{prompt.public_id}/edit/", form)
    assert status == 200
    assert re.findall(
        r'<textarea class="code-edit__input"[^>]*>\n(.*?)</textarea>', html, re.DOTALL
    ) == order.split(" ")
    assert newest(prompt).number == 1


def test_editor__preview__shows_what_a_model_would_get_and_warns(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    form = editor_form("Hi {{ name }} and {place}", sample=["<Dana>"], action="preview")
    _, html = web.post(f"{prompt.public_id}/edit/", form)
    assert "Hi &lt;Dana&gt; and {place}" in html
    assert "{place} is plain text" in html
    broken = editor_form("line\n{{ a() }}", action="preview", revision="1")
    _, html = web.post(f"{prompt.public_id}/edit/", broken)
    assert "Message 1, line 2, column 1" in words(html)
    assert "Saving waits for these" in html


def test_editor__save_button__opens_the_dialog_with_the_change(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    _, html = web.post(f"{prompt.public_id}/edit/", editor_form(action="save"))
    assert re.search(r'<dialog[^>]*id="save"[^>]* open>', html)
    assert "User message and variables change against v1" in words(html)


def test_editor__publish_with_label__saves_version_and_moves_it(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, labels={"production": 1})
    form = editor_form(action="publish", message="Greets", label="production", temperature="0.5")
    status, location = web.post(f"{prompt.public_id}/edit/", form)
    assert (status, location) == (302, f"{web.base}{prompt.public_id}/edit/")
    version = newest(prompt)
    assert (version.number, version.message, version.parameters) == (2, "Greets", {"temperature": 0.5})
    assert version.author_name == owner_of(project.organization).display_name
    assert labels(prompt) == {"production": 2}
    assert "Version 2 is saved and production points at it" in web.get(f"{prompt.public_id}/")[1]


def test_editor__publish_unchanged__says_so(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, content=make_content("Hi {{ name }}"))
    status, html = web.post(f"{prompt.public_id}/edit/", editor_form(action="publish"))
    assert status == 422
    assert "Nothing differs from version 1" in html


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"temperature": "hot"}, "This must be a number"),
        ({"temperature": "9"}, "must be a number from 0 to 2"),
        ({"output_schema": "{broken"}, "This is not JSON"),
        ({"output_schema": '{"type": "objekt"}'}, "not valid JSON Schema"),
        ({"content": ["{% set x = 1 %}"]}, "{% set %} is not available"),
        ({"type": ["number"], "default": ["x"]}, "is not a number"),
    ],
)
def test_editor__not_allowed__keeps_everything_typed(
    web: Web, project: Project, change: dict[str, Any], text: str
) -> None:
    prompt = make_prompt(project=project)
    form = editor_form(action="publish") | change
    status, html = web.post(f"{prompt.public_id}/edit/", form)
    assert status == 422
    assert text in words(html).replace("&#x27;", "'")
    for value in change.values():
        typed = value[0] if isinstance(value, list) else value
        assert typed.replace('"', "&quot;") in html
    assert newest(prompt).number == 1


def test_preview_fragment__message_change__answers_only_the_parts(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    _, html = web.post(f"{prompt.public_id}/preview/", editor_form("{{ fresh }}"))
    assert "<html" not in html
    assert "fresh" in html
    assert 'id="variables"' in html
    assert 'name="content"' not in html
    _, html = web.post(f"{prompt.public_id}/preview/", editor_form(part="values"))
    assert 'id="variables"' not in html
    _, html = web.post(f"{prompt.public_id}/preview/", editor_form(action="schema:add"))
    assert 'id="schema-card"' in html


def test_roles__viewer__reads_and_changes_nothing(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2, labels={"production": 1})
    viewer = Web(project, Role.VIEWER)
    status, location = viewer.client.get(f"{viewer.base}{prompt.public_id}/edit/").status_code, ""
    assert (status, location) == (302, "")
    html = viewer.get(f"{prompt.public_id}/versions/2/")[1] + viewer.get(f"{prompt.public_id}/history/")[1]
    assert "Move label" not in html
    for path in ("edit/", "properties/", "archive/", "labels/move/", "labels/production/remove/"):
        assert viewer.post(f"{prompt.public_id}/{path}", editor_form(action="publish"))[0] == 403
    assert viewer.get("new/")[0] == 403


def test_roles__editor__saves_but_does_not_release(project: Project) -> None:
    prompt = make_prompt(project=project, labels={"production": 1})
    editor = Web(project, Role.EDITOR)
    form = editor_form(action="publish", label="production")
    assert editor.post(f"{prompt.public_id}/edit/", form)[0] == 403
    assert newest(prompt).number == 1
    assert editor.post(f"{prompt.public_id}/edit/", editor_form(action="publish"))[0] == 302
    assert labels(prompt) == {"production": 1}


def test_pages__prompt_of_another_organization__do_not_exist(web: Web) -> None:
    foreign = make_prompt()
    for path in ("", "history/", "versions/1/", "labels/", "labels/move/"):
        assert web.get(f"{foreign.public_id}/{path}")[0] == 404


def test_pages__hostile_content__is_escaped(web: Web, project: Project) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    content = make_content(f"{evil} {{{{ name }}}}", system=evil)
    prompt = make_prompt(project=project, description=evil, content=content, versions=2)
    for path in (
        "",
        f"{prompt.public_id}/edit/",
        f"{prompt.public_id}/history/",
        f"{prompt.public_id}/versions/1/",
    ):
        html = web.get(path)[1]
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_editor__page__asks_the_database_at_most_fifteen_times(web: Web, project: Project) -> None:
    content = make_content("{{ a }} {{ b }}", output_schema={"properties": {"x": {"type": "string"}}})
    prompt = make_prompt(project=project, content=content, versions=3, labels={"production": 1, "beta": 2})
    for _ in range(3):
        make_dataset_version(project=project)
    with CaptureQueriesContext(connection) as captured:
        assert web.get(f"{prompt.public_id}/edit/")[0] == 200
    asked = [query["sql"] for query in captured if " FROM " in query["sql"]]
    assert len(asked) <= 15, asked


@pytest.mark.parametrize("limit", ["9" * 40, "9" * 5000, "\N{ARABIC-INDIC DIGIT THREE}"])
def test_edit__token_limit_that_can_not_be__breaks_no_page(web: Web, project: Project, limit: str) -> None:
    address = f"{make_prompt(project=project).public_id}/edit/"
    typed = editor_form(action="preview", base_number="1", max_tokens=limit, model="sandbox/standard")
    assert web.post(address, typed)[0] in (200, 422)
    assert web.get(address)[0] == 200


def test_move__label_with_a_nul__is_refused(web: Web, project: Project) -> None:
    address = f"{make_prompt(project=project).public_id}/labels/move/"
    assert web.post(address, {"number": "1", "label": "a\0b"})[0] == 400
