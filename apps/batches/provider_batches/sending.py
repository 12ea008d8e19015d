"""Handing a batch to its provider, once: what may have arrived is looked for before it is sent again."""

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError

from apps.batches.provider_batches import records
from apps.batches.provider_batches.content import Collected
from apps.batches.provider_batches.preparing import add_ours, keep_figures
from apps.batches.provider_batches.records import Standing
from apps.batches.provider_batches.waiting import give_up
from apps.batches.provider_batches.work import Step, Work
from apps.batches.provider_models import ProviderState
from apps.providers.batches.types import RemoteBatch
from apps.providers.types import ProviderCallError


async def send(work: Work, standing: Standing) -> Step:
    """Upload the lines and make the batch; or find out whether an earlier try did."""
    batch = work.batch
    if batch.create_sent_at is not None:
        return await _look_for(work, standing)
    if standing.stopping or standing.paused:
        await work.give_all_back(standing)
        return await work.finish(ProviderState.CANCELLED)
    is_fresh = work.content is not None
    collected = work.content or await _collect_again(work)
    work.content = collected
    if not collected.rows:
        return await work.finish(ProviderState.CANCELLED)
    try:
        if not batch.upload_id:
            await _upload(work, collected, is_fresh=is_fresh)
        work.demand()
        await work.save(create_sent_at=datetime.now(UTC))
        remote = await work.endpoint.create(batch.upload_id, collected.content(), batch.public_id, batch.kind)
    except ProviderCallError as error:
        return await _not_sent(work, standing, error)
    return await _accept(work, remote)


async def _collect_again(work: Work) -> Collected:
    """The lines of the rows that the batch holds, after a kill or a failure."""
    collected = Collected(work.endpoint.limits, work.endpoint.joint, work.batch.kind)
    await add_ours(work, collected)
    await keep_figures(work, collected)
    return collected


async def _upload(work: Work, collected: Collected, *, is_fresh: bool) -> None:
    name = f"{work.batch.public_id}.jsonl"
    upload = "" if is_fresh else await work.endpoint.find_upload(name, collected.size)
    upload = upload or await work.endpoint.upload(collected.content(), name)
    if upload:
        await work.save(upload_id=upload)


async def _not_sent(work: Work, standing: Standing, error: ProviderCallError) -> Step:
    if work.batch.create_sent_at is not None and may_have_arrived(error):
        return await work.wait_after(error)
    if work.batch.create_sent_at is not None:
        await work.save(create_sent_at=None)
    if error.retryable:
        return await work.wait_after(error)
    return await work.fail_whole(standing, f"provider_batch_{error.reason}", error.message)


def may_have_arrived(error: ProviderCallError) -> bool:
    """Whether the provider may have done what it was asked: anything but a plain refusal."""
    if error.reason == "connection":
        return error.retryable
    return error.reason in ("timeout", "server")


async def _look_for(work: Work, standing: Standing) -> Step:
    """Find a batch that was perhaps made; only when it surely was not, another one is."""
    batch = work.batch
    assert batch.create_sent_at is not None
    known = await work.in_thread(lambda: records.known_ids(batch))
    try:
        found = await work.endpoint.find(batch.public_id, batch.create_sent_at, batch.requests, known)
    except ProviderCallError as error:
        return await give_up(work, standing) if work.gives_up(standing) else await work.wait_after(error)
    if found is not None:
        return await _accept(work, found, by_size=found.mark != batch.public_id)
    if datetime.now(UTC) - batch.create_sent_at < timedelta(seconds=work.times.grace):
        return min(work.times.first_wait, work.times.grace / 4)
    await work.save(create_sent_at=None)
    return 0.0


async def _accept(work: Work, remote: RemoteBatch, *, by_size: bool = False) -> Step:
    """The provider has the batch; `by_size`: one that may be somebody else's."""
    try:
        await work.save(
            state=ProviderState.SUBMITTED,
            external_id=remote.id,
            submitted_at=work.batch.create_sent_at,
            found_by_size=by_size,
            attempts=0,
            error_code="",
            error_message="",
        )
    except IntegrityError:
        # Another one of ours has found it as well, and been first.
        await work.save(not_ours=[*work.batch.not_ours, remote.id])
        return 0.0
    if work.content is not None:
        work.content.close()
        work.content = None
    return work.times.first_poll
