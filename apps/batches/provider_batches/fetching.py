"""Taking a batch's answers: each becomes a run, recorded as a direct call's would be, at batch price."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import psycopg

from apps.batches.claims import Claim
from apps.batches.completion import answer_of_row
from apps.batches.provider_batches import records
from apps.batches.provider_batches.content import read_custom_id
from apps.batches.provider_batches.preparing import prepared_run
from apps.batches.provider_batches.records import Standing
from apps.batches.provider_batches.waiting import NOT_FOUND, give_up
from apps.batches.provider_batches.work import Step, Work
from apps.batches.provider_models import ProviderState
from apps.billing import plans
from apps.billing.allowance import Reservation
from apps.core.errors import PromptsaasError
from apps.core.logs import get_logger
from apps.providers.batches.types import Line
from apps.providers.types import ProviderCallError
from apps.runs.elsewhere import progress_of

GROUP: Final = 128
"""Answers that are recorded together, in one transaction as a rule."""

logger = get_logger(__name__)


@dataclass(slots=True)
class Read:
    """What has come of the answers so far; `ours`: whether one of them was of a row of ours."""

    ours: bool = False
    waiting: dict[UUID, tuple[int, Line]] = field(default_factory=dict)


async def fetch(work: Work, standing: Standing) -> Step:
    """Record what was answered; what was not goes on by itself, or ends with its job."""
    read = Read()
    try:
        remote = await work.endpoint.get(work.batch.external_id)
        async for line in work.endpoint.lines(remote):
            name = read_custom_id(line.custom_id)
            if name is None:
                continue
            read.waiting[name[0]] = (name[1], line)
            if len(read.waiting) >= GROUP:
                await _record_group(work, read)
    except ProviderCallError as error:
        await _record_group(work, read)
        if error.status == NOT_FOUND or work.gives_up(standing):
            return await give_up(work, standing)
        return await work.wait_after(error)
    await _record_group(work, read)
    if await _is_somebody_elses(work, read):
        not_ours = [*work.batch.not_ours, work.batch.external_id]
        await work.save(state=ProviderState.UPLOADING, external_id="", not_ours=not_ours, ended_at=None)
        return 0.0
    returned = await work.give_all_back(await work.standing(), direct=True)
    work.over.add((work.job.organization_id, work.job.id))
    return await work.finish(ProviderState.DONE, returned=returned)


async def _is_somebody_elses(work: Work, read: Read) -> bool:
    """Whether a batch that only its size spoke for holds no row of ours."""
    if not work.batch.found_by_size or read.ours or work.batch.recorded:
        return False
    return (await work.rows.held()).rows > 0


async def _record_group(work: Work, read: Read) -> None:
    if not read.waiting:
        return
    lines, read.waiting = read.waiting, {}
    claims = await work.rows.named_of_ours(list(lines))
    read.ours = read.ours or bool(claims)
    answered = [
        (claim, lines[item_id][1]) for item_id, claim in claims.items() if lines[item_id][0] == claim.round
    ]
    recorded = sum(await asyncio.gather(*(_record(work, claim, line) for claim, line in answered)))
    if recorded:
        await work.in_thread(lambda: records.count_recorded(work.batch, work.token, recorded))


async def _record(work: Work, claim: Claim, line: Line) -> bool:
    """Whether the row has its result; not where it is worth a call of its own."""
    if line.fate not in ("answered", "failed"):
        return False
    try:
        prepared = await prepared_run(work, claim)
        answer = work.endpoint.answer(line, prepared.chat)
        if isinstance(answer, ProviderCallError) and answer.retryable:
            return False
        progress = progress_of(prepared, answer, _waited(work))
        work.calls[claim.run_id] = answer_of_row(claim)
        result = await work.runtime.engine.record_answer(prepared, progress, _reservation(work))
    except PromptsaasError as refusal:
        if refusal.status == 503:
            raise
        # The prompt's model or rules were taken away meanwhile: what it would have been is not known.
        await work.refuse(claim, refusal.code, refusal.message)
        return False
    except psycopg.Error:
        logger.exception("provider_batches.result_refused", extra={"item": str(claim.item_id)})
        await work.refuse(claim, "result_not_storable", "The answer could not be stored.")
        return False
    finally:
        work.calls.pop(claim.run_id, None)
    return result.recorded


def _reservation(work: Work) -> Reservation:
    return Reservation(work.batch.organization_id, plans.RUNS, work.batch.allowance_id)


def _waited(work: Work) -> float:
    since = work.batch.submitted_at or work.batch.created_at
    return (datetime.now(UTC) - since).total_seconds()
