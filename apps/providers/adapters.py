"""From a connection to the provider that answers for it."""

from apps.providers.openai_compatible import OpenAICompatibleProvider
from apps.providers.sandbox import SandboxProvider
from apps.providers.types import Connection, Provider


def open_provider(connection: Connection) -> Provider:
    """A provider over a connection; close it when the connection changes.

    The first real one loads the openai client, which takes a third of a second.
    """
    return SandboxProvider() if connection.is_sandbox else OpenAICompatibleProvider(connection)
