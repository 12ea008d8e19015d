"""Who gets the next free slot. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

_Turn = tuple[int, int, UUID, int]
"""Priority turned round, rows in flight, job, room."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in progress as far as sharing slots is concerned; `running` counts the rows of every pump.

    `claimable` rows wait, `at_once` may be in flight.
    """

    id: UUID
    organization_id: UUID
    claimable: int
    running: int
    concurrency: int
    priority: int = 0
    at_once: int = 0

    @property
    def rows_per_call(self) -> int:
        """How many rows a call holds at most."""
        return max(1, self.at_once // self.concurrency)

    @property
    def room(self) -> int:
        """How many more of its calls may be in flight."""
        rows = min(self.claimable, self.rows_per_call * self.concurrency - self.running)
        return max(0, -(-rows // self.rows_per_call))


def share(jobs: Iterable[Waiting], slots: int) -> dict[UUID, int]:
    """Give `slots` out one by one, each to the organization with the fewest rows in flight.

    Inside an organization the job of the highest priority is next, among equals the one with the fewest rows
    in flight, then the oldest (ids sort by time). Returns the number of slots by job, without zeros.
    """
    in_flight: dict[UUID, int] = defaultdict(int)
    queues: dict[UUID, list[_Turn]] = defaultdict(list)
    for job in jobs:
        in_flight[job.organization_id] += job.running
        if job.room:
            heapq.heappush(queues[job.organization_id], (-job.priority, job.running, job.id, job.room))
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


def _take_one(queue: list["_Turn"]) -> UUID:
    rank, running, job_id, room = heapq.heappop(queue)
    if room > 1:
        heapq.heappush(queue, (rank, running + 1, job_id, room - 1))
    return job_id
