"""What may be saved as a version: checked, completed and brought into one canonical form. Pure."""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson

from apps.core.errors import InvalidRequest
from apps.prompts.rendering import (
    NAME,
    VARIABLE_TYPES,
    Problem,
    TemplateProblem,
    Variable,
    check_template,
    coerce_default,
)
from apps.prompts.schemas import check_schema
from apps.prompts.tools import check_choice, clean_tools, is_tool_choice
from apps.prompts.types import ROLES, VersionContent

MAX_MESSAGES: Final = 50
MAX_VARIABLES: Final = 100
MAX_CONTENT_BYTES: Final = 512 * 1024
MODEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,49}/\S{1,200}\Z")
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_EFFORTS: Final = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


def clean_content(kind: str, content: VersionContent) -> VersionContent:
    """The content in its stored form, with a declaration for every variable that the templates read.

    Raises InvalidRequest; for a template ``template_invalid`` with param ``messages.<n>.content`` and
    ``problems`` (message, line, column).
    """
    messages = _clean_messages(kind, content.messages)
    found = _found_variables(messages)
    variables = _clean_variables(content.variables, found)
    if content.model and not MODEL.match(content.model):
        message = "A model is written as connection/model, as in sandbox/standard."
        raise InvalidRequest(message, code="model_invalid", param="model")
    cleaned = VersionContent(
        messages=messages,
        variables=variables,
        model=content.model,
        parameters=_clean_parameters(content.parameters),
        output_schema=_clean_schema(content.output_schema),
        tools=clean_tools(content.tools),
    )
    check_choice(cleaned.parameters, cleaned.tools)
    stored = json_bytes(asdict(cleaned))
    if _NUL.search(stored):
        message = "The content holds a NUL character, which cannot be stored."
        raise InvalidRequest(message, code="invalid_text", param="messages")
    if len(stored) > MAX_CONTENT_BYTES:
        message = f"A version may hold at most {MAX_CONTENT_BYTES // 1024} KiB."
        raise InvalidRequest(message, code="content_too_large", param="messages")
    return cleaned


def canonical(content: VersionContent) -> bytes:
    """What a version does, as bytes that are equal exactly when two contents do the same.

    Samples are left out because nothing runs with them, and tools where there are none, so that hashes from
    before there were tools stay valid.
    """
    body = asdict(content)
    body["variables"] = [_without_sample(variable) for variable in content.variables]
    if not content.tools:
        del body["tools"]
    return json_bytes(body)


def json_bytes(body: dict[str, Any]) -> bytes:
    """Plain data as JSON with sorted keys. Raises InvalidRequest ``invalid_text``."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        message = "The content holds text that is not valid Unicode, or a number beyond 64 bits."
        raise InvalidRequest(message, code="invalid_text", param="messages") from None


def _without_sample(variable: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in variable.items() if key != "sample"}


def content_hash(content: VersionContent) -> str:
    """SHA-256 of the canonical content, in hexadecimal."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _clean_messages(kind: str, messages: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    cleaned = tuple(_clean_message(number, message) for number, message in enumerate(messages))
    if not 1 <= len(cleaned) <= MAX_MESSAGES:
        raise InvalidRequest(f"A prompt has 1 to {MAX_MESSAGES} messages.", param="messages")
    if kind == "text" and (len(cleaned) != 1 or cleaned[0]["role"] != "user"):
        raise InvalidRequest("A text prompt has exactly one message, of the role user.", param="messages")
    return cleaned


def _clean_message(number: int, message: Mapping[str, Any]) -> dict[str, Any]:
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        text = f"The role of message {number + 1} must be one of {', '.join(ROLES)}."
        raise InvalidRequest(text, code="role_invalid", param=f"messages.{number}.role")
    if not isinstance(content, str) or not _is_storable(content):
        text = f"The content of message {number + 1} must be valid text without NUL characters."
        raise InvalidRequest(text, code="content_invalid", param=f"messages.{number}.content")
    # Browsers send forms with CRLF; one line end keeps hash, diff and columns equal everywhere.
    return {"role": role, "content": content.replace("\r\n", "\n").replace("\r", "\n")}


def _is_storable(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def _found_variables(messages: tuple[dict[str, Any], ...]) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for number, message in enumerate(messages):
        for variable in _template_variables(number, message["content"]):
            found[variable.name] = found.get(variable.name, variable).merged(variable)
    return found


def _template_variables(number: int, content: str) -> tuple[Variable, ...]:
    try:
        return check_template(content)
    except TemplateProblem as problem:
        where = f"message {number + 1}, line {problem.line}, column {problem.column}"
        raise InvalidRequest(
            f"{problem.message} ({where})",
            code="template_invalid",
            param=f"messages.{number}.content",
            problems=[_problem_json(each) for each in problem.problems],
        ) from None


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {"message": problem.message, "line": problem.line, "column": problem.column}


def _clean_variables(
    declared: Iterable[Mapping[str, Any]], found: Mapping[str, Variable]
) -> tuple[dict[str, Any], ...]:
    variables: dict[str, dict[str, Any]] = {}
    for number, variable in enumerate(declared):
        cleaned = _clean_variable(number, variable)
        if cleaned["name"] in variables:
            message = f"Variable '{cleaned['name']}' is declared twice."
            raise InvalidRequest(message, code="variable_repeated", param=f"variables.{number}.name")
        variables[cleaned["name"]] = cleaned
    for name, read in found.items():
        variables.setdefault(name, {"name": name, "type": read.likely_type, "required": True})
    if len(variables) > MAX_VARIABLES:
        raise InvalidRequest(f"A prompt has at most {MAX_VARIABLES} variables.", param="variables")
    return tuple(variables.values())


def _clean_variable(number: int, variable: Mapping[str, Any]) -> dict[str, Any]:
    name, kind = variable.get("name"), variable.get("type", "text")
    if not isinstance(name, str) or not NAME.match(name):
        message = "A variable's name is a letter, then letters, digits or _, at most 64."
        raise InvalidRequest(message, code="name_invalid", param=f"variables.{number}.name")
    if kind not in VARIABLE_TYPES:
        message = f"The type of variable '{name}' must be one of {', '.join(VARIABLE_TYPES)}."
        raise InvalidRequest(message, code="type_invalid", param=f"variables.{number}.type")
    default = coerce_default(kind, variable.get("default"), name)
    sample = coerce_default(kind, variable.get("sample"), name)
    cleaned = {"name": name, "type": kind, "required": bool(variable.get("required", default is None))}
    given = {"default": default, "sample": sample}
    return cleaned | {key: value for key, value in given.items() if value is not None}


def _number(low: float, high: float) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return real and math.isfinite(value) and low <= value <= high

    return fits


def _integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_stop(value: Any) -> bool:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not 1 <= len(stops) <= 4:
        return False
    return all(isinstance(stop, str) and 0 < len(stop) <= 200 for stop in stops)


# Each parameter's check, and what to write instead.
PARAMETERS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "temperature": (_number(0, 2), "a number from 0 to 2"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "max_tokens": (_integer(1, 1_000_000), "a whole number from 1 to 1,000,000"),
    "max_completion_tokens": (_integer(1, 1_000_000), "a whole number from 1 to 1,000,000"),
    "stop": (_is_stop, "a text, or 1 to 4 texts"),
    "seed": (_integer(-(2**63), 2**63 - 1), "a whole number"),
    "frequency_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "presence_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "reasoning_effort": (lambda value: value in _EFFORTS, "none, minimal, low, medium, high or xhigh"),
    "tool_choice": (is_tool_choice, "none, auto, required, or one of the tools"),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
}


def _clean_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = {}
    for name, value in parameters.items():
        if name not in PARAMETERS:
            message = f"There is no parameter '{name}'. Known: {', '.join(PARAMETERS)}."
            raise InvalidRequest(message, code="parameter_unknown", param=f"parameters.{name}")
        fits, wanted = PARAMETERS[name]
        if value is None:
            continue
        if not isinstance(value, str | int | float | list | dict) or not fits(value):
            message = f"The parameter {name} must be {wanted}."
            raise InvalidRequest(message, code="parameter_invalid", param=f"parameters.{name}")
        # 1.0 and 1 are the same setting, so they must give the same hash.
        cleaned[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return cleaned


def _clean_schema(schema: Any) -> dict[str, Any] | None:
    if schema is None or schema == {}:
        return None
    return check_schema(schema, name="The output schema", param="output_schema")
