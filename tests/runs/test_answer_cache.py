"""The exact cache of answers: who hits, who misses, what Redis sees, what is recorded."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import redis as redis_library
from pytest_django import Settings

from apps.audit.actor import SYSTEM
from apps.billing.models import UsageEvent
from apps.core import crypto
from apps.core.scope import organization_scope
from apps.prompts import services as prompt_services
from apps.providers import services as provider_services
from apps.providers.models import ProviderCredential
from apps.runs import answer_cache, queries
from apps.runs.models import Run
from apps.runs.runtime import Runtime, open_runtime
from apps.runs.types import CacheWish, RunDelta, RunRequest, RunResult, RunStarted
from apps.tenants.models import Project
from tests.factories import make_connection, make_content, make_project, make_prompt, make_quota
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = ({"role": "user", "content": "one secret three"},)


@pytest.fixture
def project(fake_provider: FakeProvider) -> Project:
    """A project with the connection `local`."""
    return _with_connection(make_project(), fake_provider)


def _with_connection(project: Project, provider: FakeProvider) -> Project:
    make_connection(project=project, name="local", base_url=provider.base_url, models=("*",))
    return project


def _request(project: Project, model: str = "local/echo", **values: Any) -> RunRequest:
    asked = {"model": model, "messages": ASKED, "cache": CacheWish(seconds=60)}
    return make_request(project, **{**asked, **values})


def _execute(*requests: RunRequest) -> list[RunResult]:
    async def use(runtime: Runtime) -> list[RunResult]:
        return [await runtime.engine.execute(request) for request in requests]

    return with_runtime(use)


def _run(project: Project, result: RunResult) -> Run:
    with organization_scope(project.organization_id):
        return Run.objects.get(pk=result.run_id)


def test_execute__the_same_again__is_answered_without_a_call(
    project: Project, fake_provider: FakeProvider
) -> None:
    first, second = _execute(_request(project), _request(project))
    assert (second.text, second.finish_reason, second.status) == (first.text, "stop", "succeeded")
    assert (first.cached_from, second.cached_from) == (None, first.run_id)
    assert fake_provider.calls["echo"] == 1


def test_execute__a_hit__is_recorded_and_metered_as_a_run_that_cost_nothing(project: Project) -> None:
    make_quota(organization=project.organization, cap=2)
    first, result = _execute(_request(project), _request(project))
    second = _run(project, result)
    assert (second.cached_from, second.usage_origin, second.attempts) == (first.run_id, "cache", [])
    assert (second.input_tokens, second.output_tokens, second.cached_tokens) == (0, 0, 0)
    assert (second.price_status, second.price_amount) == ("none", Decimal(0))
    with organization_scope(project.organization_id):
        assert UsageEvent.objects.filter(meter="runs").count() == 2
        content = queries.load_content(second)
        assert replace(queries.load_result(project.id, second.pk), parsed=None) == result  # as a replay
    assert content is not None
    assert (content.messages, content.output) == (ASKED, "one secret three")


def test_execute__without_asking_for_the_cache__neither_takes_nor_keeps(
    project: Project, redis: redis_library.Redis
) -> None:
    plain: dict[str, Any] = {"cache": None}
    results = _execute(_request(project, **plain), _request(project), _request(project, **plain))
    assert [result.cached_from for result in results] == [None, None, None]
    assert len(redis.keys("answer:*")) == 1


def test_execute__by_policy__is_cached_at_the_api_unless_the_call_says_no(
    project: Project, fake_provider: FakeProvider
) -> None:
    with organization_scope(project.organization_id):
        sections: dict[Any, Any] = {"cache": {"exact_seconds": 60}}
        prompt_services.change_serving(actor=SYSTEM, project=project, sections=sections)
    ask = partial(_request, project, cache=None)
    results = _execute(
        ask(),
        ask(),
        ask(cache=CacheWish(on=False)),
        ask(source="batch"),
        ask(source="playground"),
        ask(source="batch", cache=CacheWish()),
    )
    assert [result.cache for result in results] == ["miss", "hit", "off", "off", "off", "hit"]
    assert fake_provider.calls["echo"] == 4


def test_execute__tool_calls_and_other_models_answers__are_not_kept(
    project: Project, redis: redis_library.Redis
) -> None:
    tools = ({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}},)
    [called] = _execute(_request(project, "local/tools", tools=tools))
    assert called.tool_calls
    with organization_scope(project.organization_id):
        sections: dict[Any, Any] = {"calls": {"fallbacks": ["local/echo"], "retries": 0}}
        prompt_services.change_serving(actor=SYSTEM, project=project, sections=sections)
    [fallen_back] = _execute(_request(project, "local/broken"))
    assert (fallen_back.status, fallen_back.model) == ("succeeded", "local/echo")
    assert redis.keys("a*") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": ({"role": "user", "content": "one secret four"},)},
        {"messages": ({"role": "system", "content": "one secret three"},)},
        {"overrides": {"temperature": 0.5}},
        {"model": "local/other"},
        {"livemode": False},
    ],
)
def test_execute__anything_else_that_decides_the_answer__misses(
    project: Project, changed: dict[str, Any]
) -> None:
    assert _execute(_request(project), _request(project, **changed))[1].cached_from is None


def test_execute__under_another_schema__misses(project: Project, fake_provider: FakeProvider) -> None:
    for name, schema in (("a", {"type": "object"}), ("b", {"type": "object", "title": "B"})):
        content = make_content(model="local/schema", output_schema=schema)
        make_prompt(project=project, name=name, content=content, labels={"production": 1})
    requests = [make_request(project, prompt=name, cache=CacheWish(seconds=60)) for name in ("a", "b", "a")]
    first, second, third = _execute(*requests)
    assert (second.cached_from, third.cached_from) == (None, first.run_id)
    assert third.parsed == first.parsed is not None


def test_execute__in_another_project_or_organization__misses(
    project: Project, fake_provider: FakeProvider
) -> None:
    sibling = make_project(organization=project.organization, name="Sibling")
    others = [_with_connection(each, fake_provider) for each in (sibling, make_project())]
    results = _execute(_request(project), *(_request(other) for other in others))
    assert [result.cached_from for result in results] == [None, None, None]
    assert fake_provider.calls["echo"] == 3


def test_execute__after_the_connection_got_another_address__misses(
    project: Project, fake_provider: FakeProvider, settings: Settings
) -> None:
    _execute(_request(project))
    with organization_scope(project.organization_id):
        provider_services.delete_connection(actor=SYSTEM, credential=ProviderCredential.objects.get())
    port = fake_provider.server.server_port
    settings.OUTBOUND_ALLOWED_HOSTS = [f"localhost:{port}"]
    make_connection(project=project, name="local", base_url=f"http://localhost:{port}/v1", models=("*",))
    [result] = _execute(_request(project))
    assert (result.status, result.cached_from) == ("succeeded", None)
    assert fake_provider.calls["echo"] == 2


def test_execute__by_a_test_key__is_cached_too() -> None:
    project = make_project()
    requests = [_request(project, "sandbox/standard", livemode=False) for _ in range(2)]
    first, second = _execute(*requests)
    assert (second.cached_from, second.text, second.sandbox) == (first.run_id, first.text, True)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("sandbox/standard", {"overrides": {"max_tokens": 2}}),
        ("sandbox/standard", {"overrides": {"sandbox_error_rate": 1}}),
        ("sandbox/standard", {"record_payload": False}),
    ],
)
def test_execute__an_answer_that_is_not_good_or_not_to_be_kept__is_not_kept(
    redis: redis_library.Redis, model: str, values: dict[str, Any]
) -> None:
    _execute(_request(make_project(), model, **values))
    assert redis.keys("answer:*") == []


def test_keep__for_a_time__ends_with_it_and_redis_reads_nothing(
    project: Project, redis: redis_library.Redis
) -> None:
    [result] = _execute(_request(project, cache=CacheWish(seconds=60)))
    [key] = redis.keys("answer:*")
    assert 55 <= redis.ttl(key) <= 60
    seen = key + redis.get(key)  # type: ignore[operator]
    assert b"secret" not in seen
    assert result.run_id.bytes not in seen
    assert str(result.run_id).encode() not in seen
    redis.delete(key)
    assert _execute(_request(project))[0].cached_from is None


def test_find__older_than_this_caller_wants__misses(
    project: Project, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(_request(project, cache=CacheWish(seconds=86_400)))
    later = time.time() + 100
    monkeypatch.setattr(answer_cache, "time", SimpleNamespace(time=lambda: later, monotonic=time.monotonic))
    assert _execute(_request(project, cache=CacheWish(seconds=10)))[0].cached_from is None


@pytest.mark.parametrize(
    "tamper",
    [lambda value: value[:-1] + bytes([value[-1] ^ 1]), lambda value: b"", lambda value: b"\x00" + value],
)
def test_find__a_value_that_was_tampered_with__misses(
    project: Project, redis: redis_library.Redis, tamper: Callable[[bytes], bytes]
) -> None:
    _execute(_request(project))
    [key] = redis.keys("answer:*")
    redis.set(key, tamper(redis.get(key)))  # type: ignore[arg-type]
    [result] = _execute(_request(project))
    assert (result.status, result.cached_from) == ("succeeded", None)


def test_find__a_value_moved_under_another_key__misses(project: Project, redis: redis_library.Redis) -> None:
    other = ({"role": "user", "content": "another question"},)
    _execute(_request(project))
    [key] = redis.keys("answer:*")
    stolen = redis.get(key)
    _execute(_request(project, messages=other))
    [second] = [each for each in redis.keys("answer:*") if each != key]
    redis.set(second, stolen)  # type: ignore[arg-type]
    assert _execute(_request(project, messages=other))[0].text == "another question"


def test_execute__with_redis_dead__calls_the_provider(project: Project, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    results = _execute(_request(project), _request(project))
    assert [(result.status, result.cached_from) for result in results] == [("succeeded", None)] * 2


def test_execute__with_redis_that_never_answers__waits_a_moment_once(
    project: Project, settings: Settings
) -> None:
    async def run() -> list[RunResult]:
        async with open_runtime() as runtime:
            return [await runtime.engine.execute(_request(project)) for _ in range(3)]

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings.REDIS_URL = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        results = asyncio.run(run())
    assert [result.status for result in results] == ["succeeded"] * 3
    assert max(result.latency_ms for result in results) < 3000


def test_stream__a_hit__is_one_piece_and_the_result(project: Project, fake_provider: FakeProvider) -> None:
    async def use(runtime: Runtime) -> list[list[RunStarted | RunDelta | RunResult]]:
        return [
            [item async for item in runtime.engine.stream(_request(project))],
            [item async for item in runtime.engine.stream(_request(project))],
        ]

    first, second = with_runtime(use)
    assert len(first) == 5
    assert not any(isinstance(item, RunDelta) and item.cached for item in first)
    _, piece, result = second
    assert piece == RunDelta("one secret three", cached=True)
    assert isinstance(result, RunResult)
    assert result.cached_from == first[-1].run_id  # type: ignore[union-attr]
    assert result.first_token_ms is not None
    assert fake_provider.calls["echo"] == 1


def test_find__with_the_data_key_shredded__misses(redis: redis_library.Redis) -> None:
    project = make_project()
    _execute(_request(project, "sandbox/fast"))
    with organization_scope(project.organization_id):
        crypto.shred(project.organization_id)
    assert _execute(_request(project, "sandbox/fast"))[0].cached_from is None
    assert len(redis.keys("answer:*")) == 2
