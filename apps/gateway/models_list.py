"""GET /v1/models: what a key may put into `model`: prompts at their labels, aliases, and plain models."""

from typing import Any
from urllib.parse import unquote

from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.gateway.chat_requests import PROMPT_PREFIX
from apps.gateway.http import HttpRequest, JsonAnswer, Send, send_json
from apps.gateway.serving import Serving
from apps.prompts import queries as prompt_queries
from apps.prompts.models import Prompt
from apps.providers import queries as provider_queries
from apps.providers.alias_queries import alias_targets
from apps.runs.embedding import SANDBOX_EMBEDDING
from apps.tenants.access import AccessFacts


async def list_models(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with every model of the key's project."""
    models = await serving.runtime.calls.run(lambda: _models(facts))
    await send_json(request, send, JsonAnswer({"object": "list", "data": models}))


async def show_model(serving: Serving, request: HttpRequest, send: Send, facts: AccessFacts) -> None:
    """Answer with one model by its id. Raises NotFound."""
    wanted = unquote(request.path.removeprefix("/v1/models/"))
    models = await serving.runtime.calls.run(lambda: _models(facts))
    for model in models:
        if model["id"] == wanted:
            await send_json(request, send, JsonAnswer(model))
            return
    raise NotFound(f"There is no model '{wanted}'.", code="model_not_found", param="model")


def _models(facts: AccessFacts) -> list[dict[str, Any]]:
    with organization_scope(facts.organization_id):
        prompts = list(Prompt.objects.filter(project_id=facts.project_id).order_by("name"))
        labels = prompt_queries.labels_of(prompts)
        choices = provider_queries.model_choices(facts.project_id)
        aliases = alias_targets(facts.project_id)
    named = [
        _model(f"{PROMPT_PREFIX}{prompt.name}@{label}", int(prompt.created_at.timestamp()))
        for prompt in prompts
        for label in labels[prompt.pk]
    ]
    plain = {choice.reference: choice.reference for choice in choices}
    plain |= {SANDBOX_EMBEDDING: SANDBOX_EMBEDDING, **aliases}
    return named + [_model(model_id, 0, target) for model_id, target in plain.items()]


def _model(model_id: str, created: int, target: str = "") -> dict[str, Any]:
    owner = target.partition("/")[0] or "promptsaas"
    return {"id": model_id, "object": "model", "created": created, "owned_by": owner}
