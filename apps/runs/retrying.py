"""When a call is made again, and when another model is asked instead. Pure."""

import random
from dataclasses import dataclass
from typing import Final

from apps.providers.types import CallErrorReason, ProviderCallError

PATIENCE: Final = 1.0
"""Seconds that a provider may ask to wait before the next fallback is asked at once."""
# What another model would refuse as well, or must not be asked to let pass.
_OF_THE_REQUEST: Final[frozenset[CallErrorReason]] = frozenset({"bad_request", "content_filter"})
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a process retries: waits are random between 0 and a doubling bound, in seconds.

    `retries` bounds what a prompt's rules ask for; None leaves it to them.
    """

    retries: int | None = None
    first_wait: float = 0.5
    longest_wait: float = 8.0

    def most(self, wanted: int) -> int:
        """How many further calls of one model are allowed where the rules want so many."""
        return wanted if self.retries is None else min(wanted, self.retries)

    def wait(self, number: int, retry_after: float | None) -> float:
        """Seconds to wait before retry `number` (from 0): full jitter, behind what the provider asked for."""
        bound = min(self.longest_wait, self.first_wait * 2**number)
        return (retry_after or 0.0) + random.uniform(0, bound)  # noqa: S311 (spreads load, guards nothing)


def falls_back(error: ProviderCallError) -> bool:
    """Whether another model may answer what this one did not; one that is gone is replaced as well."""
    return error.reason not in _OF_THE_REQUEST or error.status == NOT_FOUND
