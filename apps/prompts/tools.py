"""Tools that a prompt offers to its model, in OpenAI's form: checked and brought into one form. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.prompts.schemas import check_schema

MAX_TOOLS: Final = 64
MAX_TOOL_DESCRIPTION: Final = 4_000
TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
CHOICES: Final = ("none", "auto", "required")
_FIELDS: Final = frozenset({"name", "description", "parameters", "strict"})


def clean_tools(tools: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """Tools as ``{"type": "function", "function": {"name", "description"?, "parameters"?, "strict"?}}``.

    Raises InvalidRequest ``tool_invalid``, ``tool_repeated`` or ``schema_invalid`` with the param of the
    place, as in ``tools.0.function.name``.
    """
    cleaned = tuple(_clean_tool(number, tool) for number, tool in enumerate(tools))
    if len(cleaned) > MAX_TOOLS:
        raise InvalidRequest(f"A prompt has at most {MAX_TOOLS} tools.", code="tool_invalid", param="tools")
    names = tool_names(cleaned)
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"There are two tools with the name '{name}'."
            raise InvalidRequest(message, code="tool_repeated", param=f"tools.{number}.function.name")
    return cleaned


def tool_names(tools: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of checked tools, in their order."""
    return [tool["function"]["name"] for tool in tools]


def is_tool_choice(value: Any) -> bool:
    """Whether a value has the form of ``tool_choice``: a word, or one function's name."""
    if isinstance(value, str):
        return value in CHOICES
    return isinstance(value, dict) and bool(chosen_tool(value)) and set(value) == {"type", "function"}


def chosen_tool(choice: Any) -> str:
    """The function that a ``tool_choice`` names, else an empty text."""
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def check_choice(parameters: Mapping[str, Any], tools: Iterable[Mapping[str, Any]]) -> None:
    """What the parameters say of tools must fit the tools. Raises InvalidRequest ``parameter_invalid``."""
    names = tool_names(tools)
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in parameters and not names:
            message = f"The parameter {name} needs a tool; this prompt has none."
            raise InvalidRequest(message, code="parameter_invalid", param=f"parameters.{name}")
    chosen = chosen_tool(parameters.get("tool_choice"))
    if chosen and chosen not in names:
        message = f"tool_choice names '{chosen}', which is none of the tools: {', '.join(names)}."
        raise InvalidRequest(message, code="parameter_invalid", param="parameters.tool_choice")


def _clean_tool(number: int, tool: Any) -> dict[str, Any]:
    place = f"tools.{number}"
    if not isinstance(tool, Mapping) or tool.get("type", "function") != "function":
        raise _invalid(f"Tool {number + 1} must be an object of the type function.", place)
    function = tool.get("function")
    if not isinstance(function, Mapping) or set(tool) - {"type", "function"}:
        raise _invalid(f"Tool {number + 1} holds type and function, and nothing else.", f"{place}.function")
    unknown = sorted(str(key) for key in set(function) - _FIELDS)
    if unknown:
        message = f"A tool's function has no field '{unknown[0][:64]}'. Known: {', '.join(sorted(_FIELDS))}."
        raise _invalid(message, f"{place}.function.{unknown[0][:64]}")
    return {"type": "function", "function": _clean_function(function, number, f"{place}.function")}


def _clean_function(function: Mapping[str, Any], number: int, place: str) -> dict[str, Any]:
    name, description, strict = (function.get(key) for key in ("name", "description", "strict"))
    if not isinstance(name, str) or not TOOL_NAME.match(name):
        message = f"The name of tool {number + 1} has 1 to 64 letters, digits, _ and -."
        raise _invalid(message, f"{place}.name")
    if description is not None and (
        not isinstance(description, str) or len(description) > MAX_TOOL_DESCRIPTION
    ):
        message = f"The description of {name} is a text of at most {MAX_TOOL_DESCRIPTION:,} characters."
        raise _invalid(message, f"{place}.description")
    if strict is not None and not isinstance(strict, bool):
        raise _invalid(f"strict of {name} must be true or false.", f"{place}.strict")
    cleaned: dict[str, Any] = {"name": name}
    if description:
        cleaned["description"] = description
    if function.get("parameters") is not None:
        cleaned["parameters"] = _clean_parameters(function["parameters"], name, f"{place}.parameters")
    return cleaned if strict is None else {**cleaned, "strict": strict}


def _clean_parameters(schema: Any, name: str, place: str) -> dict[str, Any]:
    checked = check_schema(schema, name=f"The parameters' schema of {name}", param=place)
    if checked.get("type", "object") != "object":
        raise _invalid(f"The parameters' schema of {name} must have the type object.", f"{place}.type")
    return checked


def _invalid(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, code="tool_invalid", param=param)
