"""Calls of a prompt to copy. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson


def curl_call(origin: str, reference: str, variables: Iterable[Mapping[str, Any]]) -> str:
    """Run a prompt through the OpenAI-compatible address; the key comes from PROMPTSAAS_KEY."""
    values = _needed(variables)
    body = {"model": f"prompt:{reference}", "messages": [], "variables": values}
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode().replace("'", "'\\''")
    return (
        f"curl {origin}/v1/chat/completions \\\n"
        '  -H "Authorization: Bearer $PROMPTSAAS_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{text}'"
    )


def python_call(origin: str, reference: str, variables: Iterable[Mapping[str, Any]]) -> str:
    """The same call with OpenAI's Python client."""
    values = _needed(variables)
    return (
        "import os\n\n"
        "from openai import OpenAI\n\n"
        "client = OpenAI(\n"
        f'    base_url="{origin}/v1",\n'
        '    api_key=os.environ["PROMPTSAAS_KEY"],\n'
        ")\n"
        "answer = client.chat.completions.create(\n"
        f'    model="prompt:{reference}",\n'
        "    messages=[],\n"
        f'    extra_body={{"variables": {values!r}}},\n'
        ")\n"
        "print(answer.choices[0].message.content)"
    )


def node_call(origin: str, reference: str, variables: Iterable[Mapping[str, Any]]) -> str:
    """The same call with OpenAI's client for Node."""
    values = orjson.dumps(_needed(variables), option=orjson.OPT_INDENT_2).decode().replace("\n", "\n  ")
    return (
        'import OpenAI from "openai";\n\n'
        "const client = new OpenAI({\n"
        f'  baseURL: "{origin}/v1",\n'
        "  apiKey: process.env.PROMPTSAAS_KEY,\n"
        "});\n"
        "const answer = await client.chat.completions.create({\n"
        f'  model: "prompt:{reference}",\n'
        "  messages: [],\n"
        "  // @ts-expect-error: not in the client's types\n"
        f"  variables: {values},\n"
        "});\n"
        "console.log(answer.choices[0].message.content);"
    )


def calls(origin: str, reference: str, variables: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Every call of a prompt: key, title and text each."""
    needed = list(variables)
    return [
        {"key": "curl", "title": "curl", "text": curl_call(origin, reference, needed)},
        {"key": "python", "title": "Python", "text": python_call(origin, reference, needed)},
        {"key": "node", "title": "Node", "text": node_call(origin, reference, needed)},
    ]


def _needed(variables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        variable["name"]: _example(variable)
        for variable in variables
        if variable["required"] and "default" not in variable
    }


def _example(variable: Mapping[str, Any]) -> Any:
    if "sample" in variable:
        return variable["sample"]
    examples: dict[str, Any] = {"number": 1, "boolean": True, "json": {}}
    return examples.get(variable["type"], "…")
