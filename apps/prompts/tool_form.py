"""Tools as forms, and back without loss. Pure; see ``schema_form`` for the parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.prompts.schema_form import Property, SchemaForm, read_schema, write_schema

_SHOWN: Final = frozenset({"name", "description", "parameters", "strict"})


@dataclass(frozen=True, slots=True)
class ToolForm:
    """One tool. `was` is its place in the list that the form was made from, None for a new one.

    `strict` is "true", "false" or empty where the tool doesn't say.
    """

    name: str
    was: int | None = None
    description: str = ""
    strict: str = ""
    parameters: SchemaForm = field(default_factory=SchemaForm)
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolForms:
    """All tools as forms; or, when `refusal` is not empty, why they can only be edited as JSON."""

    tools: tuple[ToolForm, ...] = ()
    refusal: str = ""


def read_tools(tools: Any) -> ToolForms:
    """A list of tools in OpenAI's form as forms; None is an empty list."""
    if tools is None:
        return ToolForms()
    if not isinstance(tools, list):
        return ToolForms(refusal="Tools are a list; this is another JSON value.")
    forms = [_read(number, tool) for number, tool in enumerate(tools)]
    if any(form is None for form in forms):
        return ToolForms(refusal="One of the tools is not a function in OpenAI's form.")
    return ToolForms(tuple(form for form in forms if form is not None))


def write_tools(tools: Any, forms: Sequence[ToolForm]) -> list[Any] | None:
    """The tools with what the forms say; what a form doesn't show stays. No forms give None."""
    before = tools if isinstance(tools, list) else []
    written = [_write(_before(before, form.was), form) for form in forms]
    return written or None


def new_tool(forms: Sequence[ToolForm]) -> ToolForm:
    """A tool to begin with, under a name that is free."""
    names = {form.name for form in forms}
    number = next(number for number in range(1, len(names) + 2) if f"tool_{number}" not in names)
    return ToolForm(f"tool_{number}")


def rows_of(form: ToolForm) -> tuple[Property, ...]:
    """The rows of a tool's parameters."""
    return form.parameters.properties


def _read(number: int, tool: Any) -> ToolForm | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return None
    name, description = function.get("name", ""), function.get("description", "")
    if not isinstance(name, str) or not isinstance(description, str):
        return None
    strict = {True: "true", False: "false"}.get(function["strict"], "") if _says_strict(function) else ""
    hidden = [key for key in function if key not in _SHOWN] + [
        key for key in tool if key not in ("type", "function")
    ]
    return ToolForm(name, number, description, strict, read_schema(function.get("parameters")), tuple(hidden))


def _says_strict(function: dict[str, Any]) -> bool:
    return isinstance(function.get("strict"), bool)


def _before(tools: list[Any], was: int | None) -> dict[str, Any]:
    found = tools[was] if was is not None and 0 <= was < len(tools) else None
    return found if isinstance(found, dict) else {"type": "function", "function": {}}


def _write(tool: dict[str, Any], form: ToolForm) -> dict[str, Any]:
    function = dict(tool.get("function") or {})
    function["name"] = form.name
    if form.description or "description" in function:
        function["description"] = form.description
    if form.strict:
        function["strict"] = form.strict == "true"
    elif _says_strict(function):
        del function["strict"]
    if not form.parameters.refusal:
        schema = write_schema(function.get("parameters"), rows_of(form))
        if schema is not None:
            function["parameters"] = schema
    return {**tool, "function": function}
