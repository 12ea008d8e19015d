"""Tools of a prompt: what may be saved, how they are told apart, and how they travel."""

from dataclasses import replace
from typing import Any

import pytest

from apps.audit.actor import SYSTEM
from apps.core.errors import Conflict, InvalidRequest
from apps.core.scope import organization_scope
from apps.prompts import queries, services
from apps.prompts.content import clean_content, content_hash
from apps.prompts.diffing import diff_versions
from apps.tenants.models import Project
from tests.factories import make_content, make_prompt

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
        "strict": True,
    },
}


def tool(**change: Any) -> dict[str, Any]:
    return {"type": "function", "function": {**WEATHER["function"], **change}}


def test_clean__tool__drops_what_says_nothing() -> None:
    content = make_content(tools=({"function": {"name": "now", "description": "", "strict": None}},))
    assert clean_content("chat", content).tools == ({"type": "function", "function": {"name": "now"}},)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"tools": (tool(name="a b"),)}, "tools.0.function.name", "tool_invalid"),
        ({"tools": (WEATHER, WEATHER)}, "tools.1.function.name", "tool_repeated"),
        ({"tools": (tool(strict="yes"),)}, "tools.0.function.strict", "tool_invalid"),
        ({"tools": (tool(description=3),)}, "tools.0.function.description", "tool_invalid"),
        ({"tools": (tool(parameters=[]),)}, "tools.0.function.parameters", "schema_invalid"),
        (
            {"tools": (tool(parameters={"type": "string"}),)},
            "tools.0.function.parameters.type",
            "tool_invalid",
        ),
        (
            {"tools": (tool(parameters={"$ref": "http://x"}),)},
            "tools.0.function.parameters",
            "schema_invalid",
        ),
        ({"tools": (tool(run="rm"),)}, "tools.0.function.run", "tool_invalid"),
        ({"tools": ({"type": "browser"},)}, "tools.0", "tool_invalid"),
        ({"tools": ("x",)}, "tools.0", "tool_invalid"),
        ({"tools": tuple(tool(name=f"t{n}") for n in range(65))}, "tools", "tool_invalid"),
        ({"tools": (tool(description="a\x00"),)}, "messages", "invalid_text"),
        ({"parameters": {"tool_choice": "auto"}}, "parameters.tool_choice", "parameter_invalid"),
        ({"parameters": {"tool_choice": {"type": "tool"}}}, "parameters.tool_choice", "parameter_invalid"),
        (
            {"parameters": {"parallel_tool_calls": "no"}},
            "parameters.parallel_tool_calls",
            "parameter_invalid",
        ),
        (
            {
                "tools": (WEATHER,),
                "parameters": {"tool_choice": {"type": "function", "function": {"name": "x"}}},
            },
            "parameters.tool_choice",
            "parameter_invalid",
        ),
    ],
)
def test_clean__bad_tool__names_its_place(change: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        clean_content("chat", replace(make_content(), **change))
    assert (caught.value.param, caught.value.code) == (param, code)


def test_clean__chosen_tool__is_a_parameter() -> None:
    parameters = {
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": False,
    }
    content = make_content(tools=(WEATHER,), parameters=parameters)
    assert clean_content("chat", content).parameters == parameters


def test_hash__no_tools__is_that_of_before_there_were_tools() -> None:
    content = clean_content("chat", make_content("Fixed text", model=""))
    assert content_hash(content) == "ad3a0fb36de967567e5862d1de71e6cea0aecc91ae49a162226bae91f8601b80"
    assert content_hash(replace(content, tools=(WEATHER,))) != content_hash(content)


def test_hash__samples__do_not_count() -> None:
    plain = clean_content("chat", make_content("{{ n }}", variables=({"name": "n", "type": "number"},)))
    sampled = make_content("{{ n }}", variables=({"name": "n", "type": "number", "sample": "7"},))
    cleaned = clean_content("chat", sampled)
    assert cleaned.variables[0]["sample"] == 7
    assert content_hash(cleaned) == content_hash(plain)


def test_diff__tools__are_a_section() -> None:
    before, after = make_content(tools=(WEATHER,)), make_content(tools=(tool(description="Elsewhere."),))
    section = diff_versions(before, after)[-1]
    assert (section.key, section.added, section.removed) == ("tools", 1, 1)


@pytest.mark.django_db
def test_publish__tools__are_stored_and_resolved(project: Project) -> None:
    prompt = make_prompt(project=project, name="weather", content=make_content(tools=(WEATHER,)))
    with organization_scope(project.organization_id):
        found = queries.resolve(project_id=project.pk, name="weather", label=None, number=1)
        assert found.tools == (WEATHER,)
        version = services.publish_version(
            actor=SYSTEM, prompt=prompt, content=make_content(tools=(tool(name="other"),))
        )
        assert version.tools[0]["function"]["name"] == "other"


@pytest.mark.django_db
def test_publish__stale__carries_the_newer_number_and_content(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2)
    with organization_scope(project.organization_id), pytest.raises(Conflict) as caught:
        services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("Mine"), base_number=1)
    assert caught.value.extra["latest_number"] == 2
    assert caught.value.extra["latest_content"]["messages"][0]["content"] == "Review 2: {{ review }}"
