"""How fast a pump may go for each job: what the providers of its models say, see `providers.pace`."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.batches.claims import JobFacts
from apps.providers.health import ConnectionHealth

FindHealth = Callable[[JobFacts], Awaitable[tuple[ConnectionHealth, ...]]]
"""The health of each connection that a job's rows go to; none where it can't be told, as for the sandbox."""


async def unknown(job: JobFacts) -> tuple[ConnectionHealth, ...]:
    """For a pump that knows nothing of providers."""
    return ()


@dataclass(slots=True)
class Paces:
    """One pump's. A call counts for every connection of its job: which one it takes is seen too late.

    So where the variants of a job go to several, the slowest is the pace of all.
    """

    find_health: FindHealth = unknown
    _of_jobs: dict[UUID, tuple[ConnectionHealth, ...]] = field(default_factory=dict)
    _busy: Counter[int] = field(default_factory=Counter)

    async def room(self, job: JobFacts, wanted: int) -> int:
        """How many of `wanted` calls of a job may be begun now."""
        self._of_jobs[job.id] = await self.find_health(job)
        return self.room_by_now(job.id, wanted)

    def room_by_now(self, job_id: UUID, wanted: int) -> int:
        """The same by where the job went last; all of them for one that this process does not know."""
        found = self._of_jobs.get(job_id, ())
        return min((self._room_at(health, wanted) for health in found), default=wanted)

    def began(self, job_id: UUID) -> tuple[ConnectionHealth, ...]:
        """Count a call of a job; `ended` takes it back by what this returns."""
        found = self._of_jobs.get(job_id, ())
        for health in found:
            self._busy[id(health)] += 1
        return found

    def ended(self, found: Iterable[ConnectionHealth]) -> None:
        """A call is over."""
        for health in found:
            self._busy[id(health)] -= 1

    def told(self, jobs: Iterable[UUID]) -> dict[str, Mapping[str, Any]]:
        """By the ids of those jobs whose providers hold them back: calls at a time, and until when none."""
        return {str(job): told for job in jobs if (told := _told(self._of_jobs.get(job, ())))}

    def _room_at(self, health: ConnectionHealth, wanted: int) -> int:
        if health.pace.rests_for():
            return 0
        limits = [limit for limit in (health.pace.limit, health.slots.limit) if limit is not None]
        return max(0, min([wanted, *(limit - self._busy[id(health)] for limit in limits)]))


def _told(found: tuple[ConnectionHealth, ...]) -> Mapping[str, Any]:
    limits = [health.pace.limit for health in found if health.pace.limit is not None]
    rest = max((health.pace.rests_for() for health in found), default=0.0)
    told: dict[str, Any] = {}
    if limits:
        told["calls"] = min(limits)
    if rest:
        told["until"] = round(time.time() + rest, 1)
    return told
