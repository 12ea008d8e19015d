"""One version as a page shows it to read."""

from typing import Any

from django.http import HttpRequest

from apps.prompts.json_text import pretty
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.snippets import calls


def version_facts(version: PromptVersion) -> dict[str, Any]:
    """Messages, parameters, output schema and tools, as the templates read them."""
    return {
        "version": version,
        "blocks": [
            {"id": f"m{index}", "role": message["role"], "text": message["content"]}
            for index, message in enumerate(version.messages, 1)
        ],
        "parameters": sorted(version.parameters.items()),
        "schema": pretty(version.output_schema) if version.output_schema else "",
        "tools": [
            {
                "name": tool["function"]["name"],
                "description": tool["function"].get("description", ""),
                "id": f"tool-{index}",
                "text": pretty(tool["function"].get("parameters", {})),
            }
            for index, tool in enumerate(version.tools, 1)
        ],
    }


def snippets(
    request: HttpRequest, prompt: Prompt, version: PromptVersion, labels: list[str]
) -> dict[str, Any]:
    """Calls of a version, by its first label when it has one, else by its number."""
    reference = f"{prompt.name}@{labels[0]}" if labels else f"{prompt.name}#{version.number}"
    origin = request.build_absolute_uri("/")[:-1]
    return {"reference": reference, "calls": calls(origin, reference, version.variables)}
