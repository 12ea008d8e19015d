"""Code that repeats what stands on a playground page: curl, Python, Node. Pure."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Call:
    """A call to show: a saved version by its name, or the rendered messages to a model."""

    path: str
    body: Mapping[str, Any]


def version_call(
    name: str, number: int, values: Mapping[str, Any], model: str, parameters: Mapping[str, Any]
) -> Call:
    """The run of a saved version."""
    body: dict[str, Any] = {"version": number, "variables": dict(values)}
    if model:
        body["model"] = model
    if parameters:
        body["parameters"] = dict(parameters)
    return Call(f"/api/v1/prompts/{quote(name)}/run", body)


def chat_call(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
    output_schema: Mapping[str, Any] | None,
    tools: Sequence[Mapping[str, Any]],
) -> Call:
    """The same messages to the same model."""
    body: dict[str, Any] = {"model": model, "messages": list(messages), **parameters}
    if output_schema:
        described = {"name": "output", "schema": output_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": described}
    if tools:
        body["tools"] = list(tools)
    return Call("/v1/chat/completions", body)


def snippets(origin: str, call: Call) -> dict[str, str]:
    """The call in each language; the key comes from PROMPTSAAS_KEY."""
    address = f"{origin}{call.path}"
    body = json.dumps(call.body, indent=2, ensure_ascii=False)
    return {"curl": _curl(address, body), "python": _python(address, call.body), "node": _node(address, body)}


def _curl(address: str, body: str) -> str:
    return (
        f"curl {address} \\\n"
        '  -H "Authorization: Bearer $PROMPTSAAS_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )


def _python(address: str, body: Mapping[str, Any]) -> str:
    return (
        "import json\nimport os\nimport urllib.request\n\n"
        f"body = {_literal(body)}\n"
        "request = urllib.request.Request(\n"
        f'    "{address}",\n'
        "    data=json.dumps(body).encode(),\n"
        "    headers={\n"
        '        "Authorization": f"Bearer {os.environ[\'PROMPTSAAS_KEY\']}",\n'
        '        "Content-Type": "application/json",\n'
        "    },\n"
        ")\n"
        "with urllib.request.urlopen(request) as answer:\n"
        "    print(json.load(answer))"
    )


def _literal(body: Mapping[str, Any]) -> str:
    """A Python literal, a field a line."""
    lines = "".join(f"    {name!r}: {value!r},\n" for name, value in body.items())
    return "{\n" + lines + "}"


def _node(address: str, body: str) -> str:
    return (
        f'const answer = await fetch("{address}", {{\n'
        '  method: "POST",\n'
        "  headers: {\n"
        '    "Authorization": `Bearer ${process.env.PROMPTSAAS_KEY}`,\n'
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({body}),\n"
        "});\n"
        "console.log(await answer.json());"
    )
