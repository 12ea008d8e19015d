"""Plans are constants until they can be bought: what is included, by meter, in a calendar month of UTC."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

RUNS: Final = "runs"
SANDBOX_RUNS: Final = "sandbox_runs"
# Usage events and invoices are books of account: no policy deletes them before this many years are over,
# counted from the end of the calendar year in which they were written.
LEDGER_YEARS: Final = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """`included` maps a meter to its monthly quota; a meter that is not named has no quota.

    `longest_days` maps a class of data (`retention.models.DataClass`) to how many days it is kept at most;
    one that is not named may be kept for as long as the organization likes.
    """

    slug: str
    name: str
    included: dict[str, int] = field(default_factory=dict)
    longest_days: dict[str, int] = field(default_factory=dict)

    def quota(self, meter: str) -> int | None:
        """How much of `meter` a month holds, None when it is not limited."""
        return self.included.get(meter)


FREE: Final = Plan(
    slug="free",
    name="Free",
    included={RUNS: 10_000},
    longest_days={"run_payloads": 90, "run_facts": 400},
)


def plan_of(organization_id: UUID) -> Plan:
    """The plan of an organization: everybody is on the free one until plans can be bought."""
    del organization_id
    return FREE


def period_start(moment: datetime) -> datetime:
    """The first instant of the month of UTC that `moment` lies in."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def period_end(moment: datetime) -> datetime:
    """The first instant after the month of UTC that `moment` lies in."""
    start = period_start(moment)
    if start.month == 12:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def ledger_kept_until(moment: datetime) -> datetime:
    """Until when a usage event or an invoice of that moment is kept, whatever a policy says."""
    year = moment.astimezone(UTC).year + LEDGER_YEARS + 1
    return datetime(year, 1, 1, tzinfo=UTC)


def meter_of(*, sandbox: bool) -> str:
    """The meter that a run counts on."""
    return SANDBOX_RUNS if sandbox else RUNS
