"""What a step works with: the batch, its rows, the engine and the provider's endpoint."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from django.conf import settings

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Call, Outcome
from apps.batches.leases import LeaseStore, WorstCase
from apps.batches.provider_batches import records
from apps.batches.provider_batches.content import Collected
from apps.batches.provider_batches.records import LeaseLost, Standing
from apps.batches.provider_batches.rows import Back, Jobs, RowStore
from apps.batches.provider_models import ProviderBatch, ProviderState
from apps.billing import holding
from apps.core.errors import PromptsaasError
from apps.core.logs import get_logger
from apps.providers.batches.deleted import DELETED, DeletedConnection
from apps.providers.batches.types import BatchEndpoint
from apps.providers.types import ProviderCallError
from apps.runs.runtime import Runtime

Result = TypeVar("Result")
Step = float | None
"""Seconds until the next step, 0 for at once; None: there is none."""

TIDY_ATTEMPTS: Final = 5
# Ours, since a provider's words may quote what was sent; rows that fail keep those.
WORDS: Final = {
    "authentication": "The provider refuses the connection's key.",
    "bad_request": "The provider takes the request for wrong.",
    "connection": "The provider could not be reached.",
    "rate_limited": "The provider asks to wait.",
    "server": "The provider answered with a failure.",
    "timeout": "The provider did not answer in time.",
}
OTHERWISE: Final = "A step failed."
logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderTimes:
    """Seconds. `grace` is how long a batch may take to show in the provider's list after it was made, `lost`
    when an unanswered one is given up, `cooldown` the pause after one that was over the provider's limits.
    """

    worker: float = 60.0
    poll: float = 30.0
    first_poll: float = 5.0
    first_wait: float = 5.0
    longest_wait: float = 300.0
    grace: float = 60.0
    lost: float = 48 * 3600.0
    cooldown: float = 300.0


def times() -> ProviderTimes:
    """Those of this process."""
    return ProviderTimes(**getattr(settings, "PROVIDER_BATCH_TIMES", {}))


@dataclass(slots=True)
class Work:
    """One process's work on one provider batch, for as long as `token` holds it."""

    runtime: Runtime
    calls: dict[UUID, Call]
    batch: ProviderBatch
    token: UUID
    job: JobFacts
    rows: RowStore
    leases: LeaseStore
    endpoint: BatchEndpoint
    worst_case: WorstCase
    times: ProviderTimes
    over: Jobs = field(default_factory=set)
    content: Collected | None = None
    kept_at: float = field(default_factory=time.monotonic)

    async def in_thread(self, call: Callable[[], Result]) -> Result:
        """Ordinary code with a scope of its own."""
        return await self.runtime.calls.run(call)

    async def save(self, **changes: Any) -> None:
        """Change the batch's row. Raises LeaseLost."""
        await self.in_thread(lambda: records.save(self.batch, self.token, changes))

    async def standing(self) -> Standing:
        """How the job stands now."""
        return await self.in_thread(lambda: records.standing(self.batch))

    async def keep_forever(self) -> None:
        """Hold the batch until this is cancelled; `demand` tells whether it worked."""
        while True:
            await asyncio.sleep(self.times.worker / 4)
            try:
                if await self.in_thread(lambda: records.keep(self.batch, self.token, self.times.worker)):
                    self.kept_at = time.monotonic()
            except Exception:
                logger.exception("provider_batches.keep_failed")

    def demand(self) -> None:
        """Raise LeaseLost where others may have the batch by now: before what must not be done twice."""
        if time.monotonic() - self.kept_at > self.times.worker * 0.7:
            raise LeaseLost

    async def refuse(self, claim: Claim, code: str, message: str) -> None:
        """End a row that becomes no run."""
        await self.refuse_all([claim], code, message)

    async def refuse_all(self, claims: list[Claim], code: str, message: str) -> None:
        """End rows that become no run."""
        outcomes = [Outcome(claim, "failed", error_code=code, error_message=message) for claim in claims]
        completed = await self.leases.refuse(outcomes)
        self.over |= {(row.organization_id, row.job_id) for row in completed if row.over}

    async def give_back(self, claims: list[Claim], *, direct: bool = False) -> None:
        """Let rows wait again; `direct`: for a call of their own."""
        if claims:
            self.over |= await self.rows.release(claims, "pending", direct=direct)

    async def give_all_back(self, standing: Standing, *, direct: bool = False) -> int:
        """Let every row go that is still held: to wait again, or with the job.

        Rows that a stop leaves out may go through a provider's batch when somebody retries them.
        """
        status: Back = "cancelled" if standing.stopping else "pending"
        rows, over = await self.rows.release_left(status, direct=direct and not standing.stopping)
        self.over |= over
        return rows

    async def wait_after(self, error: ProviderCallError | PromptsaasError) -> float:
        """Note what went wrong; how long to wait before the same step is tried again."""
        attempts = self.batch.attempts + 1
        code = error.reason if isinstance(error, ProviderCallError) else error.code
        words = DELETED if self.is_gone else WORDS.get(code, OTHERWISE)
        await self.save(attempts=attempts, error_code=code[:64], error_message=words)
        told = error.retry_after if isinstance(error, ProviderCallError) else None
        bound = self.times.first_wait * 2.0 ** min(attempts - 1, 10)
        return max(min(bound, self.times.longest_wait), min(told or 0.0, 3600.0))

    async def finish(self, state: ProviderState, **more: Any) -> Step:
        """End the batch; what lies at the provider is tidied up in the next step."""
        allowance = self.batch.allowance_id
        await self.save(state=state, finished_at=datetime.now(UTC), attempts=0, **more)
        if allowance is not None:
            await holding.let_go(self.runtime.pool, self.batch.organization_id, allowance)
        return 0.0 if self.batch.external_id or self.batch.upload_id else None

    async def fail_whole(self, standing: Standing, code: str, message: str) -> Step:
        """The provider takes none of it: every row fails with its words, so that nobody pays by surprise."""
        if standing.stopping:
            await self.give_all_back(standing)
        while claims := await self.rows.next_of_ours(0):
            await self.refuse_all(claims, code, message)
        told = "The provider refused the batch as a whole; its rows say why."
        return await self.finish(ProviderState.FAILED, error_code=code[:64], error_message=told)

    @property
    def is_gone(self) -> bool:
        """Whether the connection was deleted."""
        return isinstance(self.endpoint, DeletedConnection)

    def gives_up(self, standing: Standing) -> bool:
        """Whether a provider that can't be asked is no longer waited for."""
        return self.is_lost or (self.is_gone and standing.stopping)

    @property
    def is_lost(self) -> bool:
        """Whether the provider has had it for longer than any batch takes."""
        since = self.batch.submitted_at or self.batch.create_sent_at or self.batch.created_at
        return datetime.now(UTC) - since > timedelta(seconds=self.times.lost)
