"""The schemas of the gateway's bodies and answers, in JSON Schema. Data only."""

from typing import Final

from apps.gateway import fields
from apps.gateway.openapi_shapes import (
    BOOLEAN,
    COUNT_OR_NULL,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    answer_of,
    integer,
    list_of,
    nullable,
    number,
    object_of,
    reference,
)
from apps.prompts.rendering import VARIABLE_TYPES
from apps.prompts.tools import CHOICES, MAX_TOOLS
from apps.prompts.types import ROLES
from apps.runs.cache_plan import LONGEST_SECONDS
from apps.runs.content_parts import DETAILS, LONGEST_FILENAME, MOST_ATTACHMENTS
from apps.runs.conversation import MOST_CALLS, TOOL
from apps.runs.repair import MOST_ATTEMPTS
from apps.runs.response_formats import TYPES

_TOOL_CALL: Final = object_of(
    {
        "id": {"type": "string", "minLength": 1},
        "type": {"const": "function"},
        "function": object_of(
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
    "items": object_of({"type": {"const": "text"}, "text": TEXT}, ("type", "text")),
}
_CONTENT: Final[Schema] = {"anyOf": [TEXT, _TEXT_PARTS]}
IMAGE_ADDRESS: Final[Schema] = {
    "type": "string",
    "pattern": "^(https://|data:image/(png|jpeg|gif|webp);base64,)",
    "description": "An https address, which the provider fetches, or a data URL (PNG, JPEG, GIF, WebP).",
}
FILE_DATA: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "description": (
        "A data URL in base64 (PDF, plain text, Markdown, CSV, HTML, JSON), or bare base64 whose type the "
        "filename's ending tells."
    ),
}
FILENAME: Final[Schema] = {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_FILENAME}
_USER_PARTS: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "description": f"Texts, images and files; at most {MOST_ATTACHMENTS} images and files a call.",
    "items": {
        "anyOf": [
            object_of({"type": {"const": "text"}, "text": TEXT}, ("type", "text")),
            object_of(
                {
                    "type": {"const": "image_url"},
                    "image_url": object_of(
                        {"url": IMAGE_ADDRESS, "detail": {"enum": [*DETAILS, None]}}, ("url",)
                    ),
                },
                ("type", "image_url"),
            ),
            object_of(
                {
                    "type": {"const": "file"},
                    "file": object_of({"file_data": FILE_DATA, "filename": FILENAME}, ("file_data",)),
                },
                ("type", "file"),
            ),
        ]
    },
}
_NULL: Final[Schema] = {"type": "null"}
# What a client sends back of an earlier answer is taken: fields that are null or empty count as absent.
_ABSENT: Final[Schema] = {"additionalProperties": {"type": ["array", "null"], "maxItems": 0}}
_PLAIN_MESSAGE: Final = (
    object_of({"role": {"enum": list(ROLES)}, "content": _CONTENT}, ("role", "content")) | _ABSENT
)
_USER_MESSAGE: Final = (
    object_of({"role": {"const": "user"}, "content": _USER_PARTS}, ("role", "content")) | _ABSENT
)
_CALLING_MESSAGE: Final = (
    object_of(
        {
            "role": {"const": "assistant"},
            "content": {"anyOf": [TEXT, _TEXT_PARTS | {"minItems": 0}, _NULL]},
            "tool_calls": list_of(reference("ToolCall"), MOST_CALLS) | {"minItems": 1},
        },
        ("role", "tool_calls"),
    )
    | _ABSENT
)
_TOOL_MESSAGE: Final = (
    object_of(
        {
            "role": {"const": TOOL},
            "content": _CONTENT,
            "tool_call_id": {"type": "string", "minLength": 1},
        },
        ("role", "content", "tool_call_id"),
    )
    | _ABSENT
)
_TOOL: Final = object_of(
    {
        "type": {"const": "function"},
        "function": object_of(
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
PARAMETERS: Final[Schema] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "max_tokens": integer(1, 1_000_000),
    "max_completion_tokens": integer(1, 1_000_000),
    "stop": {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 200},
            list_of({"type": "string", "minLength": 1, "maxLength": 200}, 4) | {"minItems": 1},
        ]
    },
    "seed": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "reasoning_effort": {"enum": ["none", "minimal", "low", "medium", "high", "xhigh"]},
    "response_format": {
        "type": "object",
        "description": "text, json_object, or json_schema, which takes the place of the version's schema.",
        "properties": {"type": {"enum": list(TYPES)}, "json_schema": OBJECT},
        "required": ["type"],
    },
    "tool_choice": {
        "description": "Needs tools.",
        "anyOf": [
            {"enum": [*CHOICES, None]},
            object_of(
                {"type": {"const": "function"}, "function": object_of({"name": TEXT}, ("name",))},
                ("type", "function"),
                closed=True,
            ),
        ],
    },
    "parallel_tool_calls": BOOLEAN,
    "sandbox_latency_ms": number(0, 60_000),
    "sandbox_error_rate": number(0, 1),
}
_METADATA: Final[Schema] = {
    "type": "object",
    "maxProperties": fields.METADATA_PAIRS,
    "propertyNames": {"maxLength": fields.METADATA_KEY_LENGTH},
    "additionalProperties": {"type": "string", "maxLength": fields.METADATA_VALUE_LENGTH},
}
_SHARED: Final[Schema] = {
    "variables": {"type": "object", "description": "Values by name."},
    "messages": list_of(reference("ChatMessage")),
    "tools": list_of(reference("Tool"), MAX_TOOLS),
}
_SIMILAR: Final = object_of(
    nullable({"threshold": {"type": "number", "minimum": 0.5, "maximum": 1}}), closed=True
)
_CACHE: Final[Schema] = {
    "description": "Takes the place of the policy's word: false asks no cache, true asks those there are. "
    "seconds is how old an answer may be; ttl_seconds is its older name.",
    "anyOf": [
        BOOLEAN,
        object_of(
            nullable(
                {
                    "seconds": integer(1, LONGEST_SECONDS),
                    "ttl_seconds": integer(1, LONGEST_SECONDS),
                    "semantic": {"anyOf": [BOOLEAN, _SIMILAR]},
                }
            ),
            closed=True,
        ),
    ],
}
_CACHE_HIT: Final = answer_of(
    {
        "kind": {"enum": ["exact", "semantic"]},
        "distance": {"type": ["number", "null"], "description": "Of a semantic hit; 0 means the same."},
        "source": {"type": "string", "description": "The run whose answer it is."},
    }
)
ASKED: Final[Schema] = {
    "stream": BOOLEAN,
    "metadata": _METADATA,
    "user": {"type": "string", "maxLength": fields.USER_LENGTH, "description": "Your own user."},
    "unit": {
        "type": "string",
        "maxLength": fields.USER_LENGTH,
        "description": "Your own name of what the run is for, such as a case; runs are found by it.",
    },
    "store": {"type": "boolean", "description": "false keeps no content of the run, only its figures."},
    "cache": _CACHE,
    "repair": object_of({"attempts": integer(0, MOST_ATTEMPTS)}, ("attempts",), closed=True),
}
_BACKGROUND: Final[Schema] = {
    "type": "boolean",
    "description": "Answer 202 at once and let a worker carry the run out; not together with stream.",
}
_OF_PROMPT: Final[Schema] = {
    "label": {"type": ["string", "null"], "description": "production without label and version."},
    "version": {"type": ["integer", "null"], "minimum": 1, "maximum": fields.LARGEST_NUMBER},
    **_SHARED,
    "model": {"type": ["string", "null"], "description": "connection/model, in place of the version's."},
    "overrides": object_of(nullable(PARAMETERS), closed=True)
    | {"description": "Parameters in place of the version's. `parameters` is its older name; give one."},
    "parameters": object_of(nullable(PARAMETERS), closed=True),
}
_CHAT: Final[Schema] = {
    "model": {"type": "string", "description": "connection/model, or prompt:name, prompt:name@label, #7."},
    "prompt": object_of({"id": TEXT, "version": TEXT_OR_NULL, "variables": OBJECT}, ("id",)),
    **_SHARED,
    **ASKED,
    "stream_options": object_of({"include_usage": BOOLEAN}),
    "n": {"const": 1},
    "safety_identifier": {"type": "string", "maxLength": fields.USER_LENGTH, "description": "As user."},
    "logprobs": {"const": False},
    "top_logprobs": {"const": 0},
    "service_tier": {"enum": ["auto", "default"]},
    "modalities": {"const": ["text"]},
    **PARAMETERS,
}
_USAGE: Final = answer_of(
    {
        "input_tokens": COUNT_OR_NULL,
        "output_tokens": COUNT_OR_NULL,
        "cached_tokens": COUNT_OR_NULL,
        "origin": {"enum": ["provider", "estimated", "cache", "none"]},
    }
)
_COST: Final = answer_of(
    {
        "status": {"enum": ["priced", "free", "unknown", "sandbox", "none"]},
        "amount": {"type": ["string", "null"], "description": "Decimal US dollars; null is unknown."},
        "currency": {"const": "USD"},
    }
)
_ANY_MESSAGES: Final = list_of(OBJECT)

SCHEMAS: Final[dict[str, Schema]] = {
    "ToolCall": _TOOL_CALL,
    "Tool": _TOOL,
    "ChatMessage": {"anyOf": [_PLAIN_MESSAGE, _USER_MESSAGE, _CALLING_MESSAGE, _TOOL_MESSAGE]},
    "ChatRequest": object_of(nullable(_CHAT), closed=True)
    | {"anyOf": [{"required": ["model"]}, {"required": ["prompt"]}]},
    "ChatCompletion": object_of(
        {
            "id": TEXT,
            "object": {"const": "chat.completion"},
            "created": {"type": "integer"},
            "model": TEXT,
            "choices": list_of(OBJECT),
            "usage": {"type": ["object", "null"]},
            "promptsaas": object_of({"run_id": TEXT, "sandbox": BOOLEAN, "cost": _COST}),
        },
        ("id", "object", "created", "model", "choices", "usage", "promptsaas"),
    ),
    "OpenAIModel": answer_of(
        {"id": TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": TEXT}
    ),
    "OpenAIModelList": answer_of({"object": {"const": "list"}, "data": list_of(reference("OpenAIModel"))}),
    "ServedVersion": object_of(
        {
            "id": TEXT,
            "object": {"const": "prompt_version"},
            "prompt": {"type": "string", "description": "The prompt's id."},
            "name": TEXT,
            "kind": {"enum": ["text", "chat"]},
            "version": {"type": "integer"},
            "label": {"type": ["string", "null"], "description": "The label that was asked for."},
            "labels": list_of(TEXT) | {"description": "The labels that point at this version."},
            "latest_version": {"type": "integer"},
            "messages": _ANY_MESSAGES,
            "variables": list_of(object_of({"name": TEXT, "type": {"enum": list(VARIABLE_TYPES)}})),
            "model": TEXT,
            "parameters": OBJECT,
            "output_schema": {"type": ["object", "null"]},
            "tools": list_of(OBJECT),
            "content_hash": TEXT,
            "created_at": {"type": "string", "format": "date-time"},
        },
        ("id", "object", "prompt", "name", "version", "label", "labels", "messages", "variables", "tools"),
    ),
    "RenderRequest": object_of(nullable(_OF_PROMPT), closed=True),
    "RenderedPrompt": answer_of(
        {
            "object": {"const": "rendered_prompt"},
            "prompt": {"type": "string", "description": "The prompt's name."},
            "prompt_id": TEXT_OR_NULL,
            "version": {"type": "integer"},
            "label": TEXT_OR_NULL,
            "messages": _ANY_MESSAGES,
            "model": TEXT,
            "parameters": OBJECT,
            "output_schema": {"type": ["object", "null"]},
            "tools": list_of(OBJECT),
            "ignored_variables": list_of(TEXT),
            "request": {"type": ["object", "null"], "description": "The body that the provider would get."},
            "request_problem": {"type": ["string", "null"], "description": "Why there is no request."},
            "hash": TEXT,
        }
    ),
    "RunRequest": object_of(nullable({**_OF_PROMPT, **ASKED, "background": _BACKGROUND}), closed=True),
    "AcceptedRun": answer_of(
        {
            "id": TEXT,
            "object": {"const": "run"},
            "created_at": {"type": "string", "format": "date-time"},
            "livemode": BOOLEAN,
            "status": {"const": "queued"},
            "background": {"const": True},
            "prompt": {"type": ["string", "null"], "description": "The prompt's name, or what named it."},
            "model": {"type": ["string", "null"], "description": "The model that the call named."},
            "url": {"type": "string", "description": "Where the run is read."},
        }
    ),
    "RunAnswer": answer_of(
        {
            "id": TEXT,
            "object": {"const": "run"},
            "created_at": {"type": "string", "format": "date-time"},
            "livemode": BOOLEAN,
            "status": {"enum": ["succeeded", "failed", "cancelled"]},
            "prompt": {"type": ["string", "null"], "description": "The prompt's name."},
            "version": {"type": ["integer", "null"]},
            "label": TEXT_OR_NULL,
            "model": TEXT,
            "sandbox": BOOLEAN,
            "output": TEXT,
            "output_json": {"description": "The answer parsed, where the version has an output schema."},
            "tool_calls": list_of(reference("ToolCall")),
            "finish_reason": TEXT_OR_NULL,
            "usage": _USAGE,
            "cost": _COST,
            "latency_ms": {"type": "integer"},
            "first_token_ms": {"type": ["integer", "null"]},
            "cached_from": TEXT_OR_NULL,
            "cache": {"anyOf": [_CACHE_HIT, {"type": "null"}]},
        }
    ),
}
