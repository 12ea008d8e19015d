"""From a connection to the provider that answers for it."""

from apps.providers.anthropic_provider import AnthropicProvider
from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import Connection, Provider


def open_provider(connection: Connection) -> Provider:
    """A provider over a connection; close it when the connection changes.

    The first real one reads the certificates, which takes some 20 ms: call it in a thread.
    """
    if connection.is_sandbox:
        return SandboxProvider()
    if connection.api == "anthropic":
        return AnthropicProvider(connection)
    return OpenAICompatibleProvider(connection)
