"""Who gets the next free slot. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in progress as far as sharing slots is concerned; `running` counts the calls of every pump."""

    job_id: UUID
    organization_id: UUID
    pending: int
    running: int
    concurrency: int

    @property
    def room(self) -> int:
        """How many more of its rows may be in flight."""
        return max(0, min(self.pending, self.concurrency - self.running))


def share(jobs: Iterable[Waiting], slots: int) -> dict[UUID, int]:
    """Give `slots` out one by one, each to the organization with the fewest calls in flight.

    Inside an organization the job with the fewest calls in flight is next, the oldest one among equals (ids
    sort by time). Returns the number of slots by job, without zeros.
    """
    in_flight: dict[UUID, int] = defaultdict(int)
    queues: dict[UUID, list[tuple[int, UUID, int]]] = defaultdict(list)
    for job in jobs:
        in_flight[job.organization_id] += job.running
        if job.room:
            heapq.heappush(queues[job.organization_id], (job.running, job.job_id, job.room))
    organizations = [(in_flight[organization], organization) for organization in queues]
    heapq.heapify(organizations)
    given: dict[UUID, int] = defaultdict(int)
    while slots and organizations:
        running, organization = heapq.heappop(organizations)
        given[_take_one(queues[organization])] += 1
        slots -= 1
        if queues[organization]:
            heapq.heappush(organizations, (running + 1, organization))
    return dict(given)


def _take_one(queue: list[tuple[int, UUID, int]]) -> UUID:
    running, job_id, room = heapq.heappop(queue)
    if room > 1:
        heapq.heappush(queue, (running + 1, job_id, room - 1))
    return job_id
