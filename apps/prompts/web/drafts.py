"""What stands in the editor's form: read from a request or from a version, and turned into content.

A draft keeps every text as it was typed, so that nothing is lost when it cannot be saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from django.http import QueryDict

from apps.core.errors import InvalidRequest
from apps.core.numbers import whole_number
from apps.prompts.content import MAX_MESSAGES, MAX_VARIABLES
from apps.prompts.hints import Reading, read_templates
from apps.prompts.types import VersionContent

FLOATS: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
INTEGERS: Final = ("max_tokens", "max_completion_tokens", "seed")
TEXTS: Final = ("reasoning_effort",)
PARAMETERS: Final = (*FLOATS, *INTEGERS, "stop", *TEXTS)


@dataclass(frozen=True, slots=True)
class DraftVariable:
    """One variable's row in the editor; `sample` is the value for the preview."""

    name: str
    type: str = "text"
    required: bool = True
    default: str = ""
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """The editor's form as it stands."""

    messages: tuple[tuple[str, str], ...]
    variables: tuple[DraftVariable, ...] = ()
    model: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    output_schema: str = ""
    base_number: int | None = None

    def reading(self) -> Reading:
        """Variables and remarks of the messages as they stand."""
        declared = [{"name": variable.name} for variable in self.variables]
        return read_templates([content for _, content in self.messages], declared)

    def with_found_variables(self, reading: Reading) -> "Draft":
        """The same draft with a row for every variable that the messages read."""
        known = {variable.name for variable in self.variables}
        found = [variable for variable in reading.variables if variable.name not in known]
        new = [DraftVariable(variable.name, variable.likely_type) for variable in found]
        return replace(self, variables=(*self.variables, *new))

    def content(self) -> VersionContent:
        """The content to save; services check it further. Raises InvalidRequest for unreadable fields."""
        return VersionContent(
            messages=tuple({"role": role, "content": content} for role, content in self.messages),
            variables=tuple(_variable_json(variable) for variable in self.variables),
            model=self.model,
            parameters=_parameters_json(self.parameters),
            output_schema=_schema_json(self.output_schema),
        )

    def samples(self) -> dict[str, str]:
        """The values that were given for the preview."""
        return {variable.name: variable.sample for variable in self.variables if variable.sample}


def from_version(content: VersionContent, base_number: int | None) -> Draft:
    """A draft that begins from a version."""
    return Draft(
        messages=tuple((message["role"], message["content"]) for message in content.messages),
        variables=tuple(_draft_variable(variable) for variable in content.variables),
        model=content.model,
        parameters={name: _parameter_text(value) for name, value in content.parameters.items()},
        output_schema=pretty(content.output_schema) if content.output_schema is not None else "",
        base_number=base_number,
    )


def from_post(data: QueryDict) -> Draft:
    """A draft from a submitted form; lists of different length are cut to the shortest."""
    contents = (content.replace("\r\n", "\n") for content in data.getlist("content"))
    messages = tuple(zip(data.getlist("role"), contents, strict=False))[:MAX_MESSAGES]
    rows = zip(
        data.getlist("variable"),
        data.getlist("type"),
        data.getlist("need"),
        data.getlist("default"),
        data.getlist("sample"),
        strict=False,
    )
    return Draft(
        messages=messages,
        variables=tuple(
            DraftVariable(name, kind, need != "optional", default, sample)
            for name, kind, need, default, sample in rows
        )[:MAX_VARIABLES],
        model=data.get("model", ""),
        parameters={name: data.get(name, "") for name in PARAMETERS if data.get(name, "").strip()},
        output_schema=data.get("output_schema", "").replace("\r\n", "\n"),
        base_number=whole_number(data.get("base_number", "")),
    )


def changed(draft: Draft, action: str) -> Draft:
    """The draft after a button of the editor: ``add``, ``up:1``, ``down:0``, ``copy:2``, ``drop:1``,
    ``forget:<variable>``. An action that does not fit changes nothing."""
    word, _, rest = action.partition(":")
    if word == "forget":
        return replace(draft, variables=tuple(each for each in draft.variables if each.name != rest))
    messages = list(draft.messages)
    if word == "add" and len(messages) < MAX_MESSAGES:
        following = "assistant" if messages and messages[-1][0] == "user" else "user"
        return replace(draft, messages=(*messages, (following, "")))
    index = whole_number(rest)
    if index is None or not 0 <= index < len(messages):
        return draft
    _change(messages, word, index)
    return replace(draft, messages=tuple(messages))


def _change(messages: list[tuple[str, str]], word: str, index: int) -> None:
    if word == "up" and index > 0:
        messages.insert(index - 1, messages.pop(index))
    elif word == "down" and index < len(messages) - 1:
        messages.insert(index + 1, messages.pop(index))
    elif word == "copy" and len(messages) < MAX_MESSAGES:
        messages.insert(index + 1, messages[index])
    elif word == "drop" and len(messages) > 1:
        messages.pop(index)


def placeholders(variables: tuple[DraftVariable, ...]) -> dict[str, Any]:
    """Stand-ins for values that the preview lacks: ``[name]`` for a text, 1, true, or an empty object."""
    fill: dict[str, Any] = {"number": 1, "boolean": True, "json": {}}
    return {
        variable.name: fill.get(variable.type, f"[{variable.name}]")
        for variable in variables
        if variable.required and not variable.sample and not variable.default
    }


def _draft_variable(variable: Mapping[str, Any]) -> DraftVariable:
    default = variable.get("default")
    text = "" if default is None else default if isinstance(default, str) else orjson.dumps(default).decode()
    return DraftVariable(variable["name"], variable["type"], variable["required"], text)


def _variable_json(variable: DraftVariable) -> dict[str, Any]:
    body = {"name": variable.name, "type": variable.type, "required": variable.required}
    return body | {"default": variable.default} if variable.default else body


def _parameter_text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _parameters_json(parameters: Mapping[str, str]) -> dict[str, Any]:
    return {name: _parameter_json(name, text.strip()) for name, text in parameters.items() if text.strip()}


def _parameter_json(name: str, text: str) -> Any:
    if name == "stop":
        return [line for line in text.splitlines() if line]
    if name in TEXTS:
        return text
    try:
        return int(text) if name in INTEGERS else float(text)
    except ValueError:
        wanted = "a whole number" if name in INTEGERS else "a number"
        raise InvalidRequest(f"This must be {wanted}.", param=f"parameters.{name}") from None


def _schema_json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise InvalidRequest(message, param="output_schema") from None


def pretty(value: Any) -> str:
    """JSON over several lines."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
