"""The gallery: eight examples that are sound, install whole, and answer on the sandbox."""

from typing import Any

import jsonschema_rs
import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.actor import SYSTEM
from apps.core.errors import Conflict, InvalidRequest
from apps.core.scope import organization_scope
from apps.dashboard.gallery import EXAMPLES, Example
from apps.dashboard.gallery.installing import EXAMPLE_TAG, install_example
from apps.datasets.models import Dataset, DatasetRow
from apps.prompts import queries
from apps.prompts.content import clean_content
from apps.prompts.hints import read_templates
from apps.prompts.models import Prompt
from apps.prompts.rendering import render
from apps.runs.types import RunResult
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import (
    make_api_key,
    make_dataset_version,
    make_member,
    make_project,
    make_prompt,
    owner_of,
)
from tests.runs.support import make_request, with_runtime

by_key = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)


@pytest.fixture
def project() -> Project:
    return make_project()


def sign_in(project: Project, role: Role | None = None) -> tuple[Client, str]:
    client = Client()
    organization = project.organization
    client.force_login(make_member(organization=organization, role=role) if role else owner_of(organization))
    return client, f"/{organization.slug}/{project.slug}/gallery/"


def test_examples__all__are_eight_with_keys_and_names_of_their_own() -> None:
    assert len(EXAMPLES) == 8
    for values in ([each.key for each in EXAMPLES], [each.name for each in EXAMPLES]):
        assert len(set(values)) == 8


@by_key
def test_example__content__is_sound_and_every_row_fits(example: Example) -> None:
    content = clean_content("chat", example.content)
    assert [each["role"] for each in content.messages] == ["system", "user"]
    assert content.variables == example.content.variables
    reading = read_templates([each["content"] for each in content.messages], content.variables)
    assert reading.hints == ()
    samples = {each["name"]: each["sample"] for each in content.variables}
    assert len(example.rows) >= 8
    for values in [samples, *(row.variables for row in example.rows)]:
        assert set(values) <= set(samples)
        for message in render(content.messages, content.variables, values):
            assert "\n\n\n" not in message["content"]
            assert message["content"] == message["content"].strip()


@pytest.mark.django_db(transaction=True)
def test_examples__on_the_sandbox__answer_as_their_schemas_say(project: Project) -> None:
    with organization_scope(project.organization_id):
        for example in EXAMPLES:
            prompt = install_example(actor=SYSTEM, project=project, example=example).prompt
            assert queries.get_version(prompt, 1).model == "sandbox/standard"

    async def answers(runtime: Any) -> list[RunResult]:
        return [
            await runtime.engine.execute(
                make_request(project, prompt=each.name, label="latest", variables=row.variables)
            )
            for each in EXAMPLES
            for row in each.rows[:2]
        ]

    results = with_runtime(answers)
    assert [result.status for result in results] == ["succeeded"] * 16
    for example, result in zip((each for each in EXAMPLES for _ in range(2)), results, strict=True):
        assert result.text
        if example.content.output_schema:
            assert jsonschema_rs.is_valid(example.content.output_schema, orjson.loads(result.text))


@pytest.mark.django_db
def test_install__example__makes_prompt_and_rows_under_the_names_given(project: Project) -> None:
    with organization_scope(project.organization_id):
        made = install_example(
            actor=SYSTEM, project=project, example=EXAMPLES[0], name="team/answers", dataset="Answers"
        )
        prompt = Prompt.objects.get()
        assert (prompt.name, prompt.tags, prompt.latest_number) == ("team/answers", [EXAMPLE_TAG], 1)
        assert made.dataset_version.dataset.name == "Answers"
        row = DatasetRow.objects.filter(dataset_version=made.dataset_version).order_by("number")[0]
        assert row.variables == EXAMPLES[0].rows[0].variables
        assert row.expected == EXAMPLES[0].rows[0].expected


@pytest.mark.django_db
def test_install__taken_names__leave_nothing_behind(project: Project) -> None:
    example = EXAMPLES[0]
    make_dataset_version(project=project, name=example.dataset)
    with organization_scope(project.organization_id):
        with pytest.raises(Conflict) as caught:
            install_example(actor=SYSTEM, project=project, example=example)
        assert (caught.value.code, caught.value.param) == ("dataset_name_taken", "dataset")
        assert not Prompt.objects.exists()
        with pytest.raises(InvalidRequest):
            install_example(actor=SYSTEM, project=project, example=example, dataset="x" * 500)
        assert not Prompt.objects.exists()
    make_prompt(project=project, name=example.name)
    with organization_scope(project.organization_id):
        with pytest.raises(Conflict) as caught:
            install_example(actor=SYSTEM, project=project, example=example, dataset="Another")
        assert caught.value.code == "prompt_name_taken"
        assert Dataset.objects.count() == 1


@pytest.mark.django_db
def test_pages__list_and_example__show_everything_and_install(project: Project) -> None:
    client, base = sign_in(project)
    page = client.get(base).content.decode()
    assert all(example.title in page and f"{base}{example.key}/" in page for example in EXAMPLES)
    with CaptureQueriesContext(connection) as captured:
        page = client.get(f"{base}moderation/").content.decode()
    assert sum(" FROM " in query["sql"] for query in captured) <= 15
    assert "You moderate posts of {{ community }}" in page
    assert "You moderate posts of a shop" in page
    assert "lamps-for-less" in page
    form = {"name": "rules/posts", "dataset": "Posts"}
    answer = client.post(f"{base}moderation/", form)
    assert answer.status_code == 302
    assert answer["Location"].endswith("/edit/")
    assert "8 test rows are in your project" in client.get(answer["Location"]).content.decode()
    again = client.post(f"{base}moderation/", form)
    assert again.status_code == 422
    page = again.content.decode()
    assert "There is a prompt rules/posts already." in page
    assert "There is a dataset Posts already." in page
    assert 'value="rules/posts"' in page
    assert client.get(f"{base}nothing/").status_code == 404


@pytest.mark.django_db
def test_pages__viewer__looks_and_installs_nothing(project: Project) -> None:
    client, base = sign_in(project, Role.VIEWER)
    page = client.get(f"{base}tutor/").content.decode()
    assert "An editor of this organization can install it." in page
    assert client.post(f"{base}tutor/", {"name": "a", "dataset": "b"}).status_code == 403


@pytest.mark.django_db
def test_api__list_and_install__answer_with_ids(project: Project) -> None:
    headers = {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}
    client = Client(headers=headers)
    listed = client.get("/api/v1/gallery").json()
    assert [each["key"] for each in listed["data"]] == [example.key for example in EXAMPLES]
    made = client.post("/api/v1/gallery/report/install", {"name": "weekly"}, content_type="application/json")
    body = made.json()
    assert (made.status_code, body["prompt_name"], body["rows"]) == (201, "weekly", 8)
    assert body["prompt"].startswith("prm_")
    assert body["dataset"].startswith("dst_")
    again = client.post("/api/v1/gallery/report/install", {"name": "weekly"}, content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "dataset_name_taken")
    missing = client.post("/api/v1/gallery/none/install", {}, content_type="application/json")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "example_not_found")
