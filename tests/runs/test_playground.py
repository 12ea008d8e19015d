"""The playground's page and what its script asks for."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.scope import organization_scope
from apps.datasets.models import DatasetRow
from apps.prompts.models import Draft, Prompt
from apps.runs import queries
from apps.runs.models import Run
from apps.runs.playground_tokens import read_token
from apps.tenants.models import Project, User
from apps.tenants.roles import Role
from tests.factories import (
    make_content,
    make_dataset_version,
    make_member,
    make_project,
    make_prompt,
    make_run,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def user(project: Project) -> User:
    return make_member(organization=project.organization, role=Role.EDITOR)


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _address(project: Project, ending: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/playground/{ending}"


def _post(client: Client, project: Project, ending: str, body: Any) -> tuple[int, Any]:
    answer = client.post(_address(project, ending), json.dumps(body), content_type="application/json")
    return answer.status_code, json.loads(answer.content)


def test_page__of_a_prompt__shows_its_version_and_samples(client: Client, project: Project) -> None:
    content = make_content(variables=({"name": "review", "type": "text", "sample": "It broke."},))
    prompt = make_prompt(project=project, name="team/reply", content=content, labels={"production": 1})
    page = client.get(_address(project), {"prompt": prompt.public_id, "label": "production"})
    text = page.content.decode()
    assert page.status_code == 200
    assert "It broke." in text
    assert "v1 · production" in text
    assert 'name="value:review"' in text
    assert client.get(_address(project), {"prompt": prompt.public_id, "version": "9"}).status_code == 404


def test_page__of_another_projects_prompt_or_run__is_not_found(client: Client, project: Project) -> None:
    foreign = make_project()
    for query in (
        {"prompt": make_prompt(project=foreign).public_id},
        {"run": make_run(project=foreign).public_id},
    ):
        assert client.get(_address(project), query).status_code == 404


def test_page__of_a_run__has_its_messages_word_for_word(client: Client, project: Project) -> None:
    run = make_run(project=project, messages=({"role": "user", "content": "Say {{ x }} and {% if %}"},))
    page = client.get(_address(project), {"run": run.public_id}).content.decode()
    assert "Say {{ &#x27;{{&#x27; }} x }} and" in page


def test_page__for_a_viewer__is_refused(project: Project) -> None:
    client = Client()
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    assert client.get(_address(project)).status_code == 403


def test_page__with_more_prompts__costs_the_same_queries(client: Client, project: Project) -> None:
    prompt = make_prompt(project=project, versions=3, labels={"production": 1})
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as caught:
            client.get(_address(project), {"prompt": prompt.public_id})
        counts.append(sum(query["sql"].startswith('SELECT "') for query in caught.captured_queries))
        for _ in range(5):
            make_prompt(project=project)
    assert counts[0] == counts[1] <= 15


@pytest.mark.django_db(transaction=True)
def test_form__without_script__runs_and_shows_the_answer(
    client: Client, project: Project, user: User
) -> None:
    form = {
        "action": "run",
        "role": ["system", "user"],
        "content": ["Be brief.", "Greet {{ name }}"],
        "declared": "[]",
        "value:name": "Dana",
        "model": "sandbox/standard",
        "temperature": "0.5",
    }
    page = client.post(_address(project), form)
    with organization_scope(project.organization_id):
        run = Run.objects.get()
        content = queries.load_content(run)
    assert content is not None
    assert page.status_code == 200
    assert content.output.split(".")[0] in page.content.decode().replace("&#x27;", "'")
    assert (run.source, run.source_id) == ("playground", user.pk)
    assert content.messages[1]["content"] == "Greet Dana"
    assert dict(content.parameters) == {"temperature": 0.5}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content": "{{"}, "template_invalid"),
        ({"value:name": ""}, "variable_missing"),
        ({"model": "nobody/x"}, "connection_not_found"),
        ({"temperature": "hot"}, "This must be a number."),
    ],
)
def test_form__that_cannot_run__keeps_everything_and_says_why(
    client: Client, project: Project, change: dict[str, str], words: str
) -> None:
    form = {"action": "run", "role": "user", "content": "Greet {{ name }}", "value:name": "Dana"}
    page = client.post(_address(project), form | {"model": "sandbox/standard"} | change)
    assert page.status_code == 422
    assert words in page.content.decode()


def test_form__adding_and_removing_messages__changes_nothing_else(client: Client, project: Project) -> None:
    form = {"action": "add", "role": ["system", "user"], "content": ["One", "Two"]}
    page = client.post(_address(project), form).content.decode()
    assert page.count('aria-label="Message 3"') == 1
    page = client.post(_address(project), form | {"action": "drop:0"}).content.decode()
    assert "One" not in page
    assert "Two" in page


def test_token__for_who_may_run__names_user_and_project(client: Client, project: Project, user: User) -> None:
    status, body = _post(client, project, "token/", {})
    who = read_token(body["token"])
    assert (status, body["expires_in"]) == (200, 60)
    assert (who.organization_id, who.project_id, who.user_id) == (
        project.organization_id,
        project.pk,
        user.pk,
    )


def test_variables__of_messages_as_they_stand__are_listed(client: Client, project: Project) -> None:
    body = {"messages": [{"role": "user", "content": "{{ a }} {% if b %}x{% endif %}"}], "values": {"a": "7"}}
    answer = client.post(_address(project, "variables/"), json.dumps(body), content_type="application/json")
    page = answer.content.decode()
    assert "value:a" in page
    assert "value:b" in page
    assert "7" in page
    body["messages"] = [{"role": "user", "content": "{{ a"}]
    answer = client.post(_address(project, "variables/"), json.dumps(body), content_type="application/json")
    assert "field__error" in answer.content.decode()


def test_facts__of_a_run_of_ones_own_only__are_told(client: Client, project: Project, user: User) -> None:
    mine = make_run(project=project, source="playground", source_id=user.pk)
    other = make_run(project=project)
    told = client.get(_address(project, f"runs/{mine.public_id}/"))
    assert json.loads(told.content)["cost"]["status"] == "sandbox"
    assert client.get(_address(project, f"runs/{other.public_id}/")).status_code == 404


TYPED: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Greet {{ name }}"}],
    "variables": [],
    "values": {"name": "Dana"},
    "model": "sandbox/standard",
    "parameters": {"temperature": "0.5"},
    "output_schema": "",
    "tools": "",
}


def test_code__of_saved_and_of_changed_content__repeats_the_call(client: Client, project: Project) -> None:
    status, body = _post(client, project, "code/", TYPED)
    assert (status, set(body)) == (200, {"curl", "python", "node"})
    assert "/v1/chat/completions" in body["curl"]
    assert "Greet Dana" in body["python"]
    compile(body["python"], "snippet", "exec")
    prompt = make_prompt(project=project, name="team/greet", content=make_content("Greet {{ name }}"))
    saved = TYPED | {"prompt": prompt.public_id, "version": 1}
    with organization_scope(project.organization_id):
        saved["messages"] = prompt.versions.get().messages
    assert "/api/v1/prompts/team/greet/run" in _post(client, project, "code/", saved)[1]["node"]


def test_save__of_a_prompt__becomes_the_draft_and_asks_before_replacing(
    client: Client, project: Project, user: User
) -> None:
    prompt = make_prompt(project=project, name="reply")
    body = TYPED | {"prompt": prompt.public_id, "version": 1}
    status, told = _post(client, project, "save/", body)
    assert (status, told["href"].endswith(f"{prompt.public_id}/edit/")) == (200, True)
    with organization_scope(project.organization_id):
        draft = Draft.objects.get(prompt=prompt, user=user)
    assert draft.content["messages"] == TYPED["messages"]
    other = body | {"model": "sandbox/fast"}
    assert _post(client, project, "save/", other)[1]["error"]["code"] == "draft_exists"
    assert _post(client, project, "save/", other | {"replace": True})[0] == 200


def test_save__of_a_blank_page__makes_a_prompt(client: Client, project: Project) -> None:
    assert _post(client, project, "save/", TYPED | {"name": "a@b"})[0] == 400
    assert _post(client, project, "save/", TYPED | {"name": "from/play"})[0] == 200
    with organization_scope(project.organization_id):
        assert Prompt.objects.get(name="from/play").latest_number == 1


def test_rows__of_a_try__end_in_the_dataset(client: Client, project: Project) -> None:
    version = make_dataset_version(project=project, name="Cases")
    with organization_scope(project.organization_id):
        dataset = version.dataset.public_id
    body = {"dataset": dataset, "values": {"review": "Fine."}, "expected": "ok", "run": "run_nothing"}
    status, told = _post(client, project, "rows/", body)
    assert (status, "Cases" in told["message"]) == (200, True)
    with organization_scope(project.organization_id):
        assert DatasetRow.objects.count() == version.row_count * 2 + 1


def test_actions__of_a_viewer__are_refused(project: Project) -> None:
    client = Client()
    client.force_login(make_member(organization=project.organization, role=Role.VIEWER))
    for ending in ("token/", "variables/", "code/", "save/", "rows/"):
        assert client.post(_address(project, ending)).status_code == 403
