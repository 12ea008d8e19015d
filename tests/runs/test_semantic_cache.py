"""The semantic cache: what is given again, what never is, what it costs, and what may go wrong."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope, system_scope
from apps.prompts import services as prompt_services
from apps.prompts.models import Prompt
from apps.providers.types import CallErrorReason
from apps.retention.services import set_content_storing
from apps.runs import cache_entries, jobs
from apps.runs.models import CacheEntry, Run
from apps.runs.runtime import Runtime
from apps.runs.types import CacheWish, RunDelta, RunRequest, RunResult
from apps.tenants.models import Project
from tests.factories import make_cache_entry, make_connection, make_content, make_project, make_prompt
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

CALL_ERRORS = get_args(CallErrorReason)

ASKED = "How can I return a pair of shoes that I bought last week?"
ALMOST = "How can I return the pair of shoes that I bought last week"
RULES = {
    "semantic_seconds": 600,
    "threshold": 0.8,
    "embedding_model": "sandbox/embedding",
    "sensitive_variables": ["customer"],
}


@pytest.fixture(autouse=True)
def _extension() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")
        if not cursor.fetchone()[0]:
            pytest.skip("this Postgres has no pgvector")


@pytest.fixture
def project() -> Project:
    project = make_project()
    _set_rules(project)
    return project


def _set_rules(project: Project, **changed: Any) -> None:
    with organization_scope(project.organization_id):
        prompt_services.change_serving(actor=SYSTEM, project=project, sections={"cache": RULES | changed})


def _prompt(project: Project) -> Prompt:
    content = make_content(
        "Help {{ customer }} (order of {{ pairs }}): {{ question }}",
        variables=tuple(
            {"name": name, "type": kind, "required": False}
            for name, kind in (("customer", "text"), ("pairs", "number"), ("question", "text"))
        ),
    )
    return make_prompt(project=project, name="help", content=content, labels={"production": 1})


def _ask(project: Project, question: str, **values: Any) -> RunRequest:
    variables = {"customer": "Ada", "pairs": 1, "question": question} | values.pop("variables", {})
    return make_request(project, prompt="help", variables=variables, **values)


def _plain(project: Project, *texts: str, **values: Any) -> RunRequest:
    roles = ("user", "assistant", "user")[-len(texts) :]
    messages = tuple({"role": role, "content": text} for role, text in zip(roles, texts, strict=True))
    return make_request(project, model="sandbox/standard", messages=messages, **values)


def _execute(*requests: RunRequest) -> list[RunResult]:
    async def use(runtime: Runtime) -> list[RunResult]:
        return [await runtime.engine.execute(request) for request in requests]

    return with_runtime(use)


def _entries(project: Project) -> int:
    with organization_scope(project.organization_id):
        return CacheEntry.objects.count()


def test_find__almost_the_same_question__is_given_the_answer_with_its_distance(project: Project) -> None:
    _prompt(project)
    first, second = _execute(_ask(project, ASKED), _ask(project, ALMOST))
    assert (first.cache, first.cached_from, second.cache) == ("miss", None, "semantic_hit")
    assert (second.cached_from, second.text, second.cache_kind) == (first.run_id, first.text, "semantic")
    assert second.cache_distance is not None
    assert 0 < second.cache_distance <= 0.2
    with organization_scope(project.organization_id):
        run = Run.objects.get(pk=second.run_id)
    assert (run.cached_from, run.cache_kind, run.cache_distance) == (
        first.run_id,
        "semantic",
        second.cache_distance,
    )
    assert _entries(project) == 1


def test_find__the_embedding__is_an_attempt_with_its_usage_and_stands_in_the_cost(project: Project) -> None:
    _prompt(project)
    _, second = _execute(_ask(project, ASKED), _ask(project, ALMOST))
    with organization_scope(project.organization_id):
        run = Run.objects.get(pk=second.run_id)
    [attempt] = run.attempts
    assert (attempt["kind"], attempt["model"], attempt["error"]) == ("embedding", "sandbox/embedding", "")
    assert attempt["usage"]["input_tokens"] > 0
    assert (run.input_tokens, run.output_tokens, run.usage_origin) == (0, 0, "cache")
    assert run.price_amount == Decimal(attempt["cost"]) > 0


def test_find__where_anything_else_differs__misses(project: Project) -> None:
    _prompt(project)
    differing: list[dict[str, Any]] = [
        {"variables": {"customer": "Bob"}},  # sensitive: never across its values
        {"variables": {"pairs": 2}},  # no text
        {"overrides": {"temperature": 0.7}},
        {"model": "sandbox/fast"},
        {"livemode": False},
        {"tools": ({"type": "function", "function": {"name": "f", "parameters": {}}},)},
        {"cache": CacheWish(semantic=False)},
        {"cache": CacheWish(on=False)},
        {"source": "batch"},
        {"record_payload": False},
    ]
    results = _execute(
        _ask(project, ASKED),
        _ask(project, ALMOST, cache=CacheWish(semantic=True, threshold=0.999)),
        *(_ask(project, f"{ALMOST}!", **values) for values in differing),
    )
    assert [result.cached_from for result in results] == [None] * 12


def test_keep__where_the_call_or_its_project_says_no__keeps_nothing(project: Project) -> None:
    refusing: list[dict[str, Any]] = [
        {"cache": CacheWish(semantic=False)},
        {"cache": CacheWish(on=False)},
        {"source": "playground"},
        {"record_payload": False},
        {"overrides": {"max_tokens": 2}},
    ]
    _execute(*(_plain(project, ASKED, **values) for values in refusing))
    assert _entries(project) == 0


def test_find__of_plain_messages__compares_only_the_last_without_its_figures(project: Project) -> None:
    pairs = [
        (("It costs 30 euros to return my shoes?",), ("It costs 40 euros to return my shoes?",)),
        (("Be brief.", "All right.", ASKED), ("Be thorough.", "All right.", ALMOST)),
        ((ASKED,), ("What is the weather in Berlin?",)),
    ]
    for first, second in pairs:
        asked, other, again = _execute(
            _plain(project, *first),
            _plain(project, *second),
            _plain(project, *first[:-1], f"{first[-1]} Please"),
        )
        assert (other.cached_from, again.cached_from) == (None, asked.run_id)


def test_find__after_a_label_has_moved__does_not_know_the_old_versions_answers(project: Project) -> None:
    prompt = _prompt(project)
    _execute(_ask(project, ASKED))
    with organization_scope(project.organization_id):
        prompt_services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("{{ question }}"))
        prompt_services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)
    assert _execute(_ask(project, ALMOST))[0].cached_from is None


def test_find__in_another_project_or_organization__misses(project: Project) -> None:
    others = [make_project(organization=project.organization, name="Sibling"), make_project()]
    for each in others:
        _set_rules(each)
    results = _execute(*(_plain(each, ASKED) for each in (project, *others)))
    assert [result.cached_from for result in results] == [None, None, None]


def test_find__beyond_its_time__misses(project: Project) -> None:
    _execute(_plain(project, ASKED))
    with organization_scope(project.organization_id):
        CacheEntry.objects.update(created_at=timezone.now() - timedelta(seconds=20))
    [younger] = _execute(_plain(project, ALMOST, cache=CacheWish(seconds=10)))
    assert younger.cached_from is None
    with organization_scope(project.organization_id):
        CacheEntry.objects.update(expires_at=timezone.now())
    assert _execute(_plain(project, ALMOST))[0].cached_from is None


def test_find__what_was_tampered_with__misses_and_the_run_goes_on(project: Project) -> None:
    _execute(_plain(project, ASKED))
    with organization_scope(project.organization_id):
        CacheEntry.objects.update(sealed=b"\x01" * 60)
    [result] = _execute(_plain(project, ALMOST))
    assert (result.status, result.cache) == ("succeeded", "miss")


@pytest.mark.parametrize("model", ["nowhere/embedding", "sandbox/standard"])
def test_find__without_an_embedding__goes_on_and_keeps_nothing(model: str) -> None:
    project = make_project()
    _set_rules(project, embedding_model=model)
    results = _execute(_plain(project, ASKED), _plain(project, ALMOST))
    assert [(result.status, result.cache) for result in results] == [("succeeded", "miss")] * 2
    assert _entries(project) == 0


def test_find__without_the_extension__embeds_and_keeps_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_entries, "VECTOR", "not_there")
    results = _execute(_plain(project, ASKED), _plain(project, ALMOST))
    assert [result.cache for result in results] == ["miss", "miss"]
    assert _entries(project) == 0
    with organization_scope(project.organization_id):
        kinds = [each["kind"] for run in Run.objects.all() for each in run.attempts]
    assert kinds == ["call", "call"]


def test_keep__in_the_database__shows_no_words(project: Project) -> None:
    [result] = _execute(_plain(project, ASKED))
    with organization_scope(project.organization_id):
        [entry] = CacheEntry.objects.all()
    assert entry.run_id == result.run_id
    assert len(entry.signature) == len(entry.embedding) == 256
    assert result.text.encode() not in bytes(entry.sealed)
    assert timedelta(seconds=590) < entry.expires_at - timezone.now() < timedelta(seconds=601)


def test_keep__in_a_full_project__adds_nothing_until_the_purge(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_entries, "_ADD", cache_entries._ADD.replace("10000", "2"))
    rows = [make_cache_entry(project=project) for _ in range(2)]
    _execute(_plain(project, ASKED))
    assert _entries(project) == 2
    monkeypatch.setattr(cache_entries, "_PURGE_FULL", cache_entries._PURGE_FULL.replace("10000", "2"))
    monkeypatch.setattr(cache_entries, "_PURGE_FULL", cache_entries._PURGE_FULL.replace("9000", "1"))
    jobs.purge_cache_entries()
    with organization_scope(project.organization_id):
        assert list(CacheEntry.objects.values_list("pk", flat=True)) == [rows[1].pk]


def test_purge__takes_what_expired_and_what_may_not_be_kept(project: Project) -> None:
    past = timezone.now() - timedelta(seconds=1)
    make_cache_entry(project=project, expires_at=past)
    kept = make_cache_entry(project=project)
    silent = make_project()
    make_cache_entry(project=silent)
    with organization_scope(silent.organization_id):
        set_content_storing(actor=SYSTEM, organization=silent.organization, project=silent, stores=False)
    jobs.purge_cache_entries()
    with system_scope():
        assert list(CacheEntry.all_organizations.values_list("pk", flat=True)) == [kept.pk]


def test_stream__a_semantic_hit__is_one_piece(project: Project) -> None:
    async def use(runtime: Runtime) -> list[Any]:
        first = await runtime.engine.execute(_plain(project, ASKED))
        items = [item async for item in runtime.engine.stream(_plain(project, ALMOST))]
        return [first, *items]

    first, started, piece, result = with_runtime(use)
    assert started.cache == "semantic_hit"
    assert piece == RunDelta(first.text, cached=True)
    assert result.cached_from == first.run_id


def test_embedding_fails__log__has_the_reason_without_the_providers_words(
    fake_provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    _set_rules(project, embedding_model="local/broken")
    request = make_request(
        project, model="local/echo", variables={}, messages=({"role": "user", "content": ASKED},)
    )
    result = with_runtime(lambda runtime: runtime.engine.execute(request))
    assert result.status == "succeeded"
    [rests] = [each for each in caplog.records if each.message == "runs.semantic_cache_rests"]
    assert vars(rests)["error"] in CALL_ERRORS
