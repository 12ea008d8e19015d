"""The body of POST /v1/responses: the subset of OpenAI's Responses API that a run can carry out. Pure.

What isn't carried out is refused by name, never ignored: an answer must be what was asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.gateway import fields
from apps.gateway.chat_options import cache_wish, repair_attempts
from apps.gateway.chat_requests import PROMPT_PREFIX, parse_reference, prompt_object
from apps.gateway.fields import typed
from apps.gateway.response_items import read_input, text_value
from apps.prompts.tools import CHOICES, clean_tools
from apps.runs.inputs import check_parameters
from apps.runs.response_formats import JSON_SCHEMA, TYPES, check_described
from apps.runs.types import CacheWish, PromptReference

# Taken only with the value that means "nothing special"; their absence means the same.
_ONLY: Final[fields.SpecialFields] = {
    "previous_response_id": ((), "Responses are not kept: send the earlier items in input."),
    "conversation": ((), "Conversations are not kept: send the earlier items in input."),
    "include": (([],), "There is nothing more to include."),
    "truncation": (("disabled",), "Input is never cut: send truncation: disabled, or leave it out."),
    "service_tier": (("auto", "default"), "service_tier can't be chosen here."),
    "max_tool_calls": ((), "There are no built-in tools to limit."),
    "top_logprobs": ((0,), "Log probabilities are not passed on."),
    "stream_options": (({}, {"include_obfuscation": False}), "Streams are not obfuscated."),
}
_PASSED: Final = ("temperature", "top_p", "parallel_tool_calls", "seed")
_RENAMED: Final = {"max_completion_tokens": "max_output_tokens", "reasoning_effort": "reasoning.effort"}
_OWN: Final = frozenset({"variables", "cache", "repair", "unit", "sandbox_latency_ms", "sandbox_error_rate"})
_FIELDS: Final = frozenset(
    {"model", "prompt", "input", "instructions", "tools", "tool_choice", "text", "max_output_tokens"}
    | {"metadata", "user", "safety_identifier", "stream", "background", "reasoning", "store"}
    | {*_PASSED, *_ONLY, *_OWN}
)


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """A checked body. `given` is the body as it came, of which the answer repeats what was asked for."""

    model: str | None
    prompt: PromptReference | None
    messages: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, str]
    user: str
    unit: str
    store: bool
    stream: bool
    background: bool
    cache: CacheWish | None
    repair_attempts: int | None
    tools: tuple[dict[str, Any], ...] | None
    given: Mapping[str, Any]


def parse_response_body(body: Any) -> ResponseBody:
    """Check a body's shape. Raises InvalidRequest naming the field."""
    body = fields.object_body(body, _FIELDS)
    fields.refuse_special(body, _ONLY)
    model, prompt, variables = _target(body)
    stream, background = typed(body, "stream", bool, False), typed(body, "background", bool, False)
    if stream and background:
        raise InvalidRequest("A background response can't be streamed.", param="background")
    messages = read_input(body.get("input"), typed(body, "instructions", str, None))
    if prompt is None and body.get("input") is None:
        raise InvalidRequest("input is needed without a prompt.", code="messages_missing", param="input")
    return ResponseBody(
        model=model,
        prompt=prompt,
        messages=messages,
        variables=variables | typed(body, "variables", dict, {}),
        parameters=_parameters(body),
        metadata=fields.metadata(body),
        user=fields.user(body),
        unit=fields.unit(body),
        store=typed(body, "store", bool, True),
        stream=stream,
        background=background,
        cache=cache_wish(body),
        repair_attempts=repair_attempts(body),
        tools=_tools(typed(body, "tools", list, None)),
        given=body,
    )


def _target(body: dict[str, Any]) -> tuple[str | None, PromptReference | None, dict[str, Any]]:
    """Model and prompt; beside a prompt the model takes the place of its version's."""
    model = typed(body, "model", str, "") or None
    if body.get("prompt") is not None:
        if model is not None and model.startswith(PROMPT_PREFIX):
            raise InvalidRequest("Name the prompt in prompt or in model, not in both.", param="model")
        reference, variables = prompt_object(body["prompt"])
        place = "prompt.variables"
        return (
            model,
            reference,
            {name: text_value(value, f"{place}.{name[:64]}") for name, value in variables.items()},
        )
    if model is None:
        raise InvalidRequest("No model was named.", code="model_missing", param="model")
    if model.startswith(PROMPT_PREFIX):
        return None, parse_reference(model.removeprefix(PROMPT_PREFIX)), {}
    return model, None, {}


def _parameters(body: dict[str, Any]) -> dict[str, Any]:
    """The call's parameters, by the names that they have in a chat."""
    wanted = {
        "max_completion_tokens": body.get("max_output_tokens"),
        "reasoning_effort": _reasoning_effort(body),
        "response_format": _response_format(body),
        "tool_choice": _tool_choice(body.get("tool_choice")),
        "sandbox_latency_ms": body.get("sandbox_latency_ms"),
        "sandbox_error_rate": body.get("sandbox_error_rate"),
        **{name: body.get(name) for name in _PASSED},
    }
    parameters = {name: value for name, value in wanted.items() if value is not None}
    with _param(lambda name: _RENAMED.get(name, name)):
        check_parameters(parameters)
    return parameters


def _reasoning_effort(body: dict[str, Any]) -> Any:
    reasoning = typed(body, "reasoning", dict, {})
    for name, value in reasoning.items():
        if name != "effort" and value is not None:
            raise InvalidRequest(
                f"'reasoning.{name[:64]}' is not supported.",
                code="unsupported_parameter",
                param=f"reasoning.{name[:64]}",
            )
    return reasoning.get("effort")


def _response_format(body: dict[str, Any]) -> dict[str, Any] | None:
    """`text.format`, which is flat, as a chat's response_format."""
    text = typed(body, "text", dict, {})
    for name, value in text.items():
        if name != "format" and value is not None:
            raise InvalidRequest(
                f"'text.{name[:64]}' is not supported.",
                code="unsupported_parameter",
                param=f"text.{name[:64]}",
            )
    wanted = typed(text, "format", dict, None, path="text.")
    if wanted is None:
        return None
    kind = wanted.get("type")
    if kind not in TYPES:
        raise InvalidRequest(
            f"text.format.type is one of {', '.join(TYPES)}.",
            code="parameter_invalid",
            param="text.format.type",
        )
    if kind != JSON_SCHEMA:
        return {"type": kind} if kind != "text" else None
    described = {name: value for name, value in wanted.items() if name != "type" and value is not None}
    check_described(described, "text.format")
    return {"type": JSON_SCHEMA, JSON_SCHEMA: described}


def _tools(tools: list[Any] | None) -> tuple[dict[str, Any], ...] | None:
    """Functions, which are flat here, in a chat's form."""
    if tools is None:
        return None
    nested = [_nested(tool, f"tools.{index}") for index, tool in enumerate(tools)]
    with _param(lambda name: name.replace(".function", "")):
        return clean_tools(nested)


def _nested(tool: Any, param: str) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        raise InvalidRequest(
            "Only tools of the type function are supported.",
            code="unsupported_parameter",
            param=f"{param}.type",
        )
    return {"type": "function", "function": {name: tool[name] for name in tool if name != "type"}}


def _tool_choice(choice: Any) -> Any:
    if choice is None or choice in CHOICES:
        return choice
    if isinstance(choice, Mapping) and choice.get("type") == "function" and set(choice) == {"type", "name"}:
        return {"type": "function", "function": {"name": choice["name"]}}
    raise InvalidRequest(
        f"tool_choice is one of {', '.join(CHOICES)}, or a function by its name.",
        code="parameter_invalid",
        param="tool_choice",
    )


@contextmanager
def _param(rename: Callable[[str], str]) -> Iterator[None]:
    """Let refusals name the field as it is called here."""
    try:
        yield
    except InvalidRequest as problem:
        problem.param = rename(problem.param or "")
        raise
