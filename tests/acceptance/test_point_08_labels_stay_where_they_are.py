"""Point 8: a label can be removed by page and API; saving a version never moves production unless asked; a
stale move is refused with 409."""

import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_project, make_prompt
from tests.prompts.test_api import Api
from tests.prompts.web_support import Web, editor_form, labels, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project=project, name="a/reply", versions=2, labels={"production": 1, "staging": 2})


def test_point_08__page__removes_a_label_and_keeps_its_history(project: Project, prompt: Prompt) -> None:
    web = Web(project)
    address = f"{prompt.public_id}/labels/staging/remove/"
    assert "Remove the label staging?" in words(web.get(address)[1])
    assert web.post(address, {"expected": "2", "reason": "unused"})[0] == 302
    assert labels(prompt) == {"production": 1}
    assert "removed from v2" in words(web.get(f"{prompt.public_id}/labels/")[1])


def test_point_08__api__removes_a_label_and_keeps_its_history(project: Project, prompt: Prompt) -> None:
    api = Api(project)
    assert api.send("DELETE", "prompts/a/reply/labels/staging?expected_version=1")[0] == 409
    assert api.send("DELETE", "prompts/a/reply/labels/staging?expected_version=2")[0] == 204
    assert labels(prompt) == {"production": 1}
    moves = api.get("prompts/a/reply/labels/staging/history")[1]["data"]
    assert [(move["kind"], move["from_version"]) for move in moves] == [("remove", 2), ("move", None)]


def test_point_08__saving_and_restoring__move_no_label(project: Project, prompt: Prompt) -> None:
    web, api = Web(project), Api(project)
    form = editor_form("Saved by page {{ name }}", base_number="2", action="publish")
    assert web.post(f"{prompt.public_id}/edit/", form)[0] == 302
    body = {"messages": [{"role": "user", "content": "Saved by API {{ name }}"}], "base_version": 3}
    assert api.send("POST", "prompts/a/reply/versions", body)[0] == 201
    assert web.post(f"{prompt.public_id}/versions/1/restore/", {"base_number": "4"})[0] == 302
    assert api.send("POST", "prompts/a/reply/versions/2/restore", {})[0] == 201
    with organization_scope(project.organization_id):
        assert Prompt.objects.get(pk=prompt.pk).latest_number == 6
    assert labels(prompt) == {"production": 1, "staging": 2}


def test_point_08__restore_with_a_chosen_label__moves_that_one(project: Project, prompt: Prompt) -> None:
    web = Web(project)
    html = web.get(f"{prompt.public_id}/versions/1/restore/")[1]
    assert "User message changes against v2" in words(html)
    assert "Restored from v1" in html
    form = {"base_number": "2", "label": "staging", "message": "Back to the start"}
    assert web.post(f"{prompt.public_id}/versions/1/restore/", form)[0] == 302
    assert labels(prompt) == {"production": 1, "staging": 3}


def test_point_08__stale_move__is_refused_and_says_who_moved_it(project: Project, prompt: Prompt) -> None:
    with organization_scope(project.organization_id):
        services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)
    form = {"label": "production", "number": "2", "expected": "1"}
    status, html = Web(project).post(f"{prompt.public_id}/labels/move/", form)
    assert status == 409
    assert "system moved production just now" in words(html)
    body = {"version": 1, "expected_version": 1}
    status, answer = Api(project).send("PUT", "prompts/a/reply/labels/production", body)
    assert (status, answer["error"]["code"]) == (409, "label_moved")
    assert (answer["error"]["current_version"], answer["error"]["moved_by"]) == (2, "system")
    assert labels(prompt) == {"production": 2, "staging": 2}
