"""The gateway's part of the OpenAPI document, written out: its operations are no Django views."""

from typing import Any, Final

from apps.core.openapi import KEY_ONLY
from apps.gateway.openapi_responses import RESPONSE_SCHEMAS
from apps.gateway.openapi_schemas import SCHEMAS
from apps.gateway.openapi_shapes import reference

Schema = dict[str, Any]

_NAME: Final[Schema] = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The prompt's name, slashes and all, or its id.",
    "schema": {"type": "string", "minLength": 1},
}
_IDEMPOTENCY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request sent again with it within 24 hours makes one run and gets one answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_TEXT: Final[Schema] = {"schema": {"type": "string"}}
_LIMITS: Final[Schema] = {
    name: {"description": words, "schema": {"type": "string"}}
    for name, words in (
        ("Request-Id", "The id of this request, which its run carries as well."),
        ("RateLimit-Limit", "Requests a minute that the key has."),
        ("RateLimit-Remaining", "Requests that are left of them."),
        ("RateLimit-Reset", "Seconds until all are there again."),
    )
}


def _answer(words: str, name: str, *, stream: str = "", headers: Schema | None = None) -> Schema:
    content: Schema = {"application/json": {"schema": reference(name)}}
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    return {"description": words, "headers": {**_LIMITS, **(headers or {})}, "content": content}


def _body(name: str) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": reference(name)}}}


_CHAT: Final[Schema] = {
    "operationId": "create_chat_completion",
    "tags": ["Running"],
    "summary": "Chat completion, as OpenAI's",
    "description": (
        "Runs a prompt (`model: prompt:<name>@<label>` or `prompt: {id, version, variables}`) or a plain "
        "model. With `stream` the answer is OpenAI's events, the last of which is `[DONE]`."
    ),
    "parameters": [_IDEMPOTENCY],
    "requestBody": _body("ChatRequest"),
    "responses": {"200": _answer("The answer.", "ChatCompletion", stream="OpenAI's chunks.")},
}
_RESPONSE: Final[Schema] = {
    "operationId": "create_response",
    "tags": ["Running"],
    "summary": "Response, as OpenAI's Responses API",
    "description": (
        "Runs a prompt (`prompt: {id, version, variables}` or `model: prompt:<name>@<label>`) or a plain "
        "model with `input` as text or items. With `stream` the answer is OpenAI's typed events; with "
        "`background` it is 202 with a response that is `queued`. Earlier items of a conversation are sent "
        "in `input`: `previous_response_id` is refused."
    ),
    "parameters": [_IDEMPOTENCY],
    "requestBody": _body("ResponseRequest"),
    "responses": {
        "200": _answer("The response.", "Response", stream="OpenAI's typed events."),
        "202": _answer("Accepted in the background.", "Response", headers={"Location": _TEXT}),
    },
}
_GET_RESPONSE: Final[Schema] = {
    "operationId": "get_response",
    "tags": ["Running"],
    "summary": "A response by its id, which is its run's",
    "description": "Also how far a background response is. What `store: false` kept out is not answered.",
    "parameters": [
        {"name": "response", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ],
    "responses": {"200": _answer("The response.", "Response")},
}
_EMBEDDINGS: Final[Schema] = {
    "operationId": "create_embedding",
    "tags": ["Running"],
    "summary": "Embeddings, as OpenAI's",
    "description": (
        "Passed on to the connection that `model` names, and recorded as a run with its usage and price. "
        "Vectors are not kept, so an Idempotency-Key is refused."
    ),
    "requestBody": _body("EmbeddingRequest"),
    "responses": {"200": _answer("One vector for each input, in order.", "EmbeddingList")},
}
_MODELS: Final[Schema] = {
    "operationId": "list_models_as_openai",
    "tags": ["Running"],
    "summary": "What `model` may be: prompts at their labels, and plain models",
    "responses": {"200": _answer("Every one of the project.", "OpenAIModelList")},
}
_MODEL: Final[Schema] = {
    "operationId": "get_model",
    "tags": ["Running"],
    "summary": "One of them",
    "parameters": [
        {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ],
    "responses": {"200": _answer("The model.", "OpenAIModel")},
}
_GET: Final[Schema] = {
    "operationId": "get_prompt",
    "tags": ["Prompts"],
    "summary": "A version of a prompt",
    "description": (
        "By `label` or `version`; without either the label production. A moved label shows within a second; "
        "with `If-None-Match` the answer is 304 until then."
    ),
    "parameters": [
        _NAME,
        {"name": "label", "in": "query", "schema": {"type": "string"}},
        {
            "name": "version",
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        },
        {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
    ],
    "responses": {
        "200": _answer(
            "The version.", "ServedVersion", headers={"ETag": _TEXT, "Cache-Control": _TEXT, "Vary": _TEXT}
        ),
        "304": {"description": "What the client has still holds.", "headers": {**_LIMITS, "ETag": _TEXT}},
    },
}
_RENDER: Final[Schema] = {
    "operationId": "render_prompt",
    "tags": ["Prompts"],
    "summary": "A prompt with its variables filled in",
    "description": (
        "The messages byte for byte as a model would receive them, and the request that the provider would "
        "get. Nothing is run. Equal `hash`es mean equal calls. Values without a declared variable are "
        "listed in `ignored_variables`."
    ),
    "parameters": [_NAME],
    "requestBody": _body("RenderRequest"),
    "responses": {"200": _answer("What would be sent.", "RenderedPrompt", headers={"ETag": _TEXT})},
}
_RUN: Final[Schema] = {
    "operationId": "run_prompt",
    "tags": ["Running"],
    "summary": "Run a prompt",
    "description": (
        "Answers with the run. With `stream` as events, each with its name: `run.created`, `output.delta` "
        "(`text`), `tool_calls.delta` (`tool_calls`, OpenAI's deltas), and at the end, after the run is "
        "recorded, `run.completed` with the run, or `run.failed` with `error` and `run`. What is refused "
        "before the provider is called has a status of its own, streamed or not.\n\n"
        "With `background` it answers 202 at once, and a worker carries the run out with the rights that the "
        "key has then. Read it at `url`, or let a webhook tell you (`run.completed`, `run.failed`); cancel "
        "it at `url`/cancel."
    ),
    "parameters": [_NAME, _IDEMPOTENCY],
    "requestBody": _body("RunRequest"),
    "responses": {
        "200": _answer(
            "The run.",
            "RunAnswer",
            stream="run.created, output.delta, tool_calls.delta, run.completed, run.failed",
            headers={"Idempotent-Replayed": _TEXT, "Promptsaas-Cache": _TEXT},
        ),
        "202": _answer(
            "Accepted in the background.",
            "AcceptedRun",
            headers={"Idempotent-Replayed": _TEXT, "Location": _TEXT},
        ),
    },
}

PATHS: Final[dict[str, dict[str, Schema]]] = {
    "/v1/chat/completions": {"post": _CHAT},
    "/v1/responses": {"post": _RESPONSE},
    "/v1/responses/{response}": {"get": _GET_RESPONSE},
    "/v1/embeddings": {"post": _EMBEDDINGS},
    "/v1/models": {"get": _MODELS},
    "/v1/models/{model}": {"get": _MODEL},
    "/api/v1/prompts/{name}": {"get": _GET},
    "/api/v1/prompts/{name}/render": {"post": _RENDER},
    "/api/v1/prompts/{name}/run": {"post": _RUN},
}


def document_gateway(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Post-processing hook: add what the gateway answers. It comes before the one that adds the errors."""
    result.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS | RESPONSE_SCHEMAS)
    paths = result.setdefault("paths", {})
    for path, operations in PATHS.items():
        ours = {method: {**each, "security": KEY_ONLY} for method, each in operations.items()}
        paths[path] = {**paths.get(path, {}), **ours}
    result["paths"] = dict(sorted(paths.items()))
    return result
