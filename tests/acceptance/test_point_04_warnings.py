"""Point 4: variables inside conditions and loops are found; what is wrong is named with line and column."""

import re

import pytest

from apps.prompts.hints import read_templates
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt
from tests.prompts.web_support import Web, editor_form, words

pytestmark = pytest.mark.django_db

TEXT = """Dear {{ customer_name }},
{% if order and order.status != "lost" %}{{ order.id|upper }}{% elif fallback %}-{% endif %}
{% for note in notes %}{{ loop.index }}. {{ note.text }} {{ signature }}{% else %}{{ nothing }}{% endfor %}"""


@pytest.fixture
def project() -> Project:
    return make_project()


def test_point_04__conditions_and_loops__every_variable_is_found_with_its_place() -> None:
    found = {
        each.name: (each.line, each.column, each.likely_type) for each in read_templates([TEXT]).variables
    }
    assert found == {
        "customer_name": (1, 9, "text"),
        "order": (2, 7, "json"),
        "fallback": (2, 70, "text"),
        "notes": (3, 16, "json"),
        "signature": (3, 61, "text"),
        "nothing": (3, 86, "text"),
    }


def test_point_04__undefined_unused_and_broken__are_named_before_anything_runs(project: Project) -> None:
    content = make_content("Hi {{ agent_name }} {{ tone }}")
    prompt = make_prompt(project=project, content=content)
    web = Web(project)
    form = editor_form(
        "Hello\n{% if tone %}  Sign as {{ agent_nmae }}{% endif %}",
        variable=["agent_name", "tone"],
        type=["text", "text"],
        need=["required", "required"],
        default=["", ""],
        sample=["", ""],
        state=["declared", "declared"],
    )
    html = web.post(f"{prompt.public_id}/preview/", form)[1]
    text = words(html)
    assert "agent_nmae is not defined. Did you mean agent_name? Message 1, line 2, column 27" in text
    assert "agent_name is defined and never used." in text
    assert re.search(r'data-jump="content-1" data-line="2" data-column="27"', html)

    for broken, said in (
        ("a\n {{ name", "line 2, column 2"),
        ("a\n{{ name|shout }}", "There is no filter “shout”"),
        ("{% for x in y %}", "line 1, column 1"),
    ):
        html = web.post(f"{prompt.public_id}/preview/", editor_form(broken))[1]
        assert said in words(html)
        assert "Saving waits for these" in html
    text = words(
        web.post(f"{prompt.public_id}/preview/", editor_form("x }} {{ userName }} {{ user_name }}"))[1]
    )
    assert "closing braces have no opening ones" in text
    assert "user_name looks like userName" in text


def test_point_04__found_variable__is_defined_by_a_button_or_a_value_and_forgotten_when_unread(
    project: Project,
) -> None:
    prompt = make_prompt(project=project)
    path = f"{Web(project).base}{prompt.public_id}/preview/"
    web = Web(project)
    found = editor_form("{{ name }}", state=["found:text"])

    def says(form: dict[str, object]) -> str:
        return words(web.client.post(path, form).content.decode())

    assert "name is not defined" in says(found)
    assert "name is not defined" not in says({**found, "action": "define:name"})
    assert "name is not defined" not in says({**found, "action": "define:"})
    assert "name is not defined" not in says({**found, "sample": ["Dana"]})
    gone = says({**found, "content": ["no variable"]})
    assert "never used" not in gone
    assert "0 found" in gone
