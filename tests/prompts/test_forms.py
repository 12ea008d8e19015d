"""Output schema and tools as forms: nothing that a form can't show is lost, and it says so."""

from typing import Any

import pytest
from django.http import QueryDict

from apps.prompts.json_text import JSONTextProblem, read_json
from apps.prompts.schema_form import new_property, read_schema, write_schema
from apps.prompts.tool_form import new_tool, read_tools, rows_of, write_tools
from apps.prompts.web import editor_form

RICH: dict[str, Any] = {
    "$defs": {"mood": {"enum": ["good"]}},
    "type": "object",
    "required": ["mood", "gone"],
    "properties": {
        "mood": {"$ref": "#/$defs/mood"},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "All of them"},
        "size": {"type": ["number", "null"], "minimum": 0},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "odd": {"enum": [1, "a"]},
        "never": False,
        "": {"type": "string"},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema", [RICH, {}, {"type": "object"}, {"properties": {}}, {"required": [], "properties": {"a": {}}}]
)
def test_schema__read_and_written__is_the_same(schema: dict[str, Any]) -> None:
    assert write_schema(schema, read_schema(schema).properties) == schema


def test_schema__what_a_row_cannot_show__is_named() -> None:
    hidden = {row.name: row.hidden for row in read_schema(RICH).properties}
    assert hidden["tags"] == ("items",)
    assert hidden["mood"] == ("$ref",)
    assert hidden["odd"] == ("enum",)
    assert hidden["never"] == ("the whole property",)
    assert read_schema(RICH).hidden == ("$defs",)


@pytest.mark.parametrize("schema", [[], "x", {"type": "array"}, {"properties": []}, {"required": "x"}])
def test_schema__not_an_object__is_refused_in_words(schema: Any) -> None:
    assert read_schema(schema).refusal


def test_schema__row_renamed_changed_and_dropped__keeps_the_rest() -> None:
    rows = [row for row in read_schema(RICH).properties if row.name in ("mood", "tags")]
    data = QueryDict(mutable=True)
    data["schema_view"] = "form"
    data["output_schema"] = (
        '{"type":"object","required":["b"],"properties":{"a":{"minLength":1},"b":{}},"x":1}'
    )
    for name, was in (("z", "b"), ("a", "a"), ("a", "")):
        data.appendlist("schema.name", name)
        data.appendlist("schema.was", was)
        data.appendlist("schema.type", "integer" if was == "a" else "")
        data.appendlist("schema.need", "optional" if was == "a" else "required")
        data.appendlist("schema.description", "")
        data.appendlist("schema.values", "")
    text = editor_form.from_post(data, 1).typed.output_schema
    assert read_json(text) == {
        "type": "object",
        "required": ["z", "a_2"],
        "properties": {"z": {}, "a": {"minLength": 1, "type": "integer"}, "a_2": {"type": "string"}},
        "x": 1,
    }
    assert new_property(rows).name == "property"


def test_tools__read_and_written__are_the_same() -> None:
    tools = [
        {"type": "function", "function": {"name": "a", "parameters": RICH, "strict": False, "x-note": 1}},
        {"type": "function", "function": {"name": "b", "description": "", "parameters": {"type": "array"}}},
        {"type": "function", "function": {"name": "c"}, "x": 2},
    ]
    read = read_tools(tools)
    assert write_tools(tools, read.tools) == tools
    assert read.tools[0].hidden == ("x-note",)
    assert read.tools[1].parameters.refusal
    assert rows_of(read.tools[2]) == ()


def test_tools__new_one__gets_a_free_name_and_refusals_are_told() -> None:
    first = new_tool(())
    assert (first.name, new_tool((first,)).name) == ("tool_1", "tool_2")
    assert write_tools(None, (first,)) == [{"type": "function", "function": {"name": "tool_1"}}]
    assert write_tools([{}], ()) is None
    assert read_tools({"a": 1}).refusal
    assert read_tools([{"type": "web_search"}]).refusal


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1,\n "b" 2}', 2, 6),
        ("[1, 2", 1, 6),
        ('{"a": 1,\n "a": 2}', 2, 2),
        ('{"a": NaN}', 1, 7),
        ("[" * 100_000, 1, 1),
    ],
)
def test_json__broken__names_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(JSONTextProblem) as caught:
        read_json(text)
    assert (caught.value.line, caught.value.column) == (line, column)
