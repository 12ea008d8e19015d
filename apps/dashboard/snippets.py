"""The first call that a newcomer can paste: real address, real prompt, real variables, the real key once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import labels_of
from apps.prompts.snippets import curl_call, python_call

KEY_VARIABLE = "PROMPTSAAS_KEY"


@dataclass(frozen=True)
class Snippet:
    """The call in one language."""

    key: str
    language: str
    text: str


def first_call(prompt: Prompt | None, token: str = "") -> list[Snippet]:
    """Code that runs ``prompt`` as production or, without that label, its newest version.

    With a token it stands in the code; otherwise the code reads it from the environment.
    """
    if prompt is None:
        return []
    labels = labels_of([prompt])[prompt.pk]
    label = "production" if "production" in labels else "latest"
    number = labels.get(label, prompt.latest_number)
    version = PromptVersion.objects.filter(prompt=prompt, number=number).first()
    variables = version.variables if version else []
    reference = f"{prompt.name}@{label}"
    curl = curl_call(settings.PUBLIC_URL, reference, variables)
    python = python_call(settings.PUBLIC_URL, reference, variables)
    script = _javascript_call(settings.PUBLIC_URL, reference, variables)
    if token:
        curl = curl.replace(f"${KEY_VARIABLE}", token)
        python = python.replace(f'os.environ["{KEY_VARIABLE}"]', f'"{token}"').replace("import os\n\n", "")
        script = script.replace(f"${{process.env.{KEY_VARIABLE}}}", token)
    return [
        Snippet("curl", "curl", curl),
        Snippet("python", "Python", python),
        Snippet("javascript", "JavaScript", script),
    ]


def _javascript_call(origin: str, reference: str, variables: Iterable[Mapping[str, Any]]) -> str:
    needed = [each["name"] for each in variables if each["required"] and "default" not in each]
    body = {"model": f"prompt:{reference}", "messages": [], "variables": dict.fromkeys(needed, "…")}
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode().replace("\n", "\n  ")
    return (
        f'const answer = await fetch("{origin}/v1/chat/completions", {{\n'
        '  method: "POST",\n'
        "  headers: {\n"
        f"    Authorization: `Bearer ${{process.env.{KEY_VARIABLE}}}`,\n"
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({text}),\n"
        "});\n"
        "console.log((await answer.json()).choices[0].message.content);"
    )
