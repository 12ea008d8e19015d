"""The first call that a newcomer can paste: real address, real prompt, real variables."""

import json
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.prompts.models import Prompt, PromptVersion

LANGUAGES = (("curl", "curl"), ("python", "Python"))
PLACEHOLDERS: dict[str, object] = {"number": 1, "boolean": True, "json": {}}


def first_call(project_id: UUID, language: str) -> dict[str, Any]:
    """Return the context of the call step: the snippet and the languages to choose from."""
    prompt = Prompt.objects.filter(project_id=project_id).order_by("id").first()
    chosen = language if language in dict(LANGUAGES) else LANGUAGES[0][0]
    return {
        "snippet": call_snippet(prompt, chosen) if prompt else "",
        "languages": [
            {"label": label, "href": f"?snippet={name}", "current": name == chosen}
            for name, label in LANGUAGES
        ],
    }


def call_snippet(prompt: Prompt, language: str) -> str:
    """Return code that runs the newest version of `prompt`; the key comes from the environment."""
    version = PromptVersion.objects.filter(prompt=prompt).order_by("-number").first()
    variables = {
        variable["name"]: variable.get("default", PLACEHOLDERS.get(variable.get("type", "text"), "…"))
        for variable in (version.variables if version else [])
    }
    model = f"prompt:{prompt.name}@latest"
    return _python(model, variables) if language == "python" else _curl(model, variables)


def _curl(model: str, variables: dict[str, Any]) -> str:
    body = json.dumps({"model": model, "variables": variables}, ensure_ascii=False)
    quoted = body.replace("'", "'\\''")
    return (
        f'curl "{settings.PUBLIC_URL}/v1/chat/completions" \\\n'
        '  -H "Authorization: Bearer $PROMPTSAAS_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{quoted}'"
    )


def _python(model: str, variables: dict[str, Any]) -> str:
    return (
        "import os\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{settings.PUBLIC_URL}/v1", api_key=os.environ["PROMPTSAAS_KEY"])\n'
        "answer = client.chat.completions.create(\n"
        f"    model={model!r},\n    messages=[],\n    extra_body={{'variables': {variables!r}}},\n)\n"
        "print(answer.choices[0].message.content)"
    )
