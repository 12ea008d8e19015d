"""Which defaults of its version a call goes over."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.scope import organization_scope
from apps.prompts.types import ResolvedPrompt, VersionContent
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import ChatRequest
from apps.runs.bodies import run_body
from apps.runs.inline import Asked, attributed
from apps.runs.models import Run
from apps.runs.overrides import MOST_NAMES, overrides_of
from apps.runs.runtime import Runtime
from apps.runs.types import InlinePrompt, PreparedRun, RunRequest, Target, VersionDefaults
from tests.factories import make_content, make_project, make_prompt, owner_of
from tests.runs.support import make_request, with_runtime

TONE = {"name": "tone", "type": "text", "required": False, "default": "friendly"}
COUNT = {"name": "count", "type": "number", "required": False, "default": 3}
REVIEW = {"name": "review", "type": "text", "required": True}
PARAMETERS = {"temperature": 0.2, "max_tokens": 100}


def _prepared(
    prompt: ResolvedPrompt | InlinePrompt | None, values: dict[str, Any], parameters: dict[str, Any]
) -> PreparedRun:
    request = RunRequest(
        run_id=uuid4(),
        organization_id=uuid4(),
        project_id=uuid4(),
        source="gateway",
        usage_key="k",
        variables=values,
    )
    target = Target("sandbox", "sandbox", "fast", SandboxProvider(), sandbox=True)
    chat = ChatRequest(model="fast", messages=(), parameters=parameters)
    return PreparedRun(request, prompt, target, chat, datetime.now(UTC))


def _version(*variables: dict[str, Any]) -> ResolvedPrompt:
    return ResolvedPrompt(
        uuid4(), "p", uuid4(), 1, None, "chat", (), variables, "sandbox/fast", PARAMETERS, None
    )


@pytest.mark.parametrize(
    ("values", "parameters", "expected"),
    [
        ({"review": "Bad."}, PARAMETERS, ()),
        ({"review": "Bad.", "tone": "friendly", "count": "3"}, PARAMETERS, ()),
        ({"tone": None, "count": ""}, PARAMETERS, ()),
        ({"tone": ""}, PARAMETERS, ("variable:tone",)),
        ({"tone": "stern", "count": 4, "other": 1}, PARAMETERS, ("variable:count", "variable:tone")),
        ({}, {**PARAMETERS, "temperature": 0.9, "seed": 7}, ("parameter:temperature",)),
    ],
)
def test_overrides__of_a_versions_run__are_what_differs_from_its_defaults(
    values: dict[str, Any], parameters: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert overrides_of(_prepared(_version(REVIEW, TONE, COUNT), values, parameters)) == expected


def test_overrides__of_a_run_without_a_version__are_none() -> None:
    inline = InlinePrompt(messages=(), variables=(TONE,), parameters=PARAMETERS)
    for prompt in (None, inline):
        assert overrides_of(_prepared(prompt, {"tone": "stern"}, {"temperature": 1})) == ()


def test_overrides__of_unsaved_content__are_those_of_the_version_that_it_counts_for() -> None:
    inline = InlinePrompt(
        messages=(),
        variables=({**TONE, "default": "stern"}, {**COUNT, "type": "text", "default": "many"}),
        version_defaults=VersionDefaults((TONE, COUNT), PARAMETERS),
    )
    found = overrides_of(_prepared(inline, {"count": "a few"}, {"temperature": 0.2}))
    assert found == ("parameter:max_tokens", "variable:count", "variable:tone")


def test_overrides__of_very_many_variables__are_bounded() -> None:
    many = [{"name": f"v{number:02}", "type": "text", "default": "a"} for number in range(99)]
    found = overrides_of(_prepared(_version(*many), {each["name"]: "b" for each in many}, PARAMETERS))
    assert len(found) == MOST_NAMES


@pytest.mark.django_db(transaction=True)
def test_run__with_a_variable_and_a_parameter_of_its_own__is_recorded_and_shown_with_both(
    client: Client,
) -> None:
    project = make_project()
    content = make_content("{{ review }} {{ tone }}", variables=(REVIEW, TONE), parameters=PARAMETERS)
    make_prompt(project=project, name="p", content=content, labels={"production": 1})
    given: dict[str, Any] = {
        "variables": {"review": "Bad.", "tone": "stern"},
        "overrides": {"temperature": 1.0},
    }
    requests = [make_request(project, prompt="p", **given), make_request(project, prompt="p")]

    async def run(runtime: Runtime) -> None:
        for request in requests:
            await runtime.engine.execute(request)

    with_runtime(run)
    with organization_scope(project.organization_id):
        runs = [Run.objects.get(pk=request.run_id) for request in requests]
    assert [run.overrides for run in runs] == [["parameter:temperature", "variable:tone"], []]
    assert run_body(runs[0])["overrides"] == runs[0].overrides
    client.force_login(owner_of(project.organization))
    place = (project.organization.slug, project.slug)
    pages = [
        client.get(reverse("runs:detail", args=[*place, run.public_id])).content.decode() for run in runs
    ]
    assert "parameter <code>temperature</code>, variable <code>tone</code>" in pages[0]
    assert "Overridden" not in pages[1]


@pytest.mark.django_db(transaction=True)
def test_unsaved_content__that_says_what_the_version_says__knows_its_defaults() -> None:
    project = make_project()
    content = make_content("{{ tone }}", variables=(TONE,), parameters=PARAMETERS)
    prompt = make_prompt(project=project, content=content)
    changed = VersionContent(messages=content.messages, variables=({**TONE, "default": "stern"},))
    with organization_scope(project.organization_id):
        found = attributed(project.id, Asked(changed, prompt=prompt.public_id, number=1))
        unrelated = attributed(project.id, Asked(make_content("Other"), prompt=prompt.public_id, number=1))
    assert found.version_defaults is not None
    assert found.version_defaults.parameters == PARAMETERS
    assert found.version_defaults.variables[0]["default"] == "friendly"
    assert (unrelated.version_defaults, unrelated.number) == (None, None)
