"""The first call that a newcomer can paste: real address, real prompt, real variables."""

from typing import Any
from uuid import UUID

from django.conf import settings

from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import labels_of
from apps.prompts.snippets import curl_call, python_call

LANGUAGES = (("curl", "curl"), ("python", "Python"))


def first_call(project_id: UUID, language: str) -> dict[str, Any]:
    """Return the context of the call step: the snippet and the languages to choose from."""
    prompt = Prompt.objects.filter(project_id=project_id).order_by("id").first()
    chosen = language if language in dict(LANGUAGES) else LANGUAGES[0][0]
    return {
        "snippet": _snippet(prompt, chosen) if prompt else "",
        "languages": [
            {"label": label, "href": f"?snippet={name}#steps", "current": name == chosen}
            for name, label in LANGUAGES
        ],
    }


def _snippet(prompt: Prompt, language: str) -> str:
    """Return code that runs `prompt` as production or, without that label, its newest version."""
    labels = labels_of([prompt])[prompt.pk]
    label = "production" if "production" in labels else "latest"
    number = labels.get(label, prompt.latest_number)
    version = PromptVersion.objects.filter(prompt=prompt, number=number).first()
    write = python_call if language == "python" else curl_call
    return write(settings.PUBLIC_URL, f"{prompt.name}@{label}", version.variables if version else [])
