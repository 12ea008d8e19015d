"""Looking how a batch stands at its provider, calling it off, tidying up behind it."""

from datetime import UTC, datetime
from typing import Final

from apps.batches.provider_batches.records import Standing
from apps.batches.provider_batches.work import TIDY_ATTEMPTS, Step, Work
from apps.batches.provider_models import ProviderState
from apps.providers.batches.types import RemoteBatch
from apps.providers.types import ProviderCallError

NOT_FOUND: Final = 404
OVER_LIMITS: Final = frozenset({"token_limit_exceeded", "rate_limit_exceeded", "batch_limit_exceeded"})
LOST: Final = "provider_batch_lost"
FULL: Final = "The provider has as much waiting as it takes at a time; the rows are sent again later."


async def look(work: Work, standing: Standing) -> Step:
    """Ask for the batch's state; the next step follows from it."""
    try:
        remote = await _ask(work, standing)
    except ProviderCallError as error:
        if error.status == NOT_FOUND or work.gives_up(standing):
            return await give_up(work, standing)
        return await work.wait_after(error)
    figures = {"answered": remote.answered, "failed": remote.failed, "attempts": 0}
    if remote.stage == "ended":
        await work.save(state=ProviderState.FETCHING, ended_at=datetime.now(UTC), **figures)
        return 0.0
    if remote.stage == "failed":
        return await _failed(work, standing, remote)
    if work.is_lost:
        return await give_up(work, standing)
    await work.save(state=ProviderState.IN_PROGRESS, error_code="", error_message="", **figures)
    return work.times.poll


async def give_up(work: Work, standing: Standing) -> Step:
    """The provider no longer has it: its rows are called one by one."""
    returned = await work.give_all_back(standing, direct=True)
    message = "The provider's batch came to no end, so its rows are called directly."
    return await work.finish(ProviderState.FAILED, returned=returned, error_code=LOST, error_message=message)


async def tidy(work: Work) -> Step:
    """Delete what lies at the provider; after some tries it is left to expire there."""
    batch = work.batch
    try:
        remote = RemoteBatch(batch.external_id, "ended")
        if batch.external_id:
            remote = await work.endpoint.get(batch.external_id)
        if remote.stage == "running":
            return None
        if batch.external_id or batch.upload_id:
            await work.endpoint.tidy(remote, batch.upload_id)
    except ProviderCallError as error:
        if error.status == NOT_FOUND or batch.attempts + 1 >= TIDY_ATTEMPTS:
            return None
        kept = {"error_code": batch.error_code, "error_message": batch.error_message}
        wait = await work.wait_after(error)
        await work.save(**kept)
        return wait
    await work.save(tidied_at=datetime.now(UTC))
    return None


async def _ask(work: Work, standing: Standing) -> RemoteBatch:
    if not standing.cancels or work.batch.cancel_sent_at is not None:
        return await work.endpoint.get(work.batch.external_id)
    remote = await work.endpoint.cancel(work.batch.external_id)
    await work.save(cancel_sent_at=datetime.now(UTC))
    return remote


async def _failed(work: Work, standing: Standing, remote: RemoteBatch) -> Step:
    """The provider refused the whole: for a while, if it has too much of ours, else for good."""
    if remote.error_code in OVER_LIMITS:
        await work.give_all_back(standing)
        return await work.finish(ProviderState.FAILED, error_code=remote.error_code, error_message=FULL)
    message = remote.error_message or "The provider refused the batch as a whole."
    return await work.fail_whole(standing, "provider_batch_refused", message)
