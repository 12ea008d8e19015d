"""Point 6: diff any two versions, including model, parameters and schema; by default against the previous.

``tests/browser/test_prompts.py`` shows the same page on a phone, without sideways scrolling.
"""

import re

import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.prompts.models import Prompt
from apps.prompts.types import VersionContent
from apps.tenants.models import Project
from tests.factories import make_project, make_prompt
from tests.prompts.test_api import Api
from tests.prompts.web_support import Web, words

pytestmark = pytest.mark.django_db

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def content(text: str, **more: object) -> VersionContent:
    """One user message, and what else is given."""
    return VersionContent(messages=({"role": "user", "content": text},), **more)  # type: ignore[arg-type]


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    """Three versions: the second changes everything beside the text, the third only the text."""
    prompt = make_prompt(
        project=project, name="reply", content=content("Be kind to {{ name }}", model="a/one")
    )
    rest = {
        "model": "a/two",
        "parameters": {"temperature": 0.5},
        "variables": ({"name": "name", "type": "text", "required": True, "default": "you"},),
        "output_schema": {"type": "object"},
        "tools": (WEATHER,),
    }
    with organization_scope(project.organization_id):
        for text in ("Be kind to {{ name }}", "Be very kind to {{ name }}"):
            services.publish_version(actor=SYSTEM, prompt=prompt, content=content(text, **rest))
    return prompt


def test_point_06__history_as_it_opens__compares_with_the_previous(project: Project, prompt: Prompt) -> None:
    _, html = Web(project).get(f"{prompt.public_id}/history/")
    assert "<title>v2 to v3" in html
    assert re.search(r"<b> ?very ?</b>", html)
    assert "Model and parameters" in words(html)
    assert "temperature: 0.5" not in words(html)


@pytest.mark.parametrize("view", ["split", "unified"])
def test_point_06__any_two__show_every_part(project: Project, prompt: Prompt, view: str) -> None:
    picked: dict[str, str | int] = {"from": 1, "to": 3, "view": view}
    _, html = Web(project).get(f"{prompt.public_id}/history/", **picked)
    text = words(html)
    for part in ("User message", "Model and parameters", "Variables", "Output schema", "Tools"):
        assert part in text
    assert "temperature: 0.5" in text
    assert "weather" in text
    assert "<ins" in html
    assert "<del" in html


def test_point_06__permalink__says_the_same_for_ever(project: Project, prompt: Prompt) -> None:
    web = Web(project)
    _, html = web.get(f"{prompt.public_id}/history/", **{"from": 3, "to": 1})
    assert f"/prompts/{prompt.public_id}/history/?from=3&amp;to=1" in html
    assert "<title>v3 to v1" in html


def test_point_06__one_version__has_nothing_to_compare_yet(project: Project) -> None:
    prompt = make_prompt(project=project)
    assert "Nothing to compare yet" in Web(project).get(f"{prompt.public_id}/history/")[1]


def test_point_06__api__compares_every_part(project: Project, prompt: Prompt) -> None:
    api = Api(project)
    status, body = api.get("prompts/reply/diff")
    assert (status, body["from_version"], body["to_version"]) == (200, 2, 3)
    body = api.get("prompts/reply/diff?from=1&to=3")[1]
    changed = {section["key"] for section in body["sections"] if section["rows"]}
    assert changed == {"message-1", "settings", "variables", "schema", "tools"}
