"""The pages of versions and labels without a script: what they show and what their forms do."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.tenants.models import Project
from tests.factories import make_prompt
from tests.prompts.web_support import Web, labels

pytestmark = pytest.mark.django_db


def test_history__two_versions__are_compared_split_and_unified(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, versions=3, labels={"production": 1})
    status, html = web.get(f"{prompt.public_id}/history/")
    assert status == 200
    assert "User message" in html
    assert "<del" in html
    assert "<ins" in html
    assert "Change 3" in html
    _, html = web.get(f"{prompt.public_id}/history/", **{"from": "1", "to": "3", "view": "unified"})
    assert "diff__cell--one" in html
    assert "Pick two different versions" in web.get(f"{prompt.public_id}/history/", **{"from": 2, "to": 2})[1]
    assert web.get(f"{prompt.public_id}/history/", to=9)[0] == 404


def test_history__one_version__says_there_is_nothing_to_compare(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project)
    assert "Nothing to compare yet" in web.get(f"{prompt.public_id}/history/")[1]


def test_history__fifty_versions__cost_the_same_queries_as_two(web: Web, project: Project) -> None:
    counts = []
    web.get()  # The first visit of a while notes that the member was active.
    for versions in (2, 20):
        prompt = make_prompt(project=project, versions=versions)
        with CaptureQueriesContext(connection) as captured:
            web.get(f"{prompt.public_id}/history/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_version__page__shows_content_and_a_call(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, name="support/reply", labels={"production": 1})
    status, html = web.get(f"{prompt.public_id}/versions/1/")
    assert status == 200
    assert "prompt:support/reply@production" in html
    assert web.get(f"{prompt.public_id}/versions/9/")[0] == 404


def test_move__dialog_and_form__move_with_reason(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, versions=2, labels={"production": 1})
    status, html = web.get(f"{prompt.public_id}/labels/move/", label="production", to=2)
    assert status == 200
    assert "Move production to v2" in html
    assert 'name="expected" value="1"' in html
    assert "User message changes" in html
    form = {"label": "production", "number": "2", "expected": "1", "reason": "Better tone"}
    status, location = web.post(f"{prompt.public_id}/labels/move/", form)
    assert (status, location) == (302, f"{web.base}{prompt.public_id}/labels/")
    assert labels(prompt) == {"production": 2}
    _, html = web.get(f"{prompt.public_id}/labels/")
    assert "Better tone" in html
    assert "v1 → v2" in html


def test_move__stale_page__tells_where_the_label_is_and_asks_again(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, versions=3, labels={"production": 2})
    form = {"label": "production", "number": "3", "expected": "1", "reason": "kept words"}
    status, html = web.post(f"{prompt.public_id}/labels/move/", form)
    assert status == 409
    assert "system moved production just now: it points at v2 now" in html
    assert "kept words" in html
    assert 'name="expected" value="2"' in html
    assert labels(prompt) == {"production": 2}


@pytest.mark.parametrize(("name", "status"), [("staging", 302), ("latest", 422), ("Not Good", 422)])
def test_move__new_label__needs_an_allowed_name(web: Web, project: Project, name: str, status: int) -> None:
    prompt = make_prompt(project=project)
    assert web.get(f"{prompt.public_id}/labels/move/")[0] == 200
    answer, html = web.post(f"{prompt.public_id}/labels/move/", {"label": name, "number": "1"})
    assert answer == status
    assert status == 302 or f'value="{name}"' in html


def test_rollback_and_remove__dialogs__do_what_they_say(web: Web, project: Project) -> None:
    prompt = make_prompt(project=project, versions=2, labels={"production": 1})
    web.post(f"{prompt.public_id}/labels/move/", {"label": "production", "number": "2"})
    assert "Roll back to v1" in web.get(f"{prompt.public_id}/labels/")[1]
    assert "Roll production back to v1?" in web.get(f"{prompt.public_id}/labels/production/rollback/")[1]
    assert web.post(f"{prompt.public_id}/labels/production/rollback/", {"expected": "2"})[0] == 302
    assert labels(prompt) == {"production": 1}
    assert web.post(f"{prompt.public_id}/labels/production/remove/", {"expected": "2"})[0] == 409
    assert web.post(f"{prompt.public_id}/labels/production/remove/", {"expected": "1"})[0] == 302
    assert labels(prompt) == {}
    assert web.get(f"{prompt.public_id}/labels/none/remove/")[0] == 404
