"""What a pump holds: claims on rows, as plain data."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What a pump needs to know of a job to run its rows; fixed for the job's life."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    prompt_name: str
    version_number: int
    model: str
    dataset_version_id: UUID
    match_field: str
    livemode: bool
    api_key_id: UUID | None
    parameters: dict[str, Any]
    capped: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row that waits, with what its dataset says."""

    item_id: UUID
    number: int
    round: int
    attempts: int
    fence: int
    variables: dict[str, Any]
    expected: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to complete one row, for as long as `fence` is the row's.

    `run_id` is new with every claim; `reserved` is the worst-case cost that the job's cap sets aside for it.
    `attempts` counts this claim too.
    """

    item_id: UUID
    organization_id: UUID
    job_id: UUID
    run_id: UUID
    number: int
    round: int
    attempts: int
    fence: int
    reserved: Decimal
    variables: dict[str, Any]
    expected: str | None
    match_field: str

    @property
    def usage_key(self) -> str:
        """One key a row and round, so that a row whose lease was lost is still charged once."""
        return f"item:{self.item_id}:{self.round}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The rows that were claimed. `cap_reached`: not even one more row fits under the cost cap."""

    claims: list[Claim]
    cap_reached: bool = False
