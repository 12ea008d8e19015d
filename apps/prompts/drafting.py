"""What stands in the editor: every field as the text that was typed, valid or not. Pure.

It is what a draft keeps, what two people's work is merged from, and what becomes a version's content.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.prompts.hints import Reading, read_templates
from apps.prompts.json_text import JSONTextProblem, pretty, read_json
from apps.prompts.types import VersionContent

FLOATS: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
INTEGERS: Final = ("max_tokens", "max_completion_tokens", "seed")
WORDS: Final = ("reasoning_effort",)
PARAMETERS: Final = (*FLOATS, *INTEGERS, "stop", *WORDS, "tool_choice", "parallel_tool_calls")
_TOOL_WORDS: Final = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class TypedVariable:
    """One variable's row. `sample` is the value for the preview.

    `declared` is False for a name that a message reads and that nobody has defined yet.
    """

    name: str
    type: str = "text"
    required: bool = True
    default: str = ""
    sample: str = ""
    declared: bool = True


@dataclass(frozen=True, slots=True)
class TypedPrompt:
    """A prompt as it stands in the editor. `output_schema` and `tools` are JSON as it was typed."""

    messages: tuple[tuple[str, str], ...]
    variables: tuple[TypedVariable, ...] = ()
    model: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    output_schema: str = ""
    tools: str = ""

    def reading(self) -> Reading:
        """Variables and remarks of the messages as they stand."""
        declared = [{"name": variable.name} for variable in self.variables if variable.declared]
        return read_templates([content for _, content in self.messages], declared)

    def completed(self, reading: Reading) -> "TypedPrompt":
        """The same with a row for every name that the messages read; rows of names that they read no more
        and that nobody defined are gone."""
        read = {variable.name: variable for variable in reading.variables}
        defined = tuple(each for each in self.variables if each.declared)
        known = {each.name for each in defined}
        found = [
            TypedVariable(variable.name, variable.likely_type, declared=False)
            for variable in read.values()
            if variable.name not in known
        ]
        if not reading.complete:
            unread = [each for each in self.variables if not each.declared and each.name not in read]
            found += unread
        return replace(self, variables=(*defined, *found))

    def content(self) -> VersionContent:
        """The content to save; services check it further. Raises InvalidRequest for unreadable fields."""
        return VersionContent(
            messages=tuple({"role": role, "content": content} for role, content in self.messages),
            variables=tuple(_variable_json(variable) for variable in self.variables),
            model=self.model,
            parameters=parameters_json(self.parameters),
            output_schema=_json_field(self.output_schema, "output_schema"),
            tools=_tools(self.tools),
        )

    def samples(self) -> dict[str, str]:
        """The values that were given for the preview."""
        return {variable.name: variable.sample for variable in self.variables if variable.sample}

    def as_json(self) -> dict[str, Any]:
        """Plain data from which ``from_json`` makes the same again."""
        body = asdict(self)
        return body | {
            "messages": [{"role": role, "content": content} for role, content in self.messages],
            "variables": [asdict(variable) for variable in self.variables],
            "parameters": dict(self.parameters),
        }


def from_content(content: VersionContent) -> TypedPrompt:
    """A version's content as it would have been typed."""
    return TypedPrompt(
        messages=tuple((message["role"], message["content"]) for message in content.messages),
        variables=tuple(_typed_variable(variable) for variable in content.variables),
        model=content.model,
        parameters={name: parameter_text(value) for name, value in content.parameters.items()},
        output_schema=pretty(content.output_schema) if content.output_schema is not None else "",
        tools=pretty(list(content.tools)) if content.tools else "",
    )


def from_json(body: Mapping[str, Any]) -> TypedPrompt:
    """What ``as_json`` wrote; fields that are missing or of another kind are empty."""
    rows = [each for each in _list(body, "variables") if isinstance(each, Mapping)]
    messages = [each for each in _list(body, "messages") if isinstance(each, Mapping)]
    parameters = body.get("parameters")
    return TypedPrompt(
        messages=tuple((_text(each, "role"), _text(each, "content")) for each in messages),
        variables=tuple(
            TypedVariable(
                name=_text(each, "name"),
                type=_text(each, "type") or "text",
                required=each.get("required") is not False,
                default=_text(each, "default"),
                sample=_text(each, "sample"),
                declared=each.get("declared") is not False,
            )
            for each in rows
        ),
        model=_text(body, "model"),
        parameters={
            str(name): text
            for name, text in (parameters.items() if isinstance(parameters, Mapping) else ())
            if isinstance(text, str)
        },
        output_schema=_text(body, "output_schema"),
        tools=_text(body, "tools"),
    )


def placeholders(variables: Iterable[TypedVariable]) -> dict[str, Any]:
    """Stand-ins for values that the preview lacks: ``[name]`` for a text, 1, true, or an empty object."""
    fill: dict[str, Any] = {"number": 1, "boolean": True, "json": {}}
    return {
        variable.name: fill.get(variable.type, f"[{variable.name}]")
        for variable in variables
        if variable.required and not variable.sample and not variable.default
    }


def parameters_json(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Typed parameters as values; empty ones are left out. Raises InvalidRequest."""
    return {name: _parameter_json(name, text.strip()) for name, text in parameters.items() if text.strip()}


def parameter_text(value: Any) -> str:
    """A parameter as it would have been typed."""
    if isinstance(value, list):
        return "\n".join(value)
    if isinstance(value, dict):
        return str(value.get("function", {}).get("name", ""))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _parameter_json(name: str, text: str) -> Any:
    if name == "stop":
        return [line for line in text.splitlines() if line]
    if name == "tool_choice":
        return text if text in _TOOL_WORDS else {"type": "function", "function": {"name": text}}
    if name == "parallel_tool_calls":
        return {"true": True, "false": False}.get(text, text)
    if name in FLOATS or name in INTEGERS:
        return _number(name, text)
    return text


def _number(name: str, text: str) -> int | float:
    try:
        return int(text) if name in INTEGERS else float(text)
    except ValueError:
        wanted = "a whole number" if name in INTEGERS else "a number"
        raise InvalidRequest(f"This must be {wanted}.", param=f"parameters.{name}") from None


def _json_field(text: str, name: str) -> Any:
    try:
        return read_json(text)
    except JSONTextProblem as problem:
        raise InvalidRequest(problem.message, param=name) from None


def _tools(text: str) -> tuple[Any, ...]:
    value = _json_field(text, "tools")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidRequest("Tools are a JSON list.", code="tool_invalid", param="tools")
    return tuple(value)


def _typed_variable(variable: Mapping[str, Any]) -> TypedVariable:
    default, sample = (_value_text(variable.get(key)) for key in ("default", "sample"))
    return TypedVariable(variable["name"], variable["type"], variable["required"], default, sample)


def _value_text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _variable_json(variable: TypedVariable) -> dict[str, Any]:
    given = {"default": variable.default, "sample": variable.sample}
    body = {"name": variable.name, "type": variable.type, "required": variable.required}
    return body | {key: text for key, text in given.items() if text}


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else []


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
