"""`cache` and `repair` in the body, and over the wire with the openai client."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.gateway.chat_requests import parse_chat_body
from apps.runs.models import Run
from apps.runs.types import CacheWish
from apps.tenants.models import Project
from tests.factories import make_api_key, make_connection, make_content, make_project, make_prompt
from tests.fake_provider import FakeProvider, fake_provider
from tests.support.gateway import running_gateway

__all__ = ["fake_provider"]

BODY: dict[str, Any] = {"model": "sandbox/fast", "messages": [{"role": "user", "content": "Hello"}]}
HEADER = "promptsaas-cache"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"cache": 60}, "cache"),
        ({"cache": {"seconds": 0}}, "cache.seconds"),
        ({"cache": {"seconds": 86_401}}, "cache.seconds"),
        ({"cache": {"seconds": True}}, "cache.seconds"),
        ({"cache": {"ttl_seconds": 1.5}}, "cache.ttl_seconds"),
        ({"cache": {"seconds": 60, "scope": "all"}}, "cache.scope"),
        ({"cache": {"semantic": "yes"}}, "cache.semantic"),
        ({"cache": {"semantic": {"distance": 0.1}}}, "cache.semantic.distance"),
        ({"cache": {"semantic": {"threshold": 0.4}}}, "cache.semantic.threshold"),
        ({"cache": {"semantic": {"threshold": True}}}, "cache.semantic.threshold"),
        ({"repair": 2}, "repair"),
        ({"repair": {"attempts": 3}}, "repair.attempts"),
        ({"repair": {"attempts": -1}}, "repair.attempts"),
        ({"repair": {"attempts": "1"}}, "repair.attempts"),
    ],
)
def test_parse__a_wrong_option__is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_chat_body(BODY | fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "cache", "repair_attempts"),
    [
        ({}, None, None),
        ({"cache": None, "repair": None}, None, None),
        ({"cache": False}, CacheWish(on=False), None),
        ({"cache": True}, CacheWish(), None),
        ({"cache": {}}, CacheWish(), None),
        ({"cache": {"seconds": 86_400}, "repair": {"attempts": 2}}, CacheWish(seconds=86_400), 2),
        ({"cache": {"ttl_seconds": 1}, "repair": {"attempts": 0}}, CacheWish(seconds=1), 0),
        ({"cache": {"semantic": False}}, CacheWish(semantic=False), None),
        ({"cache": {"semantic": {"threshold": 1}}}, CacheWish(semantic=True, threshold=1.0), None),
        ({"repair": {"attempts": 1}, "stream": True}, None, 1),
    ],
)
def test_parse__options__are_the_policys_unless_given(
    fields: dict[str, Any], cache: CacheWish | None, repair_attempts: int | None
) -> None:
    body = parse_chat_body(BODY | fields)
    assert (body.cache, body.repair_attempts) == (cache, repair_attempts)


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project()


@pytest.fixture
def client(gateway_url: str, project: Project) -> Iterator[openai.OpenAI]:
    """A client with a key of the project."""
    token = make_api_key(project=project)[1]
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=token, max_retries=0, timeout=20) as client:
        yield client


def _ask(client: openai.OpenAI, cached: bool = True, **extra: Any) -> tuple[ChatCompletion, str | None]:
    raw = client.chat.completions.with_raw_response.create(
        **BODY, extra_body=({"cache": {"seconds": 60}} if cached else {}) | extra
    )
    return raw.parse(), raw.headers.get(HEADER)


def _until_hit(client: openai.OpenAI) -> ChatCompletion:
    """A busy machine may be slower than the cache is waited for, so a miss is allowed now and then."""
    for _ in range(20):
        answer, told = _ask(client)
        if told == "hit":
            return answer
    pytest.fail("the cache was never hit")


@pytest.mark.slow
def test_cache__asked_for_twice__hits_and_says_so(client: openai.OpenAI, project: Project) -> None:
    first, told = _ask(client)
    assert told == "miss"
    second = _until_hit(client)
    assert second.choices[0].message.content == first.choices[0].message.content
    assert second.id != first.id
    assert second.usage is not None
    assert second.usage.total_tokens == 0
    assert second.model_extra is not None
    assert second.model_extra["promptsaas"]["cost"] == {"status": "none", "amount": "0", "currency": "USD"}
    with organization_scope(project.organization_id):
        kept = {run.pk: run for run in Run.objects.all()}
    [hit] = [run for run in kept.values() if run.public_id == second.id]
    assert hit.cached_from is not None
    assert kept[hit.cached_from].usage_origin == "provider"


@pytest.mark.slow
def test_cache__not_asked_for__is_off(client: openai.OpenAI) -> None:
    _until_hit(client)
    assert _ask(client, cached=False)[1] == "off"
    assert _ask(client, cached=False, cache=False)[1] == "off"


@pytest.mark.slow
def test_cache__a_streamed_hit__is_one_piece(client: openai.OpenAI) -> None:
    whole = _until_hit(client)
    for _ in range(20):
        with client.chat.completions.with_streaming_response.create(
            **BODY, stream=True, extra_body={"cache": {"seconds": 60}}
        ) as answer:
            told = answer.headers[HEADER]
            pieces = [chunk.choices[0].delta.content for chunk in answer.parse()]
        if told == "hit":
            break
    assert told == "hit"
    assert [piece for piece in pieces if piece] == [whole.choices[0].message.content]


@pytest.mark.slow
def test_cache__a_failure__is_a_miss(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        _ask(client, sandbox_error_rate=1)
    assert failed.value.response.headers[HEADER] == "miss"


@pytest.mark.slow
def test_repair__through_the_gateway__is_tried_and_recorded(
    fake_provider: FakeProvider, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    for model in ("mends", "echo"):
        content = make_content("Hello", model=f"local/{model}", output_schema=schema)
        make_prompt(project=project, name=model, content=content, labels={"production": 1})
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", fake_provider.host)
    token = make_api_key(project=project)[1]
    with (
        running_gateway(tmp_path) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0) as client,
    ):
        ask = partial(client.chat.completions.create, messages=[], extra_body={"repair": {"attempts": 1}})
        answer = ask(model="prompt:mends")
        with pytest.raises(openai.UnprocessableEntityError) as failed:
            ask(model="prompt:echo")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 2 * (11 + 5)
    assert failed.value.code == "output_invalid"
    with organization_scope(project.organization_id):
        tried = {run.prompt_name: [each["error"] for each in run.attempts] for run in Run.objects.all()}
    assert tried == {"mends": ["output_invalid", ""], "echo": ["output_invalid", ""]}
