"""Attempts at providers as operators count them. Providers are told as the price list knows them, by nothing
that is a customer's word; the sandbox isn't counted.
"""

from functools import lru_cache
from typing import Final

from prometheus_client import Counter

from apps.core import tallies
from apps.core.metrics import counter
from apps.providers.naming import listed_provider
from apps.runs.types import AttemptKind

ANSWERED: Final = "answered"
REFUSED: Final = "refused"
# Outcomes that are told apart; whatever else kept a fallback from standing in is "refused".
_KNOWN: Final = frozenset(
    {
        "authentication",
        "bad_request",
        "breaker_open",
        "busy",
        "cancelled",
        "connection",
        "content_filter",
        "rate_limited",
        "server",
        "timeout",
    }
)

ATTEMPTS: Final = counter(
    "promptsaas_provider_attempts",
    "Attempts at providers: first calls, retries, fallbacks and repairs, by what became of them. "
    "Those that are busy or breaker_open were never made.",
    ("gen_ai_provider_name", "kind", "outcome"),
)
RETRIES_WITHHELD: Final = counter(
    "promptsaas_provider_retries_withheld",
    "Retries that were not made because the connection's budget of them was spent.",
)


def count_attempt(address: str, sandbox: bool, kind: AttemptKind, error: str) -> None:
    """Count an attempt that has ended, or was refused; `address` is what its target's kind is."""
    if not sandbox:
        tallies.count(_series(address, kind, error))


@lru_cache(maxsize=4096)
def _series(address: str, kind: AttemptKind, error: str) -> Counter:
    outcome = ANSWERED if not error else error if error in _KNOWN else REFUSED
    return ATTEMPTS.labels(listed_provider(address), kind, outcome)
