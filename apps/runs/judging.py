"""Asking a model what it thinks of a run's input or answer: one call, within its time, never a failure.

Its usage and cost stand in the run's attempts, of kind `judge`, and its cost is a part of the run's.
"""

import asyncio
import time
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError

from apps.core.errors import PromptsaasError
from apps.guardrails import judging
from apps.guardrails.findings import Hit, Piece
from apps.guardrails.guard import Guard
from apps.guardrails.judging import Verdict
from apps.guardrails.rules import Judge, Side
from apps.providers.types import ChatRequest, ChatResult, ProviderCallError
from apps.runs.charges import charge_attempt
from apps.runs.guarded_texts import answer_pieces, call_pieces
from apps.runs.guarding import note_hits, refused, withheld
from apps.runs.progress import Progress
from apps.runs.types import Attempt, PreparedRun, Target, TargetSource


async def judge_input(prepared: PreparedRun, progress: Progress, targets: TargetSource) -> None:
    """Ask about the untrusted texts, unless a cache has the answer; may set `progress.refusal`."""
    guard = prepared.guard
    if guard is None or not progress.needs_call or not guard.pieces:
        return
    for hit in await _judge("input", guard, guard.pieces, prepared, progress, targets):
        if hit.action == "block":
            progress.refusal = refused(hit.rule)


async def judge_output(prepared: PreparedRun, progress: Progress, targets: TargetSource) -> None:
    """Ask about the answer, once; may set `progress.withheld`."""
    guard = prepared.guard
    if guard is None or guard.policy.judge is None or progress.judged:
        return
    if progress.answer is None or progress.withheld is not None:
        return
    progress.judged = True
    said = answer_pieces(progress.text, is_json=False) if progress.text else ()
    pieces = [*said, *call_pieces(progress.tool_calls, "tool_calls", trusted=False)]
    for hit in await _judge("output", guard, pieces, prepared, progress, targets):
        if hit.action == "block":
            progress.withheld = withheld(progress, hit.rule)


def judges_before_release(prepared: PreparedRun) -> bool:
    """Whether a streamed answer has to wait for a verdict."""
    judge = prepared.guard.policy.judge if prepared.guard is not None else None
    return judge is not None and judge.action == "block" and judge.judges("output")


async def _judge(
    side: Side,
    guard: Guard,
    pieces: Sequence[Piece],
    prepared: PreparedRun,
    progress: Progress,
    targets: TargetSource,
) -> tuple[Hit, ...]:
    judge = guard.policy.judge
    if judge is None or not judge.judges(side) or not pieces:
        return ()
    left = time.perf_counter()
    verdict = await _ask(judge, side, pieces, prepared, progress, targets)
    progress.away += time.perf_counter() - left
    hits = judging.hits_of(judge, side, verdict)
    note_hits(progress, hits)
    return hits


async def _ask(
    judge: Judge,
    side: Side,
    pieces: Sequence[Piece],
    prepared: PreparedRun,
    progress: Progress,
    targets: TargetSource,
) -> Verdict | None:
    """The verdict; None where it can't be had. Whatever was used is noted."""
    began = progress.elapsed_ms()
    target: Target | None = None
    answer: ChatResult | None = None
    error, status = "", None
    try:
        async with asyncio.timeout(max(0.0, min(judge.timeout_seconds, progress.remaining()))):
            target = await targets.open(prepared.request, judge.model)
            chat = ChatRequest(
                model=target.model,
                messages=judging.question(side, pieces),
                output_schema=judging.SCHEMA,
                timeout_seconds=judge.timeout_seconds,
            )
            target.provider.check(chat)
            answer = await target.provider.complete(chat)
    except ProviderCallError as failure:
        error, status = failure.reason, failure.status
    except TimeoutError:
        error = "timeout"
    except (PromptsaasError, DatabaseError, InterfaceError):
        error = judging.UNAVAILABLE
    verdict = judging.read_verdict(answer.text) if answer is not None else None
    if answer is not None and verdict is None:
        error = "output_invalid"
    attempt = Attempt(
        start_ms=began,
        duration_ms=progress.elapsed_ms() - began,
        error=error,
        status=status,
        model=target.reference if target is not None else judge.model,
        kind="judge",
    )
    if target is not None and answer is not None:
        attempt, price = charge_attempt(attempt, target, answer.usage, prepared.created_at)
        progress.side_costs.append(price)
    progress.attempts.append(attempt)
    return verdict
