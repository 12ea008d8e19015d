"""Point 2: what is typed is a draft on the server, there in another browser, and never written over unseen.

``tests/browser/test_prompt_editor.py`` shows the same by a real browser, and that Alt-Tab changes no field.
"""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from apps.core.scope import organization_scope
from apps.prompts import queries
from apps.prompts.models import Draft
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_content, make_project, make_prompt, owner_of
from tests.prompts.web_support import Web, editor_form, newest, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(project: Project) -> Web:
    return Web(project)


def put(web: Web, path: str, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What the editor sends by itself."""
    response = web.client.put(
        web.base + path, urlencode(form, doseq=True), content_type="application/x-www-form-urlencoded"
    )
    return response.status_code, response.json()


def test_point_02__typed_and_closed__is_there_in_another_browser(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, content=make_content("Hi {{ name }}"))
    path = f"{prompt.public_id}/"
    form = editor_form(
        "Dear {{ name }},\n\tfreshly  typed", sample=["Dana"], output_schema="{half", revision="0"
    )
    status, answer = put(web, f"{path}draft/", {**form, "schema_view": "raw"})
    assert (status, answer["revision"]) == (200, 1)
    assert re.fullmatch(r"Draft saved \d\d:\d\d", answer["words"])

    elsewhere = Web(project)
    html = elsewhere.get(f"{path}edit/")[1]
    assert "Dear {{ name }},\n\tfreshly  typed</textarea>" in html
    assert "{half</textarea>" in html
    assert "Draft saved" in words(html)
    assert newest(prompt).number == 1
    with organization_scope(project.organization_id):
        (mine,) = queries.my_drafts(owner_of(project.organization), project)
        assert mine.prompt == prompt


def test_point_02__two_browsers_of_one_person__second_gets_both(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, content=make_content("one\ntwo\nthree"))
    path = f"{prompt.public_id}/draft/"
    empty: dict[str, Any] = {key: [] for key in ("variable", "type", "need", "default", "sample", "state")}
    first = editor_form("ONE\ntwo\nthree", revision="0") | empty
    second = editor_form("one\ntwo\nTHREE", revision="0") | empty
    assert put(web, path, first)[0] == 200
    assert put(web, path, first)[1]["revision"] == 1
    status, answer = put(web, path, second)
    assert (status, answer["error"]["code"], answer["error"]["revision"]) == (409, "draft_stale", 1)

    status, html = web.post(path, {**second, "action": "compare"})
    assert status == 409
    assert "You changed this draft in another browser" in words(html)
    assert "ONE" in html
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    mine = re.search(r'<textarea name="mine"[^>]*>(.*?)</textarea>', html, re.DOTALL)
    assert mine is not None
    sent = fields | {"mine": mine[1].replace("&quot;", '"'), "action": "edit"}
    assert web.post(f"{prompt.public_id}/merge/", sent)[0] == 302
    assert "ONE\ntwo\nTHREE</textarea>" in web.get(f"{prompt.public_id}/edit/")[1]


def test_point_02__discarded_or_saved__the_draft_is_gone(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    path = f"{prompt.public_id}/"
    put(web, f"{path}draft/", editor_form("Away {{ name }}", revision="0"))
    assert "Discard your draft?" in web.get(f"{path}edit/?discard=1")[1]
    assert web.post(f"{path}draft/", {"action": "discard"})[0] == 302
    assert "Away" not in web.get(f"{path}edit/")[1]
    put(web, f"{path}draft/", editor_form("Kept {{ name }}", revision="0"))
    assert web.post(f"{path}edit/", editor_form("Kept {{ name }}", action="publish", revision="1"))[0] == 302
    with organization_scope(project.organization_id):
        assert not Draft.objects.exists()


def test_point_02__draft__is_its_authors_alone(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    path = f"{prompt.public_id}/"
    put(web, f"{path}draft/", editor_form("Secret {{ name }}", revision="0"))
    colleague = Web(project, Role.EDITOR)
    assert "Secret" not in colleague.get(f"{path}edit/")[1]
    assert put(colleague, f"{path}draft/", editor_form("Own {{ name }}", revision="0"))[0] == 200
    assert Web(project, Role.VIEWER).client.put(f"{web.base}{path}draft/").status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"base_number": "7"}, 400, "versions 1 to 1"),
        ({"content": ["a\x00b"]}, 400, "NUL"),
        ({"content": ["x" * (1024 * 1024)]}, 400, "at most 1024 KiB"),
    ],
)
def test_point_02__what_cannot_be_kept__is_said(
    web: Web, project: Project, change: dict[str, Any], status: int, word: str
) -> None:
    prompt = make_prompt(project=project)
    answered, body = put(web, f"{prompt.public_id}/draft/", editor_form() | change)
    assert answered == status
    assert word in body["error"]["message"]
