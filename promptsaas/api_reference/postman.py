"""The OpenAPI document as a Postman collection, format 2.1. Pure.

The format: https://schema.getpostman.com/json/collection/v2.1.0/collection.json
"""

import json
import re
from typing import Any, Final

from promptsaas.api_reference.operations import JSON, body_of, example_body, operations_in
from promptsaas.api_reference.schemas import Schemas

FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def postman_collection(document: dict[str, Any], origin: str) -> dict[str, Any]:
    """A collection with a folder for each tag; address and key are its two variables."""
    schemas = Schemas(document)
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations_in(document):
        tag = (operation.get("tags") or ["Other"])[0]
        folders.setdefault(tag, []).append(_item(schemas, path, method, operation))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": FORMAT,
        },
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}],
        },
        "variable": [
            {"key": "baseUrl", "value": origin},
            {"key": "apiKey", "value": "", "description": "An API key of a project."},
        ],
        "item": [{"name": tag, "item": folders[tag]} for tag in sorted(folders)],
    }


def _item(schemas: Schemas, path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    description = operation.get("description", "")
    request: dict[str, Any] = {
        "method": method.upper(),
        "description": description,
        "header": [],
        "url": _address(schemas, path, operation),
    }
    kind, schema = body_of(operation)
    if kind == JSON:
        request["header"].append({"key": "Content-Type", "value": JSON})
        raw = json.dumps(example_body(schemas, operation), indent=2)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    elif kind:
        request["body"] = {"mode": "formdata", "formdata": [_part(each) for each in schemas.fields(schema)]}
    return {"name": operation["operationId"].replace("_", " ").capitalize(), "request": request}


def _part(field: Any) -> dict[str, Any]:
    return {"key": field.name, "type": "file" if field.type == "file" else "text", "description": field.text}


def _address(schemas: Schemas, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    segments = [re.sub(r"{(\w+)}", r":\1", segment) for segment in path.strip("/").split("/")]
    parameters = operation.get("parameters", ())
    query = [
        {
            "key": each["name"],
            "value": "",
            "description": each.get("description", ""),
            "disabled": not each.get("required", False),
        }
        for each in parameters
        if each["in"] == "query"
    ]
    variables = [{"key": each["name"], "value": ""} for each in parameters if each["in"] == "path"]
    found = {"raw": "{{baseUrl}}/" + "/".join(segments), "host": ["{{baseUrl}}"], "path": segments}
    return {**found, "query": query, "variable": variables}
