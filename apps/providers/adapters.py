"""From a connection to the provider that answers for it."""

from apps.core import lazy
from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import Connection, Provider


def open_provider(connection: Connection) -> Provider:
    """A provider over a connection; close it when the connection changes.

    The first real one loads its client, which takes a third of a second: call it in a thread.
    """
    return SandboxProvider() if connection.is_sandbox else OpenAICompatibleProvider(connection)


def load_clients() -> None:
    """Import what real providers need, before the first of them is opened. To be called in a thread."""
    lazy.load("openai")
