"""The schemas of the gateway's bodies and answers, in JSON Schema. Data only."""

from typing import Any, Final

from apps.gateway import fields
from apps.prompts.rendering import VARIABLE_TYPES
from apps.prompts.tools import CHOICES, MAX_TOOLS
from apps.prompts.types import ROLES
from apps.runs.answer_cache import LONGEST_SECONDS
from apps.runs.conversation import MOST_CALLS, TOOL
from apps.runs.repair import MOST_ATTEMPTS

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_COUNT_OR_NULL: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_OBJECT: Final[Schema] = {"type": "object"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}


def reference(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, required: tuple[str, ...] = (), *, closed: bool = False) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if closed:
        schema["additionalProperties"] = False
    return schema


def _answer(properties: Schema) -> Schema:
    """An answer's fields are all there."""
    return _object(properties, tuple(properties))


def _list(item: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": item} | ({"maxItems": most} if most else {})


def _nullable(properties: Schema) -> Schema:
    """A body's fields: null is as good as leaving one out."""
    return {name: _or_null(schema) for name, schema in properties.items()}


def _or_null(schema: Schema) -> Schema:
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        return schema
    about = {"description": schema["description"]} if "description" in schema else {}
    bare = {name: value for name, value in schema.items() if name != "description"}
    return {**about, "anyOf": [*bare.get("anyOf", [bare]), {"type": "null"}]}


def _number(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


_TOOL_CALL: Final = _object(
    {
        "id": {"type": "string", "minLength": 1},
        "type": {"const": "function"},
        "function": _object(
            {
                "name": {"type": "string", "minLength": 1},
                "arguments": {"type": "string", "description": "JSON, as the model wrote it."},
            },
            ("name", "arguments"),
        ),
    },
    ("id", "function"),
)
_TEXT_PARTS: Final = {
    "type": "array",
    "minItems": 1,
    "items": _object({"type": {"const": "text"}, "text": _TEXT}, ("type", "text")),
}
_CONTENT: Final[Schema] = {"anyOf": [_TEXT, _TEXT_PARTS]}
_NULL: Final[Schema] = {"type": "null"}
# What a client sends back of an earlier answer is taken: fields that are null or empty count as absent.
_ABSENT: Final[Schema] = {"additionalProperties": {"type": ["array", "null"], "maxItems": 0}}
_PLAIN_MESSAGE: Final = (
    _object({"role": {"enum": list(ROLES)}, "content": _CONTENT}, ("role", "content")) | _ABSENT
)
_CALLING_MESSAGE: Final = (
    _object(
        {
            "role": {"const": "assistant"},
            "content": {"anyOf": [_TEXT, _TEXT_PARTS | {"minItems": 0}, _NULL]},
            "tool_calls": _list(reference("ToolCall"), MOST_CALLS) | {"minItems": 1},
        },
        ("role", "tool_calls"),
    )
    | _ABSENT
)
_TOOL_MESSAGE: Final = (
    _object(
        {
            "role": {"const": TOOL},
            "content": _CONTENT,
            "tool_call_id": {"type": "string", "minLength": 1},
        },
        ("role", "content", "tool_call_id"),
    )
    | _ABSENT
)
_TOOL: Final = _object(
    {
        "type": {"const": "function"},
        "function": _object(
            {
                "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                "description": {"type": ["string", "null"], "maxLength": 4000},
                "parameters": {"type": ["object", "null"], "description": "A JSON Schema of type object."},
                "strict": {"type": ["boolean", "null"]},
            },
            ("name",),
            closed=True,
        ),
    },
    ("function",),
    closed=True,
)
_PARAMETERS: Final[Schema] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "max_tokens": _integer(1, 1_000_000),
    "max_completion_tokens": _integer(1, 1_000_000),
    "stop": {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 200},
            _list({"type": "string", "minLength": 1, "maxLength": 200}, 4) | {"minItems": 1},
        ]
    },
    "seed": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "reasoning_effort": {"enum": ["none", "minimal", "low", "medium", "high", "xhigh"]},
    "response_format": _OBJECT,
    "tool_choice": {
        "description": "Needs tools.",
        "anyOf": [
            {"enum": [*CHOICES, None]},
            _object(
                {"type": {"const": "function"}, "function": _object({"name": _TEXT}, ("name",))},
                ("type", "function"),
                closed=True,
            ),
        ],
    },
    "parallel_tool_calls": _BOOLEAN,
    "sandbox_latency_ms": _number(0, 60_000),
    "sandbox_error_rate": _number(0, 1),
}
_METADATA: Final[Schema] = {
    "type": "object",
    "maxProperties": fields.METADATA_PAIRS,
    "propertyNames": {"maxLength": fields.METADATA_KEY_LENGTH},
    "additionalProperties": {"type": "string", "maxLength": fields.METADATA_VALUE_LENGTH},
}
_SHARED: Final[Schema] = {
    "variables": {"type": "object", "description": "Values by name."},
    "messages": _list(reference("ChatMessage")),
    "tools": _list(reference("Tool"), MAX_TOOLS),
}
_ASKED: Final[Schema] = {
    "stream": _BOOLEAN,
    "metadata": _METADATA,
    "user": {"type": "string", "maxLength": fields.USER_LENGTH},
    "cache": _object({"ttl_seconds": _integer(1, LONGEST_SECONDS)}, ("ttl_seconds",), closed=True),
    "repair": _object({"attempts": _integer(0, MOST_ATTEMPTS)}, ("attempts",), closed=True),
}
_OF_PROMPT: Final[Schema] = {
    "label": {"type": ["string", "null"], "description": "production without label and version."},
    "version": {"type": ["integer", "null"], "minimum": 1, "maximum": fields.LARGEST_NUMBER},
    **_SHARED,
    "model": {"type": ["string", "null"], "description": "connection/model, in place of the version's."},
    "parameters": _object(_nullable(_PARAMETERS), closed=True),
}
_CHAT: Final[Schema] = {
    "model": {"type": "string", "description": "connection/model, or prompt:name, prompt:name@label, #7."},
    "prompt": _object({"id": _TEXT, "version": _TEXT_OR_NULL, "variables": _OBJECT}, ("id",)),
    **_SHARED,
    **_ASKED,
    "stream_options": _object({"include_usage": _BOOLEAN}),
    "n": {"const": 1},
    **_PARAMETERS,
}
_USAGE: Final = _answer(
    {
        "input_tokens": _COUNT_OR_NULL,
        "output_tokens": _COUNT_OR_NULL,
        "cached_tokens": _COUNT_OR_NULL,
        "origin": {"enum": ["provider", "estimated", "cache", "none"]},
    }
)
_COST: Final = _answer(
    {
        "status": {"enum": ["priced", "free", "unknown", "sandbox", "none"]},
        "amount": {"type": ["string", "null"], "description": "Decimal US dollars; null is unknown."},
        "currency": {"const": "USD"},
    }
)
_ANY_MESSAGES: Final = _list(_OBJECT)

SCHEMAS: Final[dict[str, Schema]] = {
    "ToolCall": _TOOL_CALL,
    "Tool": _TOOL,
    "ChatMessage": {"anyOf": [_PLAIN_MESSAGE, _CALLING_MESSAGE, _TOOL_MESSAGE]},
    "ChatRequest": _object(_nullable(_CHAT), closed=True)
    | {"anyOf": [{"required": ["model"]}, {"required": ["prompt"]}]},
    "ChatCompletion": _object(
        {
            "id": _TEXT,
            "object": {"const": "chat.completion"},
            "created": {"type": "integer"},
            "model": _TEXT,
            "choices": _list(_OBJECT),
            "usage": {"type": ["object", "null"]},
            "promptsaas": _object({"run_id": _TEXT, "sandbox": _BOOLEAN, "cost": _COST}),
        },
        ("id", "object", "created", "model", "choices", "usage", "promptsaas"),
    ),
    "OpenAIModel": _answer(
        {"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT}
    ),
    "OpenAIModelList": _answer({"object": {"const": "list"}, "data": _list(reference("OpenAIModel"))}),
    "ServedVersion": _object(
        {
            "id": _TEXT,
            "object": {"const": "prompt_version"},
            "prompt": {"type": "string", "description": "The prompt's id."},
            "name": _TEXT,
            "kind": {"enum": ["text", "chat"]},
            "version": {"type": "integer"},
            "label": {"type": ["string", "null"], "description": "The label that was asked for."},
            "labels": _list(_TEXT) | {"description": "The labels that point at this version."},
            "latest_version": {"type": "integer"},
            "messages": _ANY_MESSAGES,
            "variables": _list(_object({"name": _TEXT, "type": {"enum": list(VARIABLE_TYPES)}})),
            "model": _TEXT,
            "parameters": _OBJECT,
            "output_schema": {"type": ["object", "null"]},
            "tools": _list(_OBJECT),
            "content_hash": _TEXT,
            "created_at": {"type": "string", "format": "date-time"},
        },
        ("id", "object", "prompt", "name", "version", "label", "labels", "messages", "variables", "tools"),
    ),
    "RenderRequest": _object(_nullable(_OF_PROMPT), closed=True),
    "RenderedPrompt": _answer(
        {
            "object": {"const": "rendered_prompt"},
            "prompt": {"type": "string", "description": "The prompt's name."},
            "prompt_id": _TEXT_OR_NULL,
            "version": {"type": "integer"},
            "label": _TEXT_OR_NULL,
            "messages": _ANY_MESSAGES,
            "model": _TEXT,
            "parameters": _OBJECT,
            "output_schema": {"type": ["object", "null"]},
            "tools": _list(_OBJECT),
            "ignored_variables": _list(_TEXT),
            "request": {"type": ["object", "null"], "description": "The body that the provider would get."},
            "request_problem": {"type": ["string", "null"], "description": "Why there is no request."},
            "hash": _TEXT,
        }
    ),
    "RunRequest": _object(_nullable({**_OF_PROMPT, **_ASKED}), closed=True),
    "RunAnswer": _answer(
        {
            "id": _TEXT,
            "object": {"const": "run"},
            "created_at": {"type": "string", "format": "date-time"},
            "livemode": _BOOLEAN,
            "status": {"enum": ["succeeded", "failed", "cancelled"]},
            "prompt": {"type": ["string", "null"], "description": "The prompt's name."},
            "version": {"type": ["integer", "null"]},
            "label": _TEXT_OR_NULL,
            "model": _TEXT,
            "sandbox": _BOOLEAN,
            "output": _TEXT,
            "output_json": {"description": "The answer parsed, where the version has an output schema."},
            "tool_calls": _list(reference("ToolCall")),
            "finish_reason": _TEXT_OR_NULL,
            "usage": _USAGE,
            "cost": _COST,
            "latency_ms": {"type": "integer"},
            "first_token_ms": {"type": ["integer", "null"]},
            "cached_from": _TEXT_OR_NULL,
        }
    ),
}
