"""Templates: what is found, what is refused and where, what comes out, and within which bounds."""

import contextlib
import json
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidRequest
from apps.prompts.rendering import TemplateProblem, check_template, render, unknown_names
from apps.prompts.rendering.machine import MAX_OUTPUT_CHARACTERS
from tests.prompts.template_probes import BOUNDED, REFUSED


def variable(name: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, **more}


def render_one(template: str, variables: list[dict[str, Any]], values: dict[str, Any]) -> str:
    return str(render([{"role": "user", "content": template}], variables, values)[0]["content"])


def render_json(template: str, **values: Any) -> str:
    return render_one(template, [variable(name, "json", required=False) for name in values], values)


def problem_of(template: str) -> TemplateProblem:
    with pytest.raises(TemplateProblem) as caught:
        check_template(template)
    return caught.value


def places(template: str) -> list[tuple[str, int, int]]:
    return [(found.name, found.line, found.column) for found in check_template(template)]


def test_check__names_in_output_conditions_and_loops__are_found_with_their_place() -> None:
    template = (
        "Hi {{ name }}\n{% if plan == 'gold' and not blocked %}x{% endif %}\n"
        "{% for n in notes %}{{ n }}{% endfor %}"
    )
    assert places(template) == [("name", 1, 7), ("plan", 2, 7), ("blocked", 2, 30), ("notes", 3, 13)]


@pytest.mark.parametrize("template", ["{{ a }}", "x\r\n{{a}}}} {{\t a  }}{ {{ a }}\n", "{{ a }}{{ a }}"])
@pytest.mark.parametrize(
    "value",
    [
        "<é>\r\n",
        "{{ a }}",
        "",
        12,
        2**70,
        -(2**63),
        1.5,
        -0.0,
        5.0,
        1e22,
        True,
        {"k": [1, "z", None, 2.0]},
        [],
    ],
)
def test_render__template_that_only_puts_out__reads_as_on_the_engine(template: str, value: Any) -> None:
    declared = [variable("a", "text" if isinstance(value, str) else "json")]
    on_engine = render_one(template + "{% if false %}{% endif %}", declared, {"a": value})
    assert render_one(template, declared, {"a": value}) == on_engine


def test_check__loop_values__are_not_variables_outside_their_loop_they_are() -> None:
    template = "{% for n in notes %}{{ n }}{{ loop.index }}{% else %}{{ n }}{% endfor %}"
    assert [name for name, _, _ in places(template)] == ["notes", "n"]


@pytest.mark.parametrize(
    ("template", "structured"),
    [
        ("{{ a }} {% if a %}x{% endif %} {{ a|upper }} {{ a[0] }}", False),
        ("{% for x in a %}{{ x }}{% endfor %}", True),
        ("{% for key, value in a|items %}{{ key }}{% endfor %}", True),
        ("{{ a }}{{ a.name }}", True),
        ("{{ a['name'] }}", True),
        ("{% for a in b %}{{ a.name }}{% endfor %}{{ a }}", False),
    ],
)
def test_check__loop_or_field__tells_that_a_variable_is_no_plain_text(
    template: str, structured: bool
) -> None:
    found = {variable.name: variable for variable in check_template(template)}
    assert found["a"].structured is structured
    assert found["a"].likely_type == ("json" if structured else "text")


def test_check__key_and_value_of_a_loop__are_not_variables() -> None:
    assert [name for name, _, _ in places("{% for k, v in order|items %}{{ k }}={{ v }}{% endfor %}")] == [
        "order"
    ]


def test_check__crlf_and_tabs__do_not_shift_places() -> None:
    assert places("a\r\n\tb {{ x }}\r\n{{ y }}") == [("x", 2, 7), ("y", 3, 4)]


@pytest.mark.parametrize(
    ("template", "line", "column", "part"),
    [
        ("ok\n  {{ a + 1 }}", 2, 8, "Arithmetic"),
        ("{% set x = 1 %}", 1, 4, "set"),
        ("\n\n{{ name", 3, 1, "end of template"),
        ("text {{ name }", 1, 6, "Unexpected"),
        ("{{ x|shout }}", 1, 6, "There is no filter “shout”"),
        ("{{ x }} {{ y.__class__ }}", 1, 14, "__class__"),
    ],
)
def test_check__forbidden_or_broken__names_line_and_column(
    template: str, line: int, column: int, part: str
) -> None:
    problem = problem_of(template)
    assert (problem.line, problem.column) == (line, column)
    assert part in problem.message


def test_check__several_problems__are_all_told() -> None:
    assert len(problem_of("{{ a ~ b }}\n{{ c() }}\n{% include 'x' %}").problems) == 3


@pytest.mark.parametrize("template", REFUSED, ids=range(len(REFUSED)))
def test_check__hostile_template__is_refused(template: str) -> None:
    problem_of(template)


def test_render__hostile_templates_under_a_memory_limit__stay_within_time_and_memory() -> None:
    command = [sys.executable, "-m", "tests.prompts.template_probes"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    results = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(results) == len(REFUSED) + len(BOUNDED)
    assert [each["number"] for each in results[: len(REFUSED)] if each["outcome"] != "refused"] == []
    assert [each for each in results if each["seconds"] > 3] == []
    bounded = [str(each["outcome"]) for each in results[len(REFUSED) :]]
    assert [outcome for outcome in bounded if "object at" in outcome or "built-in" in outcome] == []


def test_render__values_that_look_like_templates__are_put_in_as_they_are() -> None:
    evil = "{{ secret }}{% for i in x %}{# #}"
    assert render_one("[{{ a }}]", [variable("a")], {"a": evil}) == f"[{evil}]"


def test_render__html_and_quotes__are_not_escaped() -> None:
    assert render_one("{{ a }}", [variable("a")], {"a": "<b>&'\""}) == "<b>&'\""


def test_render__trailing_newline_and_blanks__are_kept() -> None:
    assert render_one(" a \n{{ x }}\n", [variable("x")], {"x": " b "}) == " a \n b \n"


def test_render__json_data__is_walked_and_looped() -> None:
    template = "{% for i in order.lines %}{{ loop.index }}. {{ i.name|upper }} {{ i['n'] }}\n{% endfor %}"
    order = {"lines": [{"name": "pen", "n": 2}, {"name": "ink", "n": 1.5}]}
    assert render_json(template, order=order) == "1. PEN 2\n2. INK 1.5\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, ""),
        (3, "3"),
        (2.5, "2.5"),
        (2**70, str(2**70)),
        ([1, "a", None], '[1,"a",null]'),
        ({"ä": 1}, '{"ä":1}'),
    ],
)
def test_render__value_that_is_not_text__reads_as_json(value: Any, text: str) -> None:
    assert render_json("{{ x.v }}", x={"v": value}) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ x.missing|default('none') }}", "none"),
        ("{% if x.missing %}a{% else %}b{% endif %}", "b"),
        ("{{ x.missing is defined }}", "false"),
        ("{{ x.tags|join(', ') }}", "a, b"),
        ("{{ x.tags|length }}{{ x.tags|first }}{{ x.tags|last }}", "2ab"),
        ("{{ x.name|replace('a', 'o')|title }}", "Dono"),
        ("{{ x.name|truncate(3) }}", "Da…"),
        ("{{ x.tags|tojson }}", '["a","b"]'),
        ("{{ 'yes' if 'a' in x.tags else 'no' }}", "yes"),
        ("{{ x.n|round(1) }}", "2.3"),
        ("{{ '{{' }} literal", "{{ literal"),
        ("{# a comment #}{{- x.name -}}  !", "Dana!"),
    ],
)
def test_render__filters_and_tests__do_what_they_say(template: str, text: str) -> None:
    assert render_json(template, x={"name": "Dana", "tags": ["a", "b"], "n": 2.345}) == text


def test_render__required_variable_absent__names_it() -> None:
    with pytest.raises(InvalidRequest) as caught:
        render_one("{{ customer_name }}", [variable("customer_name")], {})
    assert (caught.value.code, caught.value.param) == ("variable_missing", "variables.customer_name")


def test_render__field_of_a_value_absent__names_expression_variable_and_line() -> None:
    with pytest.raises(InvalidRequest) as caught:
        render_json("a\n{{ order.id }}", order={})
    assert (caught.value.code, caught.value.param) == ("variable_missing", "variables.order")
    assert "'order.id'" in caught.value.message
    assert "line 2" in caught.value.message


def test_render__default_and_optional__stand_in_for_what_is_absent() -> None:
    variables = [variable("a", default="x"), variable("b", required=False)]
    assert render_one("{{ a }}{% if b %}!{% endif %}{{ b }}", variables, {}) == "x"


def test_render__unknown_values__are_ignored_and_can_be_told() -> None:
    variables = [variable("a")]
    values = {"a": "1", "row": "7", "b": None}
    assert render_one("{{ a }}", variables, values) == "1"
    assert unknown_names(variables, values) == ("row", "b")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("number", "12", "12"),
        ("number", " 1.50 ", "1.5"),
        ("number", 3, "3"),
        ("boolean", "TRUE", "true"),
        ("boolean", "0", "false"),
        ("boolean", False, "false"),
        ("json", '{"a": [1]}', '{"a":[1]}'),
        ("json", {"a": 1}, '{"a":1}'),
        ("text", 12, "12"),
        ("text", True, "true"),
        ("text", "", ""),
    ],
)
def test_render__value_of_a_type__is_converted(kind: str, value: Any, text: str) -> None:
    assert render_one("{{ x }}", [variable("x", kind)], {"x": value}) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "twelve"),
        ("number", "nan"),
        ("number", True),
        ("number", "1_000"),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("json", "{broken"),
        ("json", {1: 2}),
        ("json", float("inf")),
        ("text", ["a"]),
        ("text", "a\x00b"),
        ("text", "half \ud800"),
    ],
)
def test_render__value_of_the_wrong_type__is_refused_by_name(kind: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        render_one("{{ x }}", [variable("x", kind)], {"x": value})
    assert (caught.value.code, caught.value.param) == ("variable_invalid", "variables.x")


def test_render__empty_text_for_a_number__counts_as_absent() -> None:
    assert render_one("{{ x }}", [variable("x", "number", default=7)], {"x": " "}) == "7"


def test_render__nested_json_too_deep__is_refused() -> None:
    deep: Any = None
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="levels deep"):
        render_json("{{ x }}", x=deep)


def test_render__more_than_the_cap_over_all_messages__is_refused() -> None:
    message = {"role": "user", "content": "{{ x }}"}
    with pytest.raises(InvalidRequest) as caught:
        render([message] * 3, [variable("x")], {"x": "a" * (MAX_OUTPUT_CHARACTERS // 2)})
    assert caught.value.code == "rendered_too_large"
    assert caught.value.param == "messages.2"


def test_render__exactly_the_cap__passes() -> None:
    assert (
        len(render_one("{{ x }}", [variable("x")], {"x": "a" * MAX_OUTPUT_CHARACTERS}))
        == MAX_OUTPUT_CHARACTERS
    )


def test_render__stored_template_that_is_no_longer_allowed__is_refused_not_run() -> None:
    with pytest.raises(InvalidRequest) as caught:
        render_one("{{ 'a' * 99 }}", [], {})
    assert caught.value.code == "template_invalid"


def test_render__same_template_in_many_threads__gives_each_its_own_values() -> None:
    template = "{% for i in x %}{{ i }}{% endfor %}"
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(50):
            text = render_json(template, x=[number] * 40)
            if text != str(number) * 40:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


WORDS = (
    "{{ }} {% %} {# #} x y if endif for in endfor else . | upper ' \" [ ] 0 - not and == raw endraw ~ * set"
)
ALPHABET = st.sampled_from([*WORDS.split(), " ", "\n", "\u00a0"])


@given(st.lists(ALPHABET, max_size=30).map("".join), st.text(max_size=20))
def test_check_and_render__any_text__ends_in_text_or_in_a_refusal(template: str, value: str) -> None:
    try:
        names = [found.name for found in check_template(template)]
    except TemplateProblem:
        return
    variables = [variable(name, required=False) for name in names]
    with contextlib.suppress(InvalidRequest):
        render_one(template, variables, dict.fromkeys(names, value))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00{")))
def test_render__text_without_tags__is_unchanged(text: str) -> None:
    assert render_one(text, [], {}) == text
