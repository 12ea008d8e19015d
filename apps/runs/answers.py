"""The words between engine and caches: what is looked for, what was found, what is owed to others."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from apps.providers.pricing import Price
from apps.runs.types import Attempt, CacheKind, PreparedRun, RunResult


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An earlier run's whole answer, which fitted its schema; `distance` is a semantic hit's."""

    run_id: UUID
    text: str
    kind: CacheKind = "exact"
    distance: float | None = None


class Lookup(Protocol):
    """What the caches said of one run, and what it owes to others that ask the same meanwhile."""

    @property
    def found(self) -> CachedAnswer | None:
        """An answer that this run is given."""
        ...

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The calls that looking took: an embedding."""
        ...

    @property
    def costs(self) -> Sequence[Price]:
        """What those calls cost."""
        ...

    async def keep(self, prepared: PreparedRun, result: RunResult) -> None:
        """Give the answer of the recorded run, if it is good, to whoever waits, and to the caches."""
        ...

    def close(self) -> None:
        """The run has ended, however: nobody waits for it any longer. Harmless after `keep`."""
        ...


class Clock(Protocol):
    """A run's clock."""

    @property
    def started(self) -> float:
        """When the run began, by `time.perf_counter`."""
        ...

    def remaining(self) -> float:
        """Seconds until its deadline."""
        ...


class Answers(Protocol):
    """The caches of answers. They may lose anything at any time, so nothing raises for their stores' sake."""

    def find(self, prepared: PreparedRun, progress: Clock) -> Awaitable[Lookup] | None:
        """Look for an answer; None, at no cost, where the run asks for no cache."""
        ...
