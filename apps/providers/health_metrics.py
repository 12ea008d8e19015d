"""What operators see of connections' health: numbers only, for a connection's name is its customer's."""

from typing import Final

from apps.core.metrics import counter

BREAKERS: Final = counter(
    "promptsaas_provider_breakers",
    "Circuit breakers of connections that opened because their provider was failing, and that closed again.",
    ("state",),
)
