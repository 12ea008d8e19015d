"""Carrying a provider's batch from step to step. A step may be killed anywhere and is then done again.

Whoever works on a batch holds its row; the rows in it are held by the batch itself. What must happen once,
the making of a batch at the provider, is announced in the row before and looked for after a kill.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import UUID

from apps.batches.completion import BatchCompanion, Call
from apps.batches.fairness import Waiting
from apps.batches.leases import LeaseStore
from apps.batches.provider_batches import records
from apps.batches.provider_batches.fetching import fetch
from apps.batches.provider_batches.preparing import prepare
from apps.batches.provider_batches.pricing import batch_worst_case
from apps.batches.provider_batches.records import LeaseLost
from apps.batches.provider_batches.rows import LEASE_SECONDS, Jobs, RowStore
from apps.batches.provider_batches.sending import send
from apps.batches.provider_batches.waiting import look, tidy
from apps.batches.provider_batches.work import OTHERWISE, ProviderTimes, Step, Work, times
from apps.batches.provider_models import ProviderBatch, ProviderState
from apps.batches.services import finish_job
from apps.core.errors import PromptsaasError
from apps.core.ids import uuid7
from apps.core.logs import get_logger
from apps.providers.batches import open_batches
from apps.providers.batches.deleted import DeletedConnection
from apps.runs.runtime import Runtime, open_runtime

logger = get_logger(__name__)

STEPS = {
    ProviderState.PREPARING: prepare,
    ProviderState.UPLOADING: send,
    ProviderState.SUBMITTED: look,
    ProviderState.IN_PROGRESS: look,
    ProviderState.FETCHING: fetch,
}


async def advance(batch_id: UUID, given: ProviderTimes | None = None) -> int:
    """Do what is due of a provider's batch; returns how many steps were done."""
    pace = given or times()
    calls: dict[UUID, Call] = {}
    companion = BatchCompanion(calls)
    token = uuid7()
    async with open_runtime([companion]) as runtime:
        batch = await runtime.calls.run(lambda: records.take(batch_id, token, pace.worker))
        if batch is None:
            return 0
        steps, over = 0, Jobs()
        wait: Step = pace.first_wait
        try:
            async with _work(runtime, calls, batch, token, pace) as work:
                over = work.over
                steps, wait = await _advance(work)
        except LeaseLost:
            logger.warning("provider_batches.lease_lost", extra={"provider_batch": batch.public_id})
            return steps
        except Exception:
            # A fault of ours: the step is tried again, ever more slowly.
            logger.exception("provider_batches.step_failed", extra={"provider_batch": batch.public_id})
            attempts = await _note(runtime, batch, token)
            wait = min(pace.longest_wait, pace.first_wait * 2.0 ** min(attempts, 10))
        finally:
            await runtime.calls.run(lambda: records.let_go(batch, token, wait))
        for organization_id, job_id in over | companion.over:
            await runtime.calls.run(partial(finish_job, organization_id, job_id))
    return steps


async def _advance(work: Work) -> tuple[int, Step]:
    """Steps until one has to wait."""
    steps, wait = 0, 0.0
    while wait == 0.0:
        try:
            next_wait = await step(work)
        except PromptsaasError as error:
            # Something of ours is away for a moment.
            next_wait = await work.wait_after(error)
        steps += 1
        if next_wait is None:
            return steps, None
        wait = next_wait
    return steps, wait


async def step(work: Work) -> Step:
    """One step, from the state that the batch is in."""
    if work.batch.is_final:
        return await tidy(work)
    return await STEPS[ProviderState(work.batch.state)](work, await work.standing())


@asynccontextmanager
async def _work(
    runtime: Runtime, calls: dict[UUID, Call], batch: ProviderBatch, token: UUID, pace: ProviderTimes
) -> AsyncIterator[Work]:
    process = f"{socket.gethostname()}:{os.getpid()}"
    leases = LeaseStore(runtime.pool, batch.id, LEASE_SECONDS, process)
    facts = await leases.job_facts(Waiting(batch.batch_id, batch.organization_id, 0, 0, 1))
    if facts is None:
        raise LeaseLost
    connection = await runtime.calls.run(lambda: records.connection_of(batch, facts.project_id))
    worst_case = await runtime.calls.run(lambda: batch_worst_case(facts))
    work = Work(
        runtime=runtime,
        calls=calls,
        batch=batch,
        token=token,
        job=facts,
        rows=RowStore(runtime.pool, batch.id, facts, batch.variant),
        leases=leases,
        endpoint=open_batches(connection) if connection is not None else DeletedConnection(),
        worst_case=worst_case,
        times=pace,
    )
    keeper = asyncio.create_task(work.keep_forever())
    try:
        yield work
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        if work.content is not None:
            work.content.close()
        await work.endpoint.close()


async def _note(runtime: Runtime, batch: ProviderBatch, token: UUID) -> int:
    """Write down that a step failed; how often that has happened now."""
    changes = {"attempts": batch.attempts + 1, "error_code": "internal", "error_message": OTHERWISE}
    with suppress(LeaseLost):
        await runtime.calls.run(lambda: records.save(batch, token, changes))
    return batch.attempts
