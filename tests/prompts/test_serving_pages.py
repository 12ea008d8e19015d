"""The cards of serving: who may change them, what a form becomes, mistakes that stay on the page."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.scope import organization_scope
from apps.prompts.models import Prompt, ServingPolicy
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_project, make_prompt
from tests.prompts.web_support import Web, words

pytestmark = pytest.mark.django_db

CALLS = {
    "section": "calls",
    "calls-mode": "own",
    "calls-retries": "1",
    "calls-timeout_seconds": "30",
    "calls-repair_attempts": "2",
    "calls-fallbacks_0": "fast",
    "calls-fallbacks_1": "",
    "calls-fallbacks_2": "openai/gpt-5",
}
CACHE = {
    "section": "cache",
    "cache-mode": "own",
    "cache-exact_seconds": "3600",
    "cache-semantic_seconds": "0",
    "cache-threshold": "0.9",
    "cache-embedding_model": "",
    "cache-sensitive_variables": "customer, mail",
}


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project=project, labels={"production": 1})


@pytest.fixture
def web(project: Project) -> Web:
    return Web(project)


def stored(project: Project, prompt: Prompt | None = None) -> Any:
    with organization_scope(project.organization_id):
        return ServingPolicy.objects.get(project=project, prompt=prompt)


def test_page__of_a_prompt__shows_what_holds_and_whose_it_is(
    web: Web, project: Project, prompt: Prompt
) -> None:
    project_page = f"/{project.organization.slug}/{project.slug}/settings/serving/"
    answer = web.client.post(project_page, {**CALLS, "revision": "0"})
    assert answer.status_code == 302
    assert stored(project).calls == {
        "retries": 1,
        "timeout_seconds": 30.0,
        "repair_attempts": 2,
        "fallbacks": ["fast", "openai/gpt-5"],
    }
    status, html = web.get(f"{prompt.public_id}/serving/")
    text = words(html)
    assert status == 200
    assert "fast, then openai/gpt-5" in text
    assert "As the project" in text
    assert "There is no alias fast, so a call of it fails." in text
    with CaptureQueriesContext(connection) as captured:
        web.get(f"{prompt.public_id}/serving/")
    assert len([each for each in captured if each["sql"].startswith("SELECT")]) <= 15


def test_card__saved_and_reset__is_the_prompts_and_the_projects_again(
    web: Web, project: Project, prompt: Prompt
) -> None:
    path = f"{prompt.public_id}/serving/"
    status, location = web.post(path, {**CACHE, "revision": "0"})
    assert (status, location.endswith("#cache")) == (302, True)
    assert stored(project, prompt).cache["sensitive_variables"] == ["customer", "mail"]
    html = web.get(path)[1]
    assert "1 hour" in words(html)
    history = re.search(r'href="([^"]*settings/audit/[^"]*action=serving[^"]*)"', html)
    assert history is not None
    told = web.client.get(history.group(1).replace("&amp;", "&")).content.decode()
    assert f"serving.changed {prompt.name} prompt cache.threshold: 0.9" in words(told)
    status, _ = web.post(path, {**CACHE, "cache-mode": "inherit", "revision": "1"})
    assert (status, stored(project, prompt).cache) == (302, None)


def test_card__with_a_mistake__keeps_what_was_typed_and_says_why(web: Web, prompt: Prompt) -> None:
    path = f"{prompt.public_id}/serving/"
    status, html = web.post(path, {**CACHE, "cache-semantic_seconds": "3600", "revision": "0"})
    assert status == 422
    assert "The semantic cache needs a model that compares" in words(html)
    assert 'value="customer, mail"' in html
    status, html = web.post(path, {**CALLS, "calls-fallbacks_2": "two words", "revision": "0"})
    assert status == 422
    assert 'value="two words"' in html
    assert web.post(path, {"section": "nothing"})[0] == 400


def test_card__changed_by_somebody_else__is_told_and_can_be_saved_again(web: Web, prompt: Prompt) -> None:
    path = f"{prompt.public_id}/serving/"
    assert web.post(path, {**CACHE, "revision": "0"})[0] == 302
    status, html = web.post(path, {**CALLS, "revision": "0"})
    assert status == 409
    assert "Somebody changed these rules" in words(html)
    assert re.search(r'name="revision" value="1"', html)
    assert web.post(path, {**CALLS, "revision": "1"})[0] == 302


def test_guardrails__rows__are_added_removed_and_saved_without_a_script(
    web: Web, project: Project, prompt: Prompt
) -> None:
    path = f"{prompt.public_id}/serving/"
    form = {"section": "guardrails", "guardrails-mode": "own", "rules": "0", "revision": "0"}
    _, html = web.post(path, {**form, "action": "add", "kind": "regex"})
    assert 'name="rule-0-pattern"' in html
    typed = {
        **form,
        "rules": "2",
        "rule-0-kind": "regex",
        "rule-0-name": "ticket",
        "rule-0-on": "both",
        "rule-0-action": "flag",
        "rule-0-pattern": "(?=bad)",
        "rule-1-kind": "pii",
        "rule-1-name": "",
        "rule-1-on": "input",
        "rule-1-action": "redact",
        "rule-1-types": ["email", "iban"],
        "canary": "block",
        "spotlight": "datamark",
    }
    status, html = web.post(path, {**typed, "action": "save"})
    assert status == 422
    assert "(?=bad)" in html
    _, html = web.post(path, {**typed, "action": "remove:0"})
    assert "(?=bad)" not in html
    assert 'value="iban" checked' in html
    status, _ = web.post(path, {**typed, "rule-0-pattern": r"T-\d+", "action": "save"})
    assert status == 302
    rules = stored(project, prompt).guardrails
    assert [rule["kind"] for rule in rules["rules"]] == ["regex", "pii"]
    assert rules["canary"] == {"action": "block"}
    text = words(web.get(path)[1])
    assert "Pattern “ticket”" in text
    assert "redact, input" in text


def test_page__for_a_viewer__shows_and_offers_nothing(project: Project, prompt: Prompt) -> None:
    viewer = Web(project, Role.VIEWER)
    status, html = viewer.get(f"{prompt.public_id}/serving/")
    assert status == 200
    assert "<details" not in html.split('class="grid serving"')[1].split("</main>")[0]
    assert viewer.post(f"{prompt.public_id}/serving/", {**CALLS, "revision": "0"})[0] == 403


def test_try__a_text__shows_each_hit_with_its_place_and_saves_nothing(web: Web, prompt: Prompt) -> None:
    form = {
        "section": "guardrails",
        "guardrails-mode": "own",
        "rules": "1",
        "revision": "0",
        "action": "try",
        "rule-0-kind": "pii",
        "rule-0-name": "",
        "rule-0-on": "both",
        "rule-0-action": "redact",
        "rule-0-types": ["email"],
        "try_text": "Ask <b>ann@example.com</b>.",
        "try_side": "output",
    }
    status, html = web.post(f"{prompt.public_id}/serving/", form)
    assert status == 200
    assert 'title="pii">' in html
    assert "&lt;b&gt;" in html.split('id="tried"')[1]
    text = words(html)
    assert "The text goes on with what was found replaced." in text
    assert "E-mail addresses" in text
    with organization_scope(prompt.organization_id):
        assert not ServingPolicy.objects.exists()
