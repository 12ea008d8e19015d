"""What a model and its provider are called where customers' own words have no place. Pure."""

from functools import lru_cache
from typing import Final

from genai_prices import data_snapshot

from apps.providers.types import SANDBOX

UNLISTED: Final = "other"
# OpenTelemetry's names (gen_ai.provider.name) where they differ from the price list's.
_OPEN_TELEMETRY: Final = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "x-ai": "x_ai",
}


def load_price_list() -> None:
    """Load what else the first run would wait for, a third of a second."""
    data_snapshot.get_snapshot()


@lru_cache(maxsize=4096)
def listed_names(kind: str, model: str) -> tuple[str, str]:
    """Provider and model as the price list knows them; "other" for what it doesn't list.

    `kind` is the address that is called, or the sandbox. Names of models on somebody's own server are that
    person's words, so they are never told.
    """
    if kind == SANDBOX:
        return SANDBOX, model
    snapshot = data_snapshot.get_snapshot()
    try:
        provider = snapshot.find_provider(model, None, kind)
    except LookupError:
        return UNLISTED, UNLISTED
    name = _OPEN_TELEMETRY.get(provider.id, provider.id)
    found = provider.find_model(model.lower(), all_providers=snapshot.providers)
    return name, found.id if found else UNLISTED


@lru_cache(maxsize=4096)
def listed_provider(kind: str) -> str:
    """The provider of an address as the price list knows it, whatever the model; "other" for the rest."""
    try:
        provider = data_snapshot.get_snapshot().find_provider("", None, kind)
    except LookupError:
        return UNLISTED
    return _OPEN_TELEMETRY.get(provider.id, provider.id)
