"""Which connections have a batch endpoint, and how it is opened."""

from typing import Final, Protocol
from urllib.parse import urlsplit

from apps.providers.batches.anthropic_batches import AnthropicBatches
from apps.providers.batches.openai_batches import OpenAIBatches
from apps.providers.batches.types import BatchEndpoint
from apps.providers.types import Connection

KNOWN_HOSTS: Final = frozenset({"api.openai.com", "api.anthropic.com"})
"""Servers that are known to have one; of others a connection's test finds it out."""


class Described(Protocol):
    """What is asked of a stored connection."""

    @property
    def base_url(self) -> str: ...
    @property
    def offers_batches(self) -> bool | None: ...


def offers_batches(credential: Described) -> bool | None:
    """Whether calls can go through the server's batch endpoint; None where nobody has looked yet."""
    if credential.offers_batches is None and urlsplit(credential.base_url).hostname in KNOWN_HOSTS:
        return True
    return credential.offers_batches


def open_batches(connection: Connection) -> BatchEndpoint:
    """A connection's batch endpoint, to be closed. Raises ValueError for the sandbox, which has none."""
    if connection.is_sandbox:
        raise ValueError("the sandbox has no batch endpoint")
    if connection.api == "anthropic":
        return AnthropicBatches(connection)
    return OpenAIBatches(connection)
