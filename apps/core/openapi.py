"""What every operation of the OpenAPI document shares: lists, errors, security, cursor parameters."""

from functools import cache
from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from apps.core import ids
from apps.core.api import DEFAULT_LIMIT, LARGEST_LIMIT

# What an operation says that takes no session.
KEY_ONLY: Final[list[dict[str, list[str]]]] = [{"apiKey": []}]
CURSORS: Final = ("starting_after", "ending_before")
CURSOR_PARAMETERS: Final = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
        description="How many objects a page holds.",
    ),
    OpenApiParameter("starting_after", str, description="The id after which the page begins."),
    OpenApiParameter("ending_before", str, description="The id before which the page ends."),
]


@cache
def list_of(item: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """The envelope of a list of one kind of object."""
    return inline_serializer(
        name=item.__name__.replace("Serializer", "List"),
        fields={
            "object": serializers.CharField(default="list"),
            "data": item(many=True),
            "has_more": serializers.BooleanField(),
            "next_cursor": serializers.CharField(allow_null=True),
            "url": serializers.CharField(),
        },
    )


def document_errors(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Post-processing hook: every operation may answer with the error shape."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    _drop_choices_of_anything(result)
    for path in result.get("paths", {}).values():
        _bound_cursors(path.get("get", {}), schemas)
    schemas["Error"] = ERROR_SCHEMA
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    for path in result.get("paths", {}).values():
        for operation in path.values():
            operation["responses"]["default"] = {"description": "An error.", **answer}
            if operation.get("security") != KEY_ONLY:
                operation["security"] = [*KEY_ONLY, {"session": []}]
    schemes = result["components"].setdefault("securitySchemes", {})
    schemes["session"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "Our own pages, with the CSRF token in X-CSRFToken and Promptsaas-Project.",
    }
    schemes["apiKey"] = {"type": "http", "scheme": "bearer", "bearerFormat": "psk_live_… or psk_test_…"}
    return result


def _bound_cursors(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A list's cursors are ids of its objects: say of which kind."""
    pattern = _id_pattern(operation, schemas)
    for parameter in operation.get("parameters", ()):
        if pattern and parameter["name"] in CURSORS:
            parameter["schema"] = {"type": "string", "pattern": pattern}


def _id_pattern(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    answer = operation.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
    envelope = schemas.get(answer.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    items = envelope.get("properties", {}).get("data", {}).get("items", {})
    item = schemas.get(items.get("$ref", "").rpartition("/")[2], {})
    kind = item.get("properties", {}).get("object", {})
    name = schemas.get(kind.get("$ref", "").rpartition("/")[2], kind)
    word = name.get("default") or (name.get("enum") or [""])[0]
    prefix = ids.prefix_of_kind(str(word))
    return f"^{prefix}_[0-7][{ids.ALPHABET}]{{{ids.LENGTH - 1}}}$" if prefix else ""


def _drop_choices_of_anything(part: Any) -> None:
    """What may be anything needs no choice: of "anything or null", which we are given, null is both."""
    if isinstance(part, list):
        for each in part:
            _drop_choices_of_anything(each)
    if isinstance(part, dict):
        if part.get("oneOf") == ANYTHING_OR_NULL:
            del part["oneOf"]
        for each in part.values():
            _drop_choices_of_anything(each)


ANYTHING_OR_NULL: Final[list[dict[str, str]]] = [{}, {"type": "null"}]
ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The one shape of every error.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "code", "message", "param", "doc_url", "request_id"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": [
                        "invalid_request_error",
                        "authentication_error",
                        "permission_error",
                        "not_found_error",
                        "conflict_error",
                        "idempotency_error",
                        "rate_limit_error",
                        "quota_error",
                        "provider_error",
                        "api_error",
                    ],
                },
                "code": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "doc_url": {"type": "string"},
                "request_id": {"type": ["string", "null"]},
            },
        }
    },
}
