"""From our chat request, which is in OpenAI's form, to one of Anthropic's Messages API. Pure.

What Anthropic knows no counterpart of is refused by name before the call, never dropped in silence; a penalty
of 0 is OpenAI's default, asks for nothing and is left out.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.providers.anthropic_contents import Block, blocks_of
from apps.providers.anthropic_schemas import native_schema
from apps.providers.types import ChatRequest

# Anthropic demands a limit. Every model since Claude 3.7 takes this one; older ones take 4,096.
DEFAULT_MOST_TOKENS: Final = 16_000
OLD_MOST_TOKENS: Final = 4_096
_OLD_MODEL: Final = re.compile(r"claude-(?:2|instant|3-(?:opus|sonnet|haiku|5))")

VERSION: Final = "2026-10-21"
# Sampling is known up to this version of the API only; from 2026-10-21 on it is refused at any value.
SAMPLING_VERSION: Final = "2023-06-01"
SAMPLING: Final = ("temperature", "top_p", "top_k")
ANSWER_TOOL: Final = "answer"
WRAPPED: Final = "answer"

_HANDLED: Final = frozenset(
    {
        *SAMPLING,
        "max_completion_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "tool_choice",
    }
)
_HARMLESS: Final = {"frequency_penalty": 0, "presence_penalty": 0, "n": 1}
# What steers an answer without changing its form, and has no counterpart.
_STEERING: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
_OWN: Final = frozenset({"messages", "model", "stream", "stream_options", "tools"})
_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}


def check(request: ChatRequest) -> None:
    """Raise InvalidRequest for what Anthropic can't be asked."""
    for name, value in request.parameters.items():
        if name in _HANDLED or name in _OWN or name.startswith("sandbox_"):
            continue
        if name not in _HARMLESS or value != _HARMLESS[name]:
            raise _unsupported(name, f"Anthropic has no {name}. Remove it from the parameters.")
    temperature = request.parameters.get("temperature")
    if isinstance(temperature, int | float) and temperature > 1:
        message = "On Anthropic the temperature is a number from 0 to 1."
        raise InvalidRequest(message, code="parameter_invalid", param="temperature")
    body(request)


def body(request: ChatRequest) -> dict[str, Any]:
    """What is sent, as JSON. Raises InvalidRequest."""
    parameters = request.parameters
    system, messages = _conversation(request.messages)
    sampling = {name: parameters[name] for name in SAMPLING if parameters.get(name) is not None}
    wanted: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "max_tokens": _most_tokens(request),
        **sampling,
        **_reasoning(parameters),
    }
    if system:
        wanted["system"] = system
    if parameters.get("stop"):
        stop = parameters["stop"]
        wanted["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    _add_tools(wanted, request)
    return wanted


def version(request: ChatRequest) -> str:
    """The version of the API that a request goes under."""
    asked = any(request.parameters.get(name) is not None for name in SAMPLING)
    return SAMPLING_VERSION if asked else VERSION


def adapted(request: ChatRequest) -> ChatRequest:
    """See Provider.adapt."""
    kept = {name: value for name, value in request.parameters.items() if name not in _STEERING}
    temperature = kept.get("temperature")
    if isinstance(temperature, int | float) and temperature > 1:
        kept["temperature"] = 1
    return replace(request, parameters=kept)


def answers_by_tool(request: ChatRequest) -> bool:
    """Whether the answer comes as the input of our own tool, because the model has no structured output."""
    schema = _response_schema(request)
    return schema is not None and native_schema(request.model, schema) is None


def is_wrapped(request: ChatRequest) -> bool:
    """Whether that tool's input holds the answer in a field, because a tool takes only objects."""
    schema = _response_schema(request)
    return schema is not None and schema.get("type") != "object"


def _response_schema(request: ChatRequest) -> dict[str, Any] | None:
    if request.output_schema is not None:
        return request.output_schema
    wanted = request.parameters.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") == "text":
        return None
    described = wanted.get("json_schema")
    if wanted.get("type") == "json_schema" and isinstance(described, dict):
        schema = described.get("schema")
        if isinstance(schema, dict):
            return schema
    message = "Anthropic takes a response_format of the type text or json_schema, with its schema."
    raise _unsupported("response_format", message)


def _most_tokens(request: ChatRequest) -> int:
    asked = request.parameters.get("max_completion_tokens") or request.parameters.get("max_tokens")
    if isinstance(asked, int):
        return asked
    return OLD_MOST_TOKENS if _OLD_MODEL.match(request.model) else DEFAULT_MOST_TOKENS


def _reasoning(parameters: dict[str, Any]) -> dict[str, Any]:
    effort = parameters.get("reasoning_effort")
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    return {"output_config": {"effort": _EFFORTS[effort]}}


def _conversation(messages: Iterable[dict[str, Any]]) -> tuple[list[Block], list[dict[str, Any]]]:
    """The system text, and turns of user and assistant; neighbours of one role become one turn."""
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        role = "user" if message["role"] == "tool" else message["role"]
        blocks = blocks_of(index, message)
        if role in ("system", "developer"):
            system += blocks
        elif turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        message_text = "Anthropic needs a message of the role user beside the system's."
        raise InvalidRequest(message_text, code="messages_missing", param="messages")
    return system, turns


def _add_tools(wanted: dict[str, Any], request: ChatRequest) -> None:
    tools = [_tool(each["function"]) for each in request.tools]
    choice = _tool_choice(request) if tools else None
    schema = _response_schema(request)
    native = native_schema(request.model, schema) if schema is not None else None
    if native is not None:
        form = {"type": "json_schema", "schema": native}
        wanted["output_config"] = {**wanted.get("output_config", {}), "format": form}
    elif schema is not None:
        only_answer = choice is None or choice["type"] == "none"
        tools = [_answer_tool(schema)] if only_answer else [*tools, _answer_tool(schema)]
        if only_answer:
            choice = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
        elif choice is not None and choice["type"] == "auto":
            choice = {**choice, "type": "any"}
    if tools:
        wanted["tools"] = tools
    if choice is not None:
        wanted["tool_choice"] = choice


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    tool = {
        "name": function["name"],
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    if function.get("description"):
        tool["description"] = function["description"]
    if function.get("strict"):
        tool["strict"] = True
    return tool


def _tool_choice(request: ChatRequest) -> dict[str, Any]:
    asked = request.parameters.get("tool_choice") or "auto"
    one_at_a_time = request.parameters.get("parallel_tool_calls") is False
    if isinstance(asked, dict):
        choice: dict[str, Any] = {"type": "tool", "name": asked.get("function", {}).get("name", "")}
    else:
        choice = {"type": {"required": "any"}.get(asked, asked)}
    if one_at_a_time and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def _answer_tool(schema: dict[str, Any]) -> dict[str, Any]:
    """A tool whose input is the answer, for models and schemas that structured output does not take."""
    if schema.get("type") != "object":
        inner = {name: value for name, value in schema.items() if name not in ("$defs", "definitions")}
        shared: dict[str, Any] = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
        schema = {"type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED], **shared}
    described = "Give the final answer. Always call this tool to answer."
    return {"name": ANSWER_TOOL, "description": described, "input_schema": schema}


def _unsupported(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code="unsupported_parameter", param=name)
