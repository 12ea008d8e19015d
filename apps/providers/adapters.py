"""From a connection to the provider that answers for it."""

from apps.core import lazy
from apps.providers.anthropic_provider import AnthropicProvider
from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import Connection, Provider


def open_provider(connection: Connection) -> Provider:
    """A provider over a connection; close it when the connection changes.

    The first real one loads its client, which takes up to a second: call it in a thread.
    """
    if connection.is_sandbox:
        return SandboxProvider()
    return open_remote(connection)


RemoteProvider = OpenAICompatibleProvider | AnthropicProvider


def open_remote(connection: Connection) -> RemoteProvider:
    """A provider that is called over the network and can list its models."""
    if connection.api == "anthropic":
        return AnthropicProvider(connection)
    return OpenAICompatibleProvider(connection)


def load_clients() -> None:
    """Import what real providers need, before the first of them is opened. To be called in a thread."""
    lazy.load("openai")
    lazy.load("anthropic")
