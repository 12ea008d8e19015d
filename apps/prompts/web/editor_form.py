"""The editor's form as a request brings it, and what its buttons do to it.

JSON fields come in one of two views. In the raw view the text counts; in the form view the rows count, laid
over the text that they were made from, so that what a row can't show is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.http import QueryDict

from apps.core.numbers import whole_number
from apps.prompts.content import MAX_MESSAGES, MAX_VARIABLES
from apps.prompts.drafting import PARAMETERS, TypedPrompt, TypedVariable
from apps.prompts.json_text import JSONTextProblem, pretty, read_json
from apps.prompts.schema_form import Property, new_property, read_schema, write_schema
from apps.prompts.tool_form import ToolForm, new_tool, read_tools, rows_of, write_tools
from apps.prompts.tools import MAX_TOOLS

FORM: Final = "form"
RAW: Final = "raw"
MAX_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class EditorForm:
    """What was typed, what it began from, and how it is looked at.

    `dataset` and `row` name the row that fills the preview; without a dataset the samples do.
    """

    typed: TypedPrompt
    base_number: int
    revision: int = 0
    schema_view: str = FORM
    tools_view: str = FORM
    dataset: str = ""
    row: int = 1


def from_post(data: QueryDict, base_number: int) -> EditorForm:
    """The form as it was sent; lists of different length are cut to the shortest."""
    contents = (_lines(content) for content in data.getlist("content"))
    typed = TypedPrompt(
        messages=tuple(zip(data.getlist("role"), contents, strict=False))[:MAX_MESSAGES],
        variables=tuple(_variables(data))[:MAX_VARIABLES],
        model=data.get("model", ""),
        parameters={name: _lines(data.get(name, "")) for name in PARAMETERS if data.get(name, "").strip()},
        output_schema=_schema_text(data),
        tools=_tools_text(data),
    )
    return EditorForm(
        typed=typed,
        base_number=whole_number(data.get("base_number", "")) or base_number,
        revision=whole_number(data.get("revision", "")) or 0,
        schema_view=RAW if data.get("schema_view") == RAW else FORM,
        tools_view=RAW if data.get("tools_view") == RAW else FORM,
        dataset=data.get("dataset", ""),
        row=max(whole_number(data.get("row", "")) or 1, 1),
    )


def changed(form: EditorForm, action: str) -> EditorForm:
    """The form after one of its buttons, such as ``up:1``, ``define:<variable>``, ``schema:add`` or
    ``tools:drop:0``. An action that does not fit changes nothing."""
    word, _, rest = action.partition(":")
    if word == "schema":
        return _schema_changed(form, rest)
    if word == "tools":
        return _tools_changed(form, rest)
    if word == "row":
        return replace(form, row=max(form.row + (1 if rest == "next" else -1), 1))
    if word in ("forget", "define"):
        return replace(form, typed=_variables_changed(form.typed, word, rest))
    return replace(form, typed=_messages_changed(form.typed, word, whole_number(rest)))


def read_text(text: str) -> tuple[Any, str]:
    """The value of a JSON field, and what is wrong with it if it can't be read."""
    try:
        return read_json(text), ""
    except JSONTextProblem as problem:
        return None, problem.message


def _variables(data: QueryDict) -> Iterator[TypedVariable]:
    """The rows. One that nobody has touched since it was found in a message stays undefined."""
    columns = (data.getlist(each) for each in ("variable", "type", "need", "default", "sample", "state"))
    for name, kind, need, default, sample, state in zip(*columns, strict=False):
        touched = bool(default or sample) or need == "optional" or state != f"found:{kind}"
        yield TypedVariable(name, kind, need != "optional", default, sample, touched)


def _variables_changed(typed: TypedPrompt, word: str, name: str) -> TypedPrompt:
    if word == "forget":
        return replace(typed, variables=tuple(each for each in typed.variables if each.name != name))
    return replace(
        typed,
        variables=tuple(
            replace(each, declared=True) if name in ("", each.name) else each for each in typed.variables
        ),
    )


def _messages_changed(typed: TypedPrompt, word: str, index: int | None) -> TypedPrompt:
    messages = list(typed.messages)
    if word == "add" and len(messages) < MAX_MESSAGES:
        messages.append(("assistant" if messages and messages[-1][0] == "user" else "user", ""))
    elif index is not None and 0 <= index < len(messages):
        _move(messages, word, index)
    return replace(typed, messages=tuple(messages))


def _move(messages: list[tuple[str, str]], word: str, index: int) -> None:
    if word == "up" and index > 0:
        messages.insert(index - 1, messages.pop(index))
    elif word == "down" and index < len(messages) - 1:
        messages.insert(index + 1, messages.pop(index))
    elif word == "copy" and len(messages) < MAX_MESSAGES:
        messages.insert(index + 1, messages[index])
    elif word == "drop" and len(messages) > 1:
        messages.pop(index)


def _schema_text(data: QueryDict) -> str:
    text = _lines(data.get("output_schema", ""))
    if data.get("schema_view") == RAW:
        return text
    schema, problem = read_text(text)
    if problem or read_schema(schema).refusal:
        return text
    written = write_schema(schema, _rows(data, "schema"))
    return text if written == schema else pretty(written)


def _tools_text(data: QueryDict) -> str:
    text = _lines(data.get("tools", ""))
    if data.get("tools_view") == RAW:
        return text
    tools, problem = read_text(text)
    if problem or read_tools(tools).refusal:
        return text
    written = write_tools(tools, _tools(data, tools))
    return text if written == tools else pretty(written) if written else ""


def _tools(data: QueryDict, tools: Any) -> list[ToolForm]:
    """The forms as sent; parameters that a form could not show are left as they were."""
    shown = {form.was: form for form in read_tools(tools).tools}
    names = ("tool.name", "tool.was", "tool.description", "tool.strict")
    found = []
    for index, (name, was, description, strict) in enumerate(
        zip(*(data.getlist(each) for each in names), strict=False)
    ):
        place = whole_number(was)
        before = shown.get(place)
        refused = before is not None and before.parameters.refusal
        parameters = before.parameters if before is not None else read_schema(None)
        if not refused:
            parameters = replace(parameters, properties=tuple(_rows(data, f"tool.{index}")))
        found.append(ToolForm(name, place, _lines(description), strict, parameters))
    return found[:MAX_TOOLS]


def _rows(data: QueryDict, prefix: str) -> list[Property]:
    names = ("name", "was", "type", "need", "description", "values")
    columns = (data.getlist(f"{prefix}.{each}") for each in names)
    return [
        Property(
            name=name,
            was=was,
            type=kind,
            required=need != "optional",
            description=_lines(description),
            values=tuple(dict.fromkeys(line for line in _lines(values).split("\n") if line.strip())),
        )
        for name, was, kind, need, description, values in zip(*columns, strict=False)
    ][:MAX_ROWS]


def _schema_changed(form: EditorForm, action: str) -> EditorForm:
    if action in (FORM, RAW):
        return replace(form, schema_view=action)
    schema, problem = read_text(form.typed.output_schema)
    read = read_schema(schema)
    if problem or read.refusal:
        return form
    written = write_schema(schema, _rows_changed(read.properties, action))
    text = pretty(written) if written is not None else ""
    return replace(form, typed=replace(form.typed, output_schema=text))


def _rows_changed(rows: Sequence[Property], action: str) -> list[Property]:
    word, _, rest = action.partition(":")
    changed_rows = list(rows)
    index = whole_number(rest)
    if word == "add" and len(changed_rows) < MAX_ROWS:
        changed_rows.append(new_property(changed_rows))
    elif word == "drop" and index is not None and 0 <= index < len(changed_rows):
        changed_rows.pop(index)
    return changed_rows


def _tools_changed(form: EditorForm, action: str) -> EditorForm:
    if action in (FORM, RAW):
        return replace(form, tools_view=action)
    tools, problem = read_text(form.typed.tools)
    read = read_tools(tools)
    if problem or read.refusal:
        return form
    forms = list(read.tools)
    word, _, rest = action.partition(":")
    place, _, inner = rest.partition(":")
    index = whole_number(place)
    if word == "add" and len(forms) < MAX_TOOLS:
        forms.append(new_tool(forms))
    elif index is not None and 0 <= index < len(forms):
        if word == "drop":
            forms.pop(index)
        elif word == "property":
            rows = tuple(_rows_changed(rows_of(forms[index]), inner))
            forms[index] = replace(forms[index], parameters=replace(forms[index].parameters, properties=rows))
    written = write_tools(tools, forms)
    return replace(form, typed=replace(form.typed, tools=pretty(written) if written else ""))


def _lines(text: str) -> str:
    """Browsers send forms with CRLF; one line end keeps hash, diff and columns equal everywhere."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
