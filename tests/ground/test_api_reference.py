"""What is made from the OpenAPI document: the reference page and the Postman collection."""

import json
from typing import Any

import pytest
from django.test import Client

from promptsaas.api_reference.document import openapi_document
from promptsaas.api_reference.operations import groups_of, operations_in
from promptsaas.api_reference.postman import postman_collection
from promptsaas.api_reference.schemas import Schemas

ORIGIN = "https://prompts.example.com"


def test_reference__page__has_every_operation_and_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/docs/api/").content.decode()
    for _, _, operation in operations_in(openapi_document()):
        assert f'id="{operation["operationId"]}"' in page
    assert 'src="http' not in page
    assert "<script>" not in page
    assert "style=" not in page


def test_openapi__document__is_31_and_names_every_operation_once(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for _, _, operation in operations_in(document)]
    assert len(names) == len(set(names))
    told = {name: name for name in ("description", "summary")}
    silent = [each["operationId"] for _, _, each in operations_in(document) if not told.keys() & each.keys()]
    assert silent == []


def test_postman__collection__has_every_operation_with_a_body_that_is_json(client: Client) -> None:
    collection = client.get("/docs/api/postman.json").json()
    items = [item for folder in collection["item"] for item in folder["item"]]
    assert len(items) == len(list(operations_in(openapi_document())))
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    for item in items:
        body = item["request"].get("body", {})
        if body.get("mode") == "raw":
            json.loads(body["raw"])
        assert "{" not in "".join(item["request"]["url"]["path"])


TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "info": {"title": "T"},
    "paths": {
        "/things/{thing}": {
            "post": {
                "operationId": "make_thing",
                "description": "Make a thing.\n\nMore words.",
                "parameters": [
                    {"name": "thing", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
                "responses": {"201": {"description": "Made."}},
            }
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 40, "description": "It's a name."},
                    "size": {"type": ["integer", "null"], "minimum": 1},
                    "kind": {"enum": ["a", "b"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
            }
        }
    },
}


def test_operation__of_a_document__is_told_in_words() -> None:
    operation = groups_of(SCHEMA, ORIGIN)[0].operations[0]
    assert (operation.method, operation.summary, operation.text) == ("POST", "Make a thing", "More words.")
    shown = {(field.name, field.depth): (field.type, field.text) for field in operation.body}
    assert shown["name", 0] == ("text", "It's a name. At most 40 characters.")
    assert shown["size", 0] == ("whole number or null", "At least 1.")
    assert shown["kind", 0] == ("a | b", "")
    assert shown["parts", 0][0] == "list of object"
    assert ("name", 2) in shown
    assert ("name", 3) not in shown
    curl, python = (text for _, text in operation.snippets)
    assert f"curl -X POST {ORIGIN}/things/THING" in curl
    compile(python, "snippet", "exec")


def test_postman__operation__has_its_parameters() -> None:
    item = postman_collection(SCHEMA, ORIGIN)["item"][0]["item"][0]
    assert item["request"]["url"]["path"] == ["things", ":thing"]
    assert json.loads(item["request"]["body"]["raw"]) == {"name": "text"}


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string", "format": "date-time"}, "2026-11-21T09:00:00Z"),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": "object"}, {}),
        ({"type": "string", "default": "x"}, "x"),
    ],
)
def test_example__of_a_schema__is_of_its_type(schema: dict[str, Any], example: Any) -> None:
    assert Schemas({}).example(schema) == example
