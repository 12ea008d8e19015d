"""How prompts and projects are served: what a policy may say, who it holds for, who heard of it."""

from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import Change, OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.prompts import queries, services
from apps.prompts.models import Prompt, ServingPolicy
from apps.prompts.serving import (
    DEFAULT,
    SECTIONS,
    SERVING_CHANGED,
    CacheRules,
    CallRules,
    LimitRules,
    Section,
    clean_section,
    parse_rules,
)
from apps.prompts.serving_state import serving_state
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt
from tests.prompts.test_api import Api

REFUSED: tuple[tuple[Section, Any, str], ...] = (
    ("cache", [], "cache"),
    ("cache", "off", "cache"),
    ("cache", {"ttl": 5}, "cache.ttl"),
    ("cache", {"exact_seconds": -1}, "cache.exact_seconds"),
    ("cache", {"exact_seconds": 86_401}, "cache.exact_seconds"),
    ("cache", {"exact_seconds": True}, "cache.exact_seconds"),
    ("cache", {"exact_seconds": "60"}, "cache.exact_seconds"),
    ("cache", {"exact_seconds": 1.5}, "cache.exact_seconds"),
    ("cache", {"exact_seconds": float("inf")}, "cache.exact_seconds"),
    ("cache", {"threshold": 0.49}, "cache.threshold"),
    ("cache", {"threshold": float("nan")}, "cache.threshold"),
    ("cache", {"threshold": 10**400}, "cache.threshold"),
    ("cache", {"semantic_seconds": 60}, "cache.embedding_model"),
    ("cache", {"embedding_model": "no-connection"}, "cache.embedding_model"),
    ("cache", {"embedding_model": "a/b c"}, "cache.embedding_model"),
    ("cache", {"sensitive_variables": "name"}, "cache.sensitive_variables"),
    ("cache", {"sensitive_variables": ["good", "not good"]}, "cache.sensitive_variables.1"),
    ("cache", {"sensitive_variables": [None]}, "cache.sensitive_variables.0"),
    ("calls", {"fallbacks": ["a/b", ""]}, "calls.fallbacks.1"),
    ("calls", {"fallbacks": ["a/b", "a/b"]}, "calls.fallbacks"),
    ("calls", {"fallbacks": [f"a/{number}" for number in range(6)]}, "calls.fallbacks"),
    ("calls", {"fallbacks": ["a/" + "b" * 254]}, "calls.fallbacks.0"),
    ("calls", {"retries": 6}, "calls.retries"),
    ("calls", {"timeout_seconds": 0.5}, "calls.timeout_seconds"),
    ("calls", {"timeout_seconds": 601}, "calls.timeout_seconds"),
    ("calls", {"repair_attempts": 3}, "calls.repair_attempts"),
    ("limits", {"requests_per_minute": 0}, "limits.requests_per_minute"),
    ("limits", {"concurrent_runs": 10**12}, "limits.concurrent_runs"),
    ("limits", {"per_second": 3}, "limits.per_second"),
    ("calls", {"fallbacks": ["a/\x00b"]}, "calls.fallbacks.0"),
    ("calls", {"fallbacks": ["a/\ud800"]}, "calls"),
)


@pytest.mark.parametrize(("section", "value", "param"), REFUSED)
def test_section__that_cannot_be__names_the_field(section: Section, value: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        clean_section(section, value)
    assert refusal.value.param == param


def test_section__is_stored_as_given_without_nulls() -> None:
    given = {"requests_per_minute": 60, "tokens_per_minute": None}
    assert clean_section("limits", given) == {"requests_per_minute": 60}
    assert clean_section("cache", {}) == {}


def test_rules__of_layers__take_the_first_that_speaks_as_a_whole() -> None:
    own: dict[Section, Any] = {"cache": {"exact_seconds": 60}, "calls": None}
    project: dict[Section, Any] = {
        "cache": {"exact_seconds": 5, "threshold": 0.8},
        "calls": {"retries": 0, "fallbacks": ["fast", "openai/gpt-5"]},
        "limits": {"concurrent_runs": 4},
    }
    rules = parse_rules(own, project)
    assert rules.cache == CacheRules(exact_seconds=60)
    assert rules.calls == CallRules(retries=0, fallbacks=("fast", "openai/gpt-5"))
    assert rules.limits == LimitRules(concurrent_runs=4)
    assert parse_rules({"cache": {}}, project).cache == CacheRules()
    assert parse_rules() == DEFAULT


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project=project, labels={"production": 1})


def change(
    project: Project, prompt: Prompt | None = None, revision: int | None = None, **sections: Any
) -> Any:
    with organization_scope(project.organization_id):
        return services.change_serving(
            actor=SYSTEM,
            project=project,
            prompt=prompt,
            sections=sections,  # type: ignore[arg-type]
            revision=revision,
        )


def test_change__of_a_prompt__holds_for_it_alone_and_is_told(project: Project, prompt: Prompt) -> None:
    other = make_prompt(project=project)
    change(project, calls={"retries": 1})
    policy = change(project, prompt, calls={"retries": 4}, limits={"concurrent_runs": 3})
    assert policy.revision == 1
    with organization_scope(project.organization_id):
        assert queries.serving_rules(project.pk, prompt.pk).calls.retries == 4
        assert queries.serving_rules(project.pk, other.pk).calls.retries == 1
        assert queries.serving_rules(project.pk).limits == LimitRules()
        resolved = queries.resolve(project_id=project.pk, name=prompt.name, label=None, number=None)
        assert resolved.serving.limits.concurrent_runs == 3
    with system_scope():
        told = Change.objects.filter(kind__in=["prompt", SERVING_CHANGED]).order_by("-id")[:2]
        assert {(each.kind, each.key) for each in told} == {
            ("prompt", str(prompt.pk)),
            (SERVING_CHANGED, str(project.pk)),
        }
        event = AuditEvent.all_organizations.filter(
            action="serving.changed", object_id=prompt.public_id
        ).get()
        assert event.changes == {
            "calls": ["inherited", "own"],
            "calls.retries": [None, 4],
            "limits": ["inherited", "own"],
            "limits.concurrent_runs": [None, 3],
        }
        message = OutboxMessage.objects.filter(topic="prompt.serving.changed").order_by("-id").first()
        assert message is not None
        assert message.payload["prompt"] == prompt.name
        assert sorted(message.payload["sections"]) == ["calls", "limits"]


def test_change__that_changes_nothing__leaves_no_trace(project: Project, prompt: Prompt) -> None:
    change(project, prompt, cache={"exact_seconds": 60})
    again = change(project, prompt, cache={"exact_seconds": 60})
    assert again.revision == 1
    with system_scope():
        assert AuditEvent.all_organizations.filter(action="serving.changed").count() == 1


def test_change__of_an_older_revision__is_refused(project: Project, prompt: Prompt) -> None:
    change(project, prompt, revision=0, cache={"exact_seconds": 60})
    with pytest.raises(Conflict) as refusal:
        change(project, prompt, revision=0, cache={"exact_seconds": 90})
    assert (refusal.value.code, refusal.value.extra) == ("serving_stale", {"revision": 1})
    assert change(project, prompt, revision=1, cache={"exact_seconds": 90}).revision == 2


def test_reset__of_a_section__is_the_projects_again(project: Project, prompt: Prompt) -> None:
    change(project, cache={"exact_seconds": 5})
    change(project, prompt, cache={})
    with organization_scope(project.organization_id):
        assert serving_state(project, prompt).effective["cache"]["exact_seconds"] == 0
    change(project, prompt, cache=None)
    with organization_scope(project.organization_id):
        state = serving_state(project, prompt)
        assert (state.effective["cache"]["exact_seconds"], state.origins["cache"]) == (5, "project")
        assert ServingPolicy.objects.filter(prompt=prompt).count() == 1


def test_state__with_models_and_variables_that_are_not_there__warns(project: Project) -> None:
    prompt = make_prompt(project=project, content=make_content("{{ review }}"))
    change(
        project,
        prompt,
        calls={"fallbacks": ["nowhere/gpt", "fast", "sandbox/fast"]},
        cache={
            "semantic_seconds": 60,
            "embedding_model": "nowhere/embed",
            "sensitive_variables": ["review", "nmae"],
        },
        guardrails={"spotlight": {"variables": ["mial"]}, "judge": {"model": "nowhere/judge"}},
    )
    with organization_scope(project.organization_id):
        params = {each.param for each in serving_state(project, prompt).warnings}
    assert params - {"cache.semantic_seconds"} == {
        "calls.fallbacks.0",
        "calls.fallbacks.1",
        "calls.fallbacks.2",
        "cache.embedding_model",
        "cache.sensitive_variables.1",
        "guardrails.judge.model",
        "guardrails.spotlight.variables.0",
    }


def test_api__reads_changes_and_resets_a_policy(project: Project, prompt: Prompt) -> None:
    api, path = Api(project), f"prompts/{prompt.name}/serving"
    status, body = api.get(path)
    assert (status, body["revision"], body["cache"], body["prompt"]) == (200, 0, None, prompt.name)
    assert body["origins"] == dict.fromkeys(SECTIONS, "default")
    status, body = api.send("PATCH", path, {"revision": 0, "cache": {"exact_seconds": 60}})
    assert (status, body["revision"], body["cache"]) == (200, 1, {"exact_seconds": 60})
    assert body["effective"]["cache"]["threshold"] == 0.95
    status, body = api.send("PATCH", path, {"revision": 0, "cache": None})
    assert (status, body["error"]["code"], body["error"]["revision"]) == (409, "serving_stale", 1)
    status, body = api.send("PATCH", path, {"cache": None})
    assert (status, body["cache"], body["origins"]["cache"]) == (200, None, "default")


def test_api__of_the_project__holds_for_prompts_without_their_own(project: Project, prompt: Prompt) -> None:
    api = Api(project)
    status, body = api.send("PATCH", "serving_policy", {"limits": {"requests_per_minute": 60}})
    assert (status, body["prompt"], body["origins"]["limits"]) == (200, None, "project")
    _, body = api.get(f"prompts/{prompt.name}/serving")
    assert body["effective"]["limits"]["requests_per_minute"] == 60
    assert (body["limits"], body["origins"]["limits"]) == (None, "project")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"caches": {}}, "caches"),
        ({"revision": "1"}, "revision"),
        ({"cache": {"threshold": 2}}, "cache.threshold"),
        ({"calls": 5}, "calls"),
    ],
)
def test_api__with_a_bad_body__names_the_field(project: Project, body: Any, param: str | None) -> None:
    status, answer = Api(project).send("PATCH", "serving_policy", body)
    assert (status, answer["error"]["param"]) == (400, param)
