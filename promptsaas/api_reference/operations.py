"""The operations of the document in the shape that the reference page draws. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from promptsaas.api_reference.schemas import Field, Schemas, limits

METHODS: Final = ("get", "post", "put", "patch", "delete")
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation answers with."""

    status: str
    text: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    parameters: list[Field]
    body_kind: str
    body: list[Field]
    answers: list[Answer]
    snippets: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one tag."""

    name: str
    operations: list[Operation]


def groups_of(document: dict[str, Any], origin: str) -> list[Group]:
    """Every operation by tag, in the order of the document; `origin` stands in the examples."""
    schemas = Schemas(document)
    found: dict[str, list[Operation]] = {}
    for path, method, operation in operations_in(document):
        tag = (operation.get("tags") or ["Other"])[0]
        found.setdefault(tag, []).append(_operation(schemas, path, method, operation, origin))
    return [Group(name, found[name]) for name in sorted(found)]


def operations_in(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything in the document."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def body_of(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of body that is sent and its schema; JSON first, empty where there is none."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return "", {}
    kind = JSON if JSON in content else next(iter(content))
    return kind, content[kind].get("schema", {})


def example_body(schemas: Schemas, operation: dict[str, Any]) -> Any:
    """A JSON body that can be sent; None where none is taken."""
    kind, schema = body_of(operation)
    given = operation.get("requestBody", {}).get("content", {}).get(kind, {}).get("example")
    if given is not None:
        return given
    return schemas.example(schema, required_only=False) if kind == JSON else None


def _operation(schemas: Schemas, path: str, method: str, operation: dict[str, Any], origin: str) -> Operation:
    description = operation.get("description", "").strip().replace("``", "")
    summary, _, rest = description.partition("\n")
    kind, schema = body_of(operation)
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary") or summary.rstrip("."),
        text=rest.strip(),
        parameters=[_parameter(schemas, each) for each in operation.get("parameters", ())],
        body_kind="" if kind in ("", JSON) else kind,
        body=schemas.fields(schema) if schema else [],
        answers=[_answer(schemas, *each) for each in operation["responses"].items() if each[0] != "default"],
        snippets=_snippets(schemas, path, method, operation, origin),
    )


def _parameter(schemas: Schemas, parameter: dict[str, Any]) -> Field:
    schema = parameter.get("schema", {})
    text = limits(schema, parameter.get("description", ""))
    return Field(parameter["name"], schemas.type_of(schema), parameter.get("required", False), text, 0)


def _answer(schemas: Schemas, status: str, answer: dict[str, Any]) -> Answer:
    schema = answer.get("content", {}).get(JSON, {}).get("schema", {})
    fields = schemas.fields(schema) if schema else []
    return Answer(status, answer.get("description", ""), fields)


def _snippets(
    schemas: Schemas, path: str, method: str, operation: dict[str, Any], origin: str
) -> list[tuple[str, str]]:
    address = origin + re.sub(r"{(\w+)}", lambda found: found[1].upper(), path)
    needed = {
        each["name"]: schemas.example(each.get("schema", {}))
        for each in operation.get("parameters", ())
        if each.get("in") == "query" and each.get("required")
    }
    if needed:
        address += f"?{urlencode(needed)}"
    kind, _ = body_of(operation)
    body = example_body(schemas, operation)
    return [("curl", _curl(method, address, kind, body)), ("Python", _python(method, address, kind, body))]


def _curl(method: str, address: str, kind: str, body: Any) -> str:
    lines = [f"curl {'' if method == 'get' else f'-X {method.upper()} '}{address}"]
    lines.append('-H "Authorization: Bearer $PROMPTSAAS_KEY"')
    if body is not None:
        lines.append('-H "Content-Type: application/json"')
        lines.append("-d '" + json.dumps(body).replace("'", "'\\''") + "'")
    elif kind:
        lines.append("-F file=@reviews.csv")
    return " \\\n  ".join(lines)


def _python(method: str, address: str, kind: str, body: Any) -> str:
    lines = ["import os", "", "import requests", "", f"answer = requests.{method}(", f'    "{address}",']
    lines.append("""    headers={"Authorization": f"Bearer {os.environ['PROMPTSAAS_KEY']}"},""")
    if body is not None:
        lines.append(f"    json={_literal(body)},")
    elif kind:
        lines.append('    files={"file": open("reviews.csv", "rb")},')
    lines += ["    timeout=30,", ")", "answer.raise_for_status()", "print(answer.json())"]
    return "\n".join(lines)


def _literal(value: Any) -> str:
    return repr(value).replace("'", '"') if '"' not in repr(value) else repr(value)
