"""Point 3: two people save the same prompt; the second sees both texts, merged, and loses nothing."""

import html as html_text
import re
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_api_key, make_content, make_project, make_prompt
from tests.prompts.web_support import Web, editor_form, newest, words

pytestmark = pytest.mark.django_db

BASE = "Greet.\nAnswer {{ review }}.\nBe short.\nSign."
THEIRS = "Greet warmly.\nAnswer {{ review }}.\nBe very short.\nSign."
MINE = "Greet.\nAnswer {{ review }}.\nBe short, please.\nSign as Ann."


@pytest.fixture
def project() -> Project:
    return make_project()


def form(content: str, **more: Any) -> dict[str, Any]:
    return editor_form(content, variable=["review"], action="publish") | more


def hidden(page: str) -> dict[str, str]:
    """What the merge page sends besides the choices."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    mine = re.search(r'<textarea name="mine"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert mine is not None
    return {name: html_text.unescape(value) for name, value in {**fields, "mine": mine[1]}.items()}


def test_point_03__second_saver__merges_and_loses_nothing(project: Project) -> None:
    first, second = Web(project, Role.EDITOR), Web(project, Role.DEVELOPER)
    prompt = make_prompt(project=project, content=make_content(BASE, parameters={"temperature": 0.2}))
    edit, merge = f"{prompt.public_id}/edit/", f"{prompt.public_id}/merge/"
    assert first.post(edit, form(THEIRS, temperature="0.7"))[0] == 302

    status, page = second.post(edit, form(MINE, temperature="0.9", top_p="0.5", message="Mine"))

    assert status == 409
    text = words(page)
    assert "saved v2" in text
    assert "2 places changed on both sides need your choice" in text
    assert newest(prompt).number == 2
    choices = re.findall(r'name="(choice\.[\w.]+)" value="mine"', page)
    lines, temperature = choices
    assert temperature == "choice.parameters.temperature"
    sent = {**hidden(page), lines: "both", temperature: "theirs", "action": "publish"}
    assert second.post(merge, sent)[0] == 302
    saved = newest(prompt)
    assert (saved.number, saved.message) == (3, "Mine")
    assert saved.messages[0]["content"] == (
        "Greet warmly.\nAnswer {{ review }}.\nBe very short.\nSign.\nBe short, please.\nSign as Ann."
    )
    assert saved.parameters == {"temperature": 0.7, "top_p": 0.5}


def test_point_03__a_third_saver_in_between__is_merged_again(project: Project) -> None:
    web = Web(project)
    prompt = make_prompt(project=project, content=make_content(BASE))
    edit, merge = f"{prompt.public_id}/edit/", f"{prompt.public_id}/merge/"
    assert web.post(edit, form(BASE.replace("Greet", "GREET")))[0] == 302
    page = web.post(edit, form(MINE))[1]
    assert "the two do not touch, so everything is merged" in words(page)
    assert web.post(edit, form(BASE.replace("Greet", "Hello"), base_number="2"))[0] == 302
    status, page = web.post(merge, {**hidden(page), "action": "publish"})
    assert status == 409
    assert "saved v3" in words(page)
    assert web.post(merge, {**hidden(page), "action": "edit"})[0] == 302
    opened = web.get(edit)[1]
    assert "Hello.\nAnswer {{ review }}.\nBe short, please.\nSign as Ann.</textarea>" in opened
    assert 'name="base_number" value="3"' in opened


def test_point_03__own_draft_of_an_older_version__offers_the_merge(project: Project) -> None:
    web = Web(project)
    prompt = make_prompt(project=project, content=make_content(BASE))
    edit = f"{prompt.public_id}/edit/"
    web.post(edit, form(MINE, action="preview"))
    assert Web(project, Role.EDITOR).post(edit, form(BASE.replace("Greet", "GREET")))[0] == 302
    assert "v2 was saved since you began from v1" in words(web.get(edit)[1])
    status, page = web.get(f"{prompt.public_id}/merge/")
    assert status == 200
    assert "Sign as Ann." in page


def test_point_03__merge_without_a_prompt__is_refused(project: Project) -> None:
    prompt = make_prompt(project=project)
    web = Web(project)
    for mine in ("", "[]", "{}", "not json"):
        assert web.post(f"{prompt.public_id}/merge/", {"mine": mine})[0] == 400


def test_point_03__by_api__conflict_carries_the_newer_number_and_content(project: Project) -> None:
    prompt = make_prompt(project=project, name="reply", versions=2)
    token = make_api_key(project=project)[1]
    body = {"messages": [{"role": "user", "content": "Mine"}], "base_version": 1}
    answer = Client().post(
        "/api/v1/prompts/reply/versions",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (409, "version_stale", "base_version")
    assert error["latest_number"] == 2
    assert error["latest_content"]["messages"] == newest(prompt).messages
