"""The schemas of /v1/responses and /v1/embeddings, in JSON Schema. Data only."""

from typing import Any, Final

from apps.gateway import fields
from apps.gateway.embedding_requests import MOST_DIMENSIONS, MOST_INPUTS, MOST_TOKENS_OF_INPUT
from apps.gateway.openapi_schemas import ASKED, FILE_DATA, FILENAME, IMAGE_ADDRESS, PARAMETERS
from apps.gateway.openapi_shapes import (
    BOOLEAN,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    answer_of,
    integer,
    list_of,
    nullable,
    object_of,
)
from apps.prompts.tools import CHOICES, MAX_TOOLS
from apps.prompts.types import ROLES
from apps.runs.content_parts import DETAILS
from apps.runs.response_formats import TYPES

_NAMED_TEXT: Final[Schema] = {"type": "string", "minLength": 1}


def _part(kind: str, properties: Schema, required: tuple[str, ...]) -> Schema:
    return object_of({"type": {"const": kind}, **properties}, ("type", *required))


_TEXT_PARTS: Final = (
    _part("input_text", {"text": TEXT}, ("text",)),
    _part("output_text", {"text": TEXT}, ("text",)),
    _part("refusal", {"refusal": TEXT}, ("refusal",)),
)
_PARTS: Final = (
    *_TEXT_PARTS,
    _part(
        "input_image",
        {"image_url": IMAGE_ADDRESS, "detail": {"enum": [*DETAILS, None]}, "file_id": {"type": "null"}},
        ("image_url",),
    ),
    _part(
        "input_file",
        {
            "file_data": FILE_DATA,
            "filename": FILENAME,
            "file_id": {"type": "null"},
            "file_url": {"type": "null"},
        },
        ("file_data",),
    ),
)


def _content(parts: tuple[Schema, ...], *, least: int = 1) -> Schema:
    return {"anyOf": [TEXT, {"type": "array", "minItems": least, "items": {"anyOf": list(parts)}}]}


def _message(roles: dict[str, Any], parts: tuple[Schema, ...]) -> Schema:
    kind = {"enum": ["message", None]}
    return object_of({"type": kind, "role": roles, "content": _content(parts)}, ("role", "content"))


_ITEM: Final[Schema] = {
    "anyOf": [
        _message({"const": "user"}, _PARTS),
        _message({"enum": [role for role in ROLES if role != "user"]}, _TEXT_PARTS),
        _part(
            "function_call",
            {"call_id": _NAMED_TEXT, "name": _NAMED_TEXT, "arguments": TEXT},
            ("call_id", "name", "arguments"),
        ),
        _part(
            "function_call_output",
            {"call_id": _NAMED_TEXT, "output": _content(_TEXT_PARTS, least=0)},
            ("call_id", "output"),
        ),
    ]
}
_FUNCTION: Final[Schema] = object_of(
    {
        "type": {"const": "function"},
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        "description": {"type": ["string", "null"], "maxLength": 4000},
        "parameters": {"type": ["object", "null"], "description": "A JSON Schema of type object."},
        "strict": {"type": ["boolean", "null"]},
    },
    ("type", "name"),
    closed=True,
)
_FORMAT: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {"type": {"enum": list(TYPES)}, "name": TEXT, "schema": OBJECT},
    "required": ["type"],
}
_CHOICE: Final[Schema] = {
    "description": "Needs tools.",
    "anyOf": [
        {"enum": [*CHOICES, None]},
        object_of({"type": {"const": "function"}, "name": TEXT}, ("type", "name"), closed=True),
    ],
}
_REQUEST: Final[Schema] = {
    "model": {
        "type": "string",
        "description": "connection/model, or prompt:name, prompt:name@label, #7. Beside prompt: in place of "
        "its version's model.",
    },
    "prompt": object_of({"id": TEXT, "version": TEXT_OR_NULL, "variables": OBJECT}, ("id",)),
    "variables": {"type": "object", "description": "Values by name, as in prompt.variables."},
    "input": {"anyOf": [TEXT, list_of(_ITEM)]},
    "instructions": {"type": "string", "description": "A message of the role system before the input."},
    "tools": list_of(_FUNCTION, MAX_TOOLS),
    "tool_choice": _CHOICE,
    "parallel_tool_calls": BOOLEAN,
    "text": object_of({"format": _FORMAT, "verbosity": {"type": "null"}}, closed=True),
    "reasoning": object_of(
        {"effort": {"enum": [*PARAMETERS["reasoning_effort"]["enum"], None]}, "summary": {"type": "null"}}
    ),
    "max_output_tokens": PARAMETERS["max_tokens"],
    "temperature": PARAMETERS["temperature"],
    "top_p": PARAMETERS["top_p"],
    "seed": PARAMETERS["seed"],
    "background": BOOLEAN,
    "safety_identifier": {"type": "string", "maxLength": fields.USER_LENGTH, "description": "As user."},
    "truncation": {"const": "disabled"},
    "service_tier": {"enum": ["auto", "default"]},
    "include": {"type": "array", "maxItems": 0},
    "top_logprobs": {"const": 0},
    "stream_options": object_of({"include_obfuscation": {"const": False}}, closed=True),
    "previous_response_id": {"type": "null"},
    "conversation": {"type": "null"},
    "max_tool_calls": {"type": "null"},
    "sandbox_latency_ms": PARAMETERS["sandbox_latency_ms"],
    "sandbox_error_rate": PARAMETERS["sandbox_error_rate"],
    **ASKED,
}
_TOKENS: Final = list_of({"type": "integer", "minimum": 0}, MOST_TOKENS_OF_INPUT) | {"minItems": 1}

RESPONSE_SCHEMAS: Final[dict[str, Schema]] = {
    "ResponseRequest": object_of(nullable(_REQUEST), closed=True)
    | {"anyOf": [{"required": ["model"]}, {"required": ["prompt"]}]},
    "Response": object_of(
        {
            "id": {"type": "string", "description": "The run's id."},
            "object": {"const": "response"},
            "created_at": {"type": "integer"},
            "status": {"enum": ["completed", "incomplete", "queued", "in_progress", "failed", "cancelled"]},
            "background": BOOLEAN,
            "error": {"type": ["object", "null"]},
            "incomplete_details": {"type": ["object", "null"]},
            "model": TEXT,
            "output": list_of(OBJECT),
            "usage": {"type": ["object", "null"]},
            "metadata": OBJECT,
            "promptsaas": OBJECT,
        },
        ("id", "object", "created_at", "status", "error", "incomplete_details", "model", "output", "usage"),
    ),
    "EmbeddingRequest": object_of(
        {
            "model": {"type": "string", "minLength": 1, "description": "connection/model."},
            "input": {
                "anyOf": [
                    _NAMED_TEXT,
                    list_of(_NAMED_TEXT, MOST_INPUTS) | {"minItems": 1},
                    _TOKENS,
                    list_of(_TOKENS, MOST_INPUTS) | {"minItems": 1},
                ]
            },
            "encoding_format": {"enum": ["float", "base64", None]},
            "dimensions": {"anyOf": [integer(1, MOST_DIMENSIONS), {"type": "null"}]},
            **nullable({name: ASKED[name] for name in ("metadata", "user", "unit", "store")}),
        },
        ("model", "input"),
        closed=True,
    ),
    "EmbeddingList": object_of(
        {
            "object": {"const": "list"},
            "model": TEXT,
            "data": list_of(
                answer_of(
                    {
                        "object": {"const": "embedding"},
                        "index": {"type": "integer"},
                        "embedding": {"description": "Numbers, or base64 of 32-bit floats."},
                    }
                )
            ),
            "usage": {"type": ["object", "null"], "description": "null where the provider does not say."},
            "promptsaas": OBJECT,
        },
        ("object", "model", "data", "usage", "promptsaas"),
    ),
}
