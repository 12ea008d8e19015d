"""What a pump holds: claims on rows, as plain data."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apps.core.records import record

CLAIMABLE: Final = """
(job.pending - job.held - CASE WHEN job.claim_limit IS NULL THEN 0
                    ELSE greatest(job.total - greatest(job.claim_limit, job.next_number - 1), 0) END)
"""
"""How many rows of `job` may be claimed: all that wait, without those that are held for an equal row's answer
and those that lie behind a sample's end."""

_OF_PUMPS: Final = """
(SELECT count(*) FROM batches_batchitem AS item WHERE item.organization_id = job.organization_id
    AND item.batch_id = job.id AND item.direct AND item.status = '{status}')
"""
PUMPABLE: Final = f"""
CASE WHEN job.delivery = 'direct' THEN {CLAIMABLE} ELSE {_OF_PUMPS.format(status="pending")} END
"""
"""How many of those a pump may claim; of a job that goes through provider batches, those sent back to it."""
IN_FLIGHT: Final = f"""
CASE WHEN job.delivery = 'direct' THEN job.running ELSE {_OF_PUMPS.format(status="running")} END
"""
"""How many rows of `job` pumps are working on: not those that lie at a provider."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A version, a model and parameters that run over every row of a job."""

    version_number: int
    model: str
    parameters: dict[str, Any]
    match_field: str


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What a pump needs to know of a job to run its rows; fixed for the job's life.

    `source_rows` is how many rows of the dataset version are gone through, `work` how rows become calls.
    `distinct_by` names the variables that equal rows share, () for all; None where each row is answered.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    prompt_name: str
    variants: tuple[Variant, ...]
    dataset_version_id: UUID
    source_rows: int
    livemode: bool
    api_key_id: UUID | None
    capped: bool
    work: dict[str, Any]
    delivery: str = "direct"
    distinct_by: tuple[str, ...] | None = None
    of_stream: bool = False


@record(frozen=True, slots=True)
class Row:
    """A row that waits, with what its dataset says. `variant` is a position among the job's variants."""

    item_id: UUID
    number: int
    round: int
    attempts: int
    fence: int
    variant: int
    variables: dict[str, Any]
    expected: str | None
    metadata: dict[str, Any]


@record(frozen=True, slots=True)
class Claim:
    """The right to complete one row, for as long as `fence` is the row's.

    `run_id` is new with every claim; `reserved` is the worst-case cost that the job's cap sets aside for it.
    `attempts` counts this claim too. `leads`: equal rows may wait for its answer.
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
    variant: int = 0
    variants: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)
    leads: bool = False
    of_stream: bool = False

    @property
    def usage_key(self) -> str:
        """One key a row and round, so that a row whose lease was lost is still charged once."""
        return f"item:{self.item_id}:{self.round}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The rows that were claimed. `cap_reached`: not even one more row fits under the cost cap. `answered`:
    rows were answered by equal ones.
    """

    claims: list[Claim]
    cap_reached: bool = False
    answered: bool = False
