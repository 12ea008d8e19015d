"""Gathering rows for a provider's batch: each is checked and rendered as for a call of its own."""

from dataclasses import replace
from typing import Final

from apps.batches.claims import Claim
from apps.batches.completion import answer_of_row
from apps.batches.models import StopReason
from apps.batches.provider_batches import records
from apps.batches.provider_batches.content import Collected, custom_id
from apps.batches.provider_batches.records import Standing
from apps.batches.provider_batches.rows import AT_ONCE, LEASE_SECONDS, Taken
from apps.batches.provider_batches.work import Step, Work
from apps.batches.provider_models import ProviderState
from apps.batches.pump import MOST_ATTEMPTS
from apps.batches.shapes.rows import request_for
from apps.billing import holding
from apps.core.errors import PromptsaasError
from apps.guardrails.policy import OFF
from apps.runs.types import CacheWish, PreparedRun

WAIT_FOR_MONEY: Final = 60.0
WAIT_FOR_LIMITS: Final = 5.0


async def prepare(work: Work, standing: Standing) -> Step:
    """Claim rows and write their lines, as many as the provider, the quota and the cap allow."""
    if standing.stopping or standing.paused:
        return await _leave(work, standing)
    limits = work.endpoint.limits
    held = await work.rows.held()
    most = await _hold_quota(work, min(limits.requests, standing.waiting + held.rows))
    if most == 0:
        await work.in_thread(lambda: records.stop(work.batch, StopReason.QUOTA))
        return await _leave(work, await work.standing())
    collected = Collected(replace(limits, requests=most), work.endpoint.joint, work.batch.kind)
    went_on, taken = await add_ours(work, collected), Taken([])
    while went_on and collected.rows < most:
        taken = await work.rows.claim(min(AT_ONCE, most - collected.rows), work.worst_case)
        if not taken.claims:
            break
        went_on = await _add(work, collected, taken.claims)
    if not collected.rows:
        collected.close()
        return await _nothing(work, taken, limited=not went_on)
    if work.batch.allowance_id is not None:
        pool, organization = work.runtime.pool, work.batch.organization_id
        await holding.keep_only(pool, organization, work.batch.allowance_id, collected.rows)
    work.content = collected
    await keep_figures(work, collected, state=ProviderState.UPLOADING, attempts=0)
    return 0.0


async def add_ours(work: Work, collected: Collected) -> bool:
    """Write the lines of the rows that the batch holds already; False where something holds the rest back."""
    after = 0
    while claims := await work.rows.next_of_ours(after):
        after = claims[-1].number
        if not await _add(work, collected, claims):
            await _give_back_behind(work, after)
            return False
    return True


async def keep_figures(work: Work, collected: Collected, **more: object) -> None:
    """Write down what is about to be sent."""
    held = await work.rows.held()
    await work.save(
        kind=collected.kind,
        requests=collected.rows,
        size=collected.size,
        first_number=held.first,
        last_number=held.last,
        **more,
    )


async def _hold_quota(work: Work, wanted: int) -> int:
    """How many rows the month's quota has room for; they are kept free for as long as the batch takes."""
    pool, batch = work.runtime.pool, work.batch
    if batch.allowance_id is not None:
        # Of a try that was broken off.
        await holding.let_go(pool, batch.organization_id, batch.allowance_id)
    hold = await holding.hold_runs(
        pool, batch.organization_id, wanted, seconds=LEASE_SECONDS, holder=f"batch {batch.public_id}"
    )
    await work.save(allowance_id=hold.lease_id)
    return hold.amount


async def _nothing(work: Work, taken: Taken, *, limited: bool) -> Step:
    """No row could be sent: wait for what holds them back, or be gone."""
    if work.batch.allowance_id is not None:
        await holding.let_go(work.runtime.pool, work.batch.organization_id, work.batch.allowance_id)
    if limited:
        return WAIT_FOR_LIMITS
    if taken.waits:
        return WAIT_FOR_MONEY
    if taken.cap_reached:
        await work.in_thread(lambda: records.stop(work.batch, StopReason.COST_CAP))
    work.over.add((work.job.organization_id, work.job.id))
    await work.in_thread(lambda: records.delete(work.batch, work.token))
    return None


async def _leave(work: Work, standing: Standing) -> Step:
    """The job was stopped or paused before anything was sent."""
    await work.give_all_back(standing)
    work.over.add((work.job.organization_id, work.job.id))
    return await work.finish(ProviderState.CANCELLED)


async def _add(work: Work, collected: Collected, claims: list[Claim]) -> bool:
    """Write lines; rows behind the first that finds no room, or has to wait, are given back: False then."""
    for index, claim in enumerate(claims):
        try:
            line = await _line(work, claim, collected)
        except PromptsaasError as held_back:
            if held_back.status != 503:
                raise
            line = b""
        if line is None:
            continue
        if not line or not collected.fits(line):
            await work.give_back(claims[index:])
            return False
        collected.add(line)
    return True


async def _give_back_behind(work: Work, after: int) -> None:
    while claims := await work.rows.next_of_ours(after):
        await work.give_back(claims)


async def _line(work: Work, claim: Claim, collected: Collected) -> bytes | None:
    """A row's line; None where the row is through, or goes another way. Raises errors of status 503."""
    if claim.attempts > MOST_ATTEMPTS:
        await work.refuse(claim, "given_up", "The row was tried too often without an answer.")
        return None
    try:
        prepared = await prepared_run(work, claim)
        if prepared.guard is not None and prepared.guard.blocked_by:
            await _record_refusal(work, claim, prepared)
            return None
        collected.kind = collected.kind or work.endpoint.kind(prepared.chat)
        if not _can_be_sent(work, prepared, collected.kind):
            await work.give_back([claim], direct=True)
            return None
        line = work.endpoint.line(custom_id(claim), prepared.chat)
        if len(line) > work.endpoint.limits.size // 2:
            await work.give_back([claim], direct=True)
            return None
        await work.runtime.engine.admit(prepared)
    except PromptsaasError as refusal:
        if refusal.status == 503:
            raise
        await work.refuse(claim, refusal.code, refusal.message)
        return None
    return line


async def prepared_run(work: Work, claim: Claim) -> PreparedRun:
    """The run that a row stands for, as an ordinary call would make it. Raises PromptsaasError."""
    request = replace(request_for(work.job, claim), cache=CacheWish(on=False))
    return await work.runtime.engine.prepare(request)


def _can_be_sent(work: Work, prepared: PreparedRun, kind: str) -> bool:
    """Whether the row fits this batch: its model is the batch's, and no judge has to look at it first."""
    target, policy = prepared.target, prepared.rules.guardrails
    judge = None if policy is OFF else policy.judge
    if judge is not None and judge.judges("input"):
        return False
    same = target.reference == work.batch.model and not target.sandbox
    return same and work.endpoint.kind(prepared.chat) == kind


async def _record_refusal(work: Work, claim: Claim, prepared: PreparedRun) -> None:
    """A guardrail refuses the row: it is recorded as any such run, and nothing is called."""
    work.calls[claim.run_id] = answer_of_row(claim)
    try:
        await work.runtime.engine.carry_out(prepared)
    finally:
        del work.calls[claim.run_id]
