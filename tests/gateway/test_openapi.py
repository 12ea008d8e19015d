"""The OpenAPI document has the gateway's operations, and they validate."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client

from apps.gateway.openapi import PATHS
from apps.gateway.routes import ROUTES, KeyRoute

pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> Any:
    return json.loads(Client().get("/api/v1/openapi.json").content)


def test_document__every_route_for_keys__is_an_operation() -> None:
    documented = {(method.upper(), path) for path, each in PATHS.items() for method in each}
    routes = {(route.method, route.path) for route in ROUTES if isinstance(route, KeyRoute)}
    starred = {(method, re.sub(r"\{\w+\}", "*", path)) for method, path in documented}
    assert starred == routes


def test_document__with_the_gateways_part__keeps_webs_and_has_errors(document: Any) -> None:
    operations = document["paths"]["/api/v1/prompts/{name}/run"]["post"]
    assert operations["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "Error"
    )
    assert operations["security"] == [{"apiKey": []}]
    assert "get" in document["paths"]["/api/v1/prompts/{name}/versions"]


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("ChatRequest", {"model": "sandbox/fast", "messages": [{"role": "user", "content": "x"}]}, True),
        ("ChatRequest", {"messages": []}, False),
        ("ChatRequest", {"model": "x", "messages": [{"role": "tool", "content": "x"}]}, False),
        ("RunRequest", {"variables": {"a": 1}, "label": "production", "stream": True}, True),
        ("RunRequest", {"nothing": 1}, False),
        ("ResponseRequest", {"model": "sandbox/fast", "input": "Hello"}, True),
        ("ResponseRequest", {"model": "x", "input": [{"type": "reasoning"}]}, False),
        ("ResponseRequest", {"model": "x", "previous_response_id": "run_1"}, False),
        ("EmbeddingRequest", {"model": "sandbox/embedding", "input": [[1, 2], [3]]}, True),
        ("EmbeddingRequest", {"model": "sandbox/embedding", "input": []}, False),
    ],
)
def test_schema__of_a_request__tells_good_from_bad(document: Any, name: str, value: Any, fits: bool) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    assert jsonschema_rs.validator_for(schema).is_valid(value) is fits
