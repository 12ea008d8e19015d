"""Who gets the next free slot. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

LEAST_SLOTS: Final = 16
"""What a pump may always fill, however many there are."""

_Turn = tuple[int, int, UUID, int]
"""Priority turned round, rows in flight, job, room."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in progress as far as sharing slots is concerned; `running` counts the rows of every pump.

    `claimable` rows wait, `at_once` may be in flight. `organization_limit` is how many calls of its
    organization may be in flight together, None for any number. `most` is how many calls its provider lets
    this process begin now.
    """

    id: UUID
    organization_id: UUID
    claimable: int
    running: int
    concurrency: int
    priority: int = 0
    at_once: int = 0
    organization_limit: int | None = None
    most: int | None = None

    @property
    def rows_per_call(self) -> int:
        """How many rows a call holds at most."""
        return max(1, self.at_once // self.concurrency)

    @property
    def calls(self) -> int:
        """How many of its calls are in flight, by its rows."""
        return -(-self.running // self.rows_per_call)

    @property
    def room(self) -> int:
        """How many more of its calls may be in flight."""
        rows = min(self.claimable, self.rows_per_call * self.concurrency - self.running)
        calls = max(0, -(-rows // self.rows_per_call))
        return calls if self.most is None else min(calls, self.most)

    @property
    def demand(self) -> int:
        """How many calls it has use for, with those in flight."""
        return min(self.concurrency, -(-(self.claimable + self.running) // self.rows_per_call))


class OpenJobs(NamedTuple):
    """Every job in progress, and how many pumps work at this moment."""

    jobs: list[Waiting]
    pumps: int


def slots_of_each(open_jobs: OpenJobs, most: int) -> int:
    """How many slots each pump fills: an equal part of what there is use for, at most `most`."""
    demand = sum(job.demand for job in open_jobs.jobs)
    return min(most, max(LEAST_SLOTS, -(-demand // max(1, open_jobs.pumps))))


def newcomers(jobs: Iterable[Waiting], given: Mapping[UUID, int]) -> list[Waiting]:
    """The jobs of organizations that have nothing in flight anywhere and were given nothing."""
    jobs = list(jobs)
    served = {job.organization_id for job in jobs if job.running or job.id in given}
    return [job for job in jobs if job.organization_id not in served]


def share(jobs: Iterable[Waiting], slots: int) -> dict[UUID, int]:
    """Give `slots` out one by one, each to the organization with the fewest rows in flight.

    Inside an organization the job of the highest priority is next, among equals the one with the fewest rows
    in flight, then the oldest (ids sort by time). An organization gets no more than its limit of calls in
    flight leaves. Returns the number of slots by job, without zeros.
    """
    jobs = list(jobs)
    left = _left_of_limits(jobs)
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
        if organization in left:
            if left[organization] <= 0:
                continue
            left[organization] -= 1
        given[_take_one(queues[organization])] += 1
        slots -= 1
        if queues[organization]:
            heapq.heappush(organizations, (running + 1, organization))
    return dict(given)


def _left_of_limits(jobs: Iterable[Waiting]) -> dict[UUID, int]:
    """How many more calls each organization with a limit may have in flight."""
    left: dict[UUID, int] = {}
    for job in jobs:
        if job.organization_limit is not None:
            before = left.get(job.organization_id, job.organization_limit)
            left[job.organization_id] = before - job.calls
    return left


def _take_one(queue: list["_Turn"]) -> UUID:
    rank, running, job_id, room = heapq.heappop(queue)
    if room > 1:
        heapq.heappush(queue, (rank, running + 1, job_id, room - 1))
    return job_id
