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


def _needed(variables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        variable["name"]: _example(variable)
        for variable in variables
        if variable["required"] and "default" not in variable
    }


def _example(variable: Mapping[str, Any]) -> Any:
    examples: dict[str, Any] = {"number": 1, "boolean": True, "json": {}}
    return examples.get(variable["type"], "…")
