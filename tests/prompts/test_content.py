"""What a version may hold: names, models, parameters, schemas, and the hash that tells contents apart."""

import time
from dataclasses import replace
from typing import Any

import pytest

from apps.core.errors import InvalidRequest
from apps.prompts.content import clean_content, content_hash
from apps.prompts.hints import read_templates, resembles
from apps.prompts.names import check_label, clean_prompt_name
from apps.prompts.snippets import curl_call, python_call
from apps.prompts.types import VersionContent
from tests.factories import make_content


def refusal(**change: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        clean_content("chat", replace(make_content(), **change))
    return caught.value


def test_clean__declared_variable__keeps_type_and_default_and_found_ones_are_added() -> None:
    content = make_content("{{ a }} {{ b }}", variables=({"name": "b", "type": "number", "default": "7"},))
    assert clean_content("chat", content).variables == (
        {"name": "b", "type": "number", "required": False, "default": 7},
        {"name": "a", "type": "text", "required": True},
    )


def test_clean__equal_settings_written_differently__have_one_hash() -> None:
    one = clean_content("chat", make_content("a\r\nb", parameters={"temperature": 1.0, "seed": None}))
    other = clean_content("chat", make_content("a\nb", parameters={"temperature": 1}))
    assert content_hash(one) == content_hash(other)


def test_hash__any_part_changed__differs() -> None:
    base = clean_content("chat", make_content())
    changed = [
        replace(base, model="sandbox/fast"),
        replace(base, parameters={"temperature": 0.1}),
        replace(base, output_schema={"type": "object"}),
        replace(base, variables=()),
        replace(base, messages=({"role": "system", "content": base.messages[0]["content"]},)),
    ]
    assert len({content_hash(each) for each in [base, *changed]}) == 6


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messages": ({"role": "user", "content": 3},)}, "content_invalid"),
        ({"messages": ({"role": "user", "content": "a\x00"},)}, "content_invalid"),
        ({"messages": ({"role": "user", "content": "half \ud800"},)}, "content_invalid"),
        ({"messages": ({"role": "user", "content": "x"},) * 51}, "invalid_request"),
        ({"messages": ({"role": "user", "content": "x" * 90_000},) * 6}, "content_too_large"),
        ({"variables": ({"name": "a"}, {"name": "a"})}, "variable_repeated"),
        ({"variables": ({"name": "a b"},)}, "name_invalid"),
        ({"variables": ({"name": "a", "type": "date"},)}, "type_invalid"),
        ({"model": "Sandbox standard"}, "model_invalid"),
        ({"parameters": {"stop": []}}, "parameter_invalid"),
        ({"parameters": {"max_tokens": True}}, "parameter_invalid"),
        ({"parameters": {"temperature": float("nan")}}, "parameter_invalid"),
        ({"output_schema": {"$id": "http://example.com"}}, "schema_invalid"),
        ({"output_schema": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}}, "schema_invalid"),
        ({"output_schema": {"pattern": "(a+)+$(?=b)"}}, "schema_invalid"),
        ({"output_schema": {"enum": ["x" * 70_000]}}, "schema_invalid"),
    ],
)
def test_clean__not_allowed__has_a_code(change: dict[str, Any], code: str) -> None:
    assert refusal(**change).code == code


def test_clean__schema_with_inner_reference__is_allowed() -> None:
    schema = {"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    assert clean_content("chat", replace(make_content(), output_schema=schema)).output_schema == schema


@pytest.mark.parametrize("name", ["reply", "support/de/reply", "Größe 2", "a.b-c_d", "x" * 255])
def test_name__allowed__is_kept(name: str) -> None:
    assert clean_prompt_name(f" {name} ") == name


FORBIDDEN_CHARACTERS = ["a|b", "a@b", "a#1", "a?b", "a%2Fb", "a\\b", "a\nb", "a\u200bb", "a:b"]
BAD_SEGMENTS = ["/a", "a/", "a//b", "a/ b", "..", "a/../b", "labels", "a/Versions", "run/b"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 256,
        "prm_01m7yb17gyf1w96npr7ws57xgy",
        *FORBIDDEN_CHARACTERS,
        *BAD_SEGMENTS,
    ],
)
def test_name__not_allowed__is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        clean_prompt_name(name)
    assert (caught.value.code, caught.value.param) == ("name_invalid", "name")


@pytest.mark.parametrize("label", ["production", "a", "v1.2_b-c", "0", "a" * 36])
def test_label__allowed__passes(label: str) -> None:
    assert check_label(label) == label


def hints(*contents: str, declared: tuple[str, ...] = ()) -> list[str]:
    found = read_templates(contents, [{"name": name} for name in declared])
    return [hint.text for hint in found.hints]


def test_hints__undefined_unused_and_single_braces__are_told_with_their_place() -> None:
    texts = ["{{ agent_name }}\n {customer}", "{% if x %}{{ agent_nmae }}{% endif %}"]
    reading = read_templates(texts, [{"name": "agent_name"}, {"name": "old"}, {"name": "x"}])
    assert [(hint.message, hint.line, hint.column, hint.text) for hint in reading.hints] == [
        (0, 2, 2, "{customer} is plain text. A variable has two braces: {{ customer }}."),
        (1, 1, 14, "agent_nmae is not defined. Did you mean agent_name?"),
        (None, 0, 0, "old is defined and never used."),
    ]


@pytest.mark.parametrize(
    ("name", "other", "near"),
    [
        ("agent_name", "agent_nmae", True),
        ("nmae", "name", True),
        ("same", "name", False),
        ("userName", "user_name", True),
        ("Tone", "tone", True),
        ("note", "notes", True),
        ("item_1", "item_2", False),
        ("to", "of", False),
        ("city", "country", False),
    ],
)
def test_resembles__slips_of_the_pen__are_told_from_other_words(name: str, other: str, near: bool) -> None:
    assert resembles(name, other) is near
    assert resembles(other, name) is near


def test_hints__closing_braces_without_opening_ones__are_told_beside_good_tags() -> None:
    assert [
        (hint.line, hint.column) for hint in read_templates(["{{ a }}\nb }} c"], [{"name": "a"}]).hints
    ] == [(2, 3)]
    assert read_templates(['{"a": {"b": "{{ a }}"}}'], [{"name": "a"}]).hints == ()


@pytest.mark.parametrize(
    "text", ['Answer as {"a": 1}', "css {color}"[:3], "{{ a }}", "f(${x})", "{{ '{a}' }} {}"]
)
def test_hints__braces_that_are_meant__are_left_alone(text: str) -> None:
    assert [hint for hint in hints(text) if "plain text" in hint] == []


def test_hints__broken_template__hides_unused_remarks_and_forbids_saving() -> None:
    reading = read_templates(["{{ a", "{{ b }}"], [{"name": "c"}])
    assert not reading.savable
    assert [(hint.level, hint.name) for hint in reading.hints] == [("bad", ""), ("warn", "b")]
    assert [variable.name for variable in reading.variables] == ["b"]


def test_snippets__quotes_in_names__cannot_leave_the_shell_word() -> None:
    variables = ({"name": "a", "type": "text", "required": True},)
    text = curl_call("https://example.com", "it's@production", variables)
    assert "it'\\''s@production" in text
    assert '"a": "…"' in text
    compile(python_call("https://example.com", "it's@production", variables), "snippet", "exec")


def test_clean__version_content__is_the_type_that_services_take() -> None:
    assert isinstance(clean_content("chat", make_content()), VersionContent)


def test_clean_content__thousands_of_names_on_a_line__is_refused_in_time() -> None:
    text = "".join(f"{{{{ v{number} }}}}" for number in range(9_000))
    started = time.process_time()
    with pytest.raises(InvalidRequest, match="at most 100 variables"):
        clean_content("chat", VersionContent(messages=({"role": "user", "content": text},)))
    assert time.process_time() - started < 3
