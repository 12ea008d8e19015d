"""The official openai client's Responses API and embeddings, unchanged, against the real server."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pydantic
import pytest

from apps.core.scope import organization_scope
from apps.providers.models import ModelAlias
from apps.runs import queries
from apps.runs.models import Run
from apps.tenants.models import Project
from apps.tenants.roles import Scope
from tests.factories import make_api_key, make_content, make_project, make_prompt
from tests.factories.providers import make_connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()


@pytest.fixture
def project() -> Project:
    """A project with the prompt `greet`."""
    project = make_project()
    make_prompt(
        project=project, name="greet", content=make_content("Greet {{ name }}."), labels={"production": 1}
    )
    return project


@pytest.fixture
def token(project: Project) -> str:
    """A key of the project."""
    return make_api_key(project=project, livemode=True)[1]


@pytest.fixture
def client(gateway_url: str, token: str) -> Iterator[openai.OpenAI]:
    """A client with the key."""
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0, timeout=20) as client:
        yield client


def _runs(project: Project) -> list[Run]:
    with organization_scope(project.organization_id):
        return list(Run.objects.order_by("pk"))


def test_response__of_a_prompt__is_answered_recorded_and_found_again(
    client: openai.OpenAI, project: Project
) -> None:
    answer = client.responses.create(
        prompt={"id": "greet", "version": "1", "variables": {"name": "Ada"}},
        metadata={"ticket": "7"},
        safety_identifier="u1",
        extra_body={"unit": "case-7"},
    )
    assert answer.status == "completed"
    assert answer.output_text
    assert answer.usage is not None
    [run] = _runs(project)
    assert (answer.id, run.version_number, run.end_user, run.unit) == (run.public_id, 1, "u1", "case-7")
    again = client.responses.retrieve(answer.id)
    assert (again.output_text, again.metadata) == (answer.output_text, {"ticket": "7"})


def test_response__streamed__ends_with_what_its_pieces_said(client: openai.OpenAI, project: Project) -> None:
    with client.responses.stream(
        model="prompt:greet", input=[], extra_body={"variables": {"name": "Bo"}}
    ) as s:
        kinds = [event.type for event in s]
        answer = s.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    with organization_scope(project.organization_id):
        content = queries.load_content(_runs(project)[0])
    assert content is not None
    assert answer.output_text == content.output


def test_response__with_a_schema__is_parsed(client: openai.OpenAI) -> None:
    class Verdict(pydantic.BaseModel):
        verdict: str

    answer = client.responses.parse(model="sandbox/standard", input="It broke.", text_format=Verdict)
    assert isinstance(answer.output_parsed, Verdict)


def test_response__not_to_be_stored__keeps_figures_only(client: openai.OpenAI, project: Project) -> None:
    answer = client.responses.create(model="sandbox/fast", input="Hello", store=False)
    [run] = _runs(project)
    assert (run.status, run.stored_content) == ("succeeded", False)
    with pytest.raises(openai.NotFoundError, match="not stored"):
        client.responses.retrieve(answer.id)


def test_response__of_another_key_without_the_right__is_not_found(
    client: openai.OpenAI, project: Project, gateway_url: str
) -> None:
    answer = client.responses.create(model="sandbox/fast", input="Hello")
    other = make_api_key(project=project, livemode=True, scopes=(Scope.RUN,))[1]
    found = httpx2.get(
        f"{gateway_url}/v1/responses/{answer.id}", headers={"Authorization": f"Bearer {other}"}
    )
    assert found.status_code == 404


def test_response__in_the_background__is_queued_and_polled(client: openai.OpenAI) -> None:
    accepted = client.responses.create(model="sandbox/fast", input="Hello", background=True)
    assert accepted.status == "queued"
    assert client.responses.retrieve(accepted.id).status in ("queued", "in_progress")


def test_response__with_what_is_not_carried_out__is_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="sandbox/fast", input="Hello", previous_response_id="run_1")
    assert (refused.value.param, refused.value.code) == ("previous_response_id", "unsupported_parameter")
    assert refused.value.request_id


def test_image__in_a_message__is_told_by_the_sandbox_and_kept(
    client: openai.OpenAI, project: Project
) -> None:
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]
    answer = client.chat.completions.create(
        model="sandbox/standard", messages=[{"role": "user", "content": parts}]
    )
    assert "1 image" in (answer.choices[0].message.content or "")
    runs = _runs(project)
    with organization_scope(project.organization_id):
        content = queries.load_content(runs[0])
        preview = queries.load_previews(runs)[runs[0].pk]
    assert content is not None
    assert content.messages[0]["content"] == parts
    assert preview.input == "What is this?\n[image/png image]"


def test_embeddings__of_texts__are_vectors_and_a_run(client: openai.OpenAI, project: Project) -> None:
    packed = client.embeddings.create(model="sandbox/embedding", input=["one", "two"], dimensions=16)
    plain = client.embeddings.create(
        model="sandbox/embedding", input="one", dimensions=16, encoding_format="float"
    )
    assert [len(each.embedding) for each in packed.data] == [16, 16]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    runs = _runs(project)
    assert [run.status for run in runs] == ["succeeded", "succeeded"]
    assert runs[0].input_tokens == packed.usage.prompt_tokens
    with organization_scope(project.organization_id):
        content = queries.load_content(runs[0])
    assert content is not None
    assert (content.parameters, content.output) == ({"dimensions": 16}, "")


def test_embeddings__with_a_key_for_repeats__are_refused(gateway_url: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    body = {"model": "sandbox/embedding", "input": "one"}
    answer = httpx2.post(f"{gateway_url}/v1/embeddings", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "idempotency_unsupported")


def test_embeddings__of_a_provider_without_any__are_a_bad_request(
    client: openai.OpenAI, project: Project
) -> None:
    make_connection(project=project, name="claude", models=("*",), api="anthropic")
    with pytest.raises(openai.BadRequestError, match="no embedding models"):
        client.embeddings.create(model="claude/some", input="one")
    assert [run.status for run in _runs(project)] == ["failed"]


def test_models__of_a_project__have_its_aliases_and_the_sandboxs_embedding(
    client: openai.OpenAI, project: Project
) -> None:
    with organization_scope(project.organization_id):
        ModelAlias.objects.create(
            organization_id=project.organization_id, project=project, name="fast", target="sandbox/fast"
        )
    owners = {model.id: model.owned_by for model in client.models.list()}
    assert (owners["fast"], owners["sandbox/embedding"]) == ("sandbox", "sandbox")
