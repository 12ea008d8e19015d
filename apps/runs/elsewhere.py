"""Runs whose call was made elsewhere: what came of it, as the engine records it.

A call in a provider's own batch is asked for hours before its answer is here. It is never repaired, tried
again or answered by another model: that would be a call of its own.
"""

import time
from typing import Final

from apps.providers.types import ChatResult, ProviderCallError
from apps.runs.charges import charge_attempt
from apps.runs.progress import Progress
from apps.runs.types import Attempt, PreparedRun

LONGEST_WAIT_SECONDS: Final = 14 * 86_400.0


def progress_of(
    prepared: PreparedRun, answer: ChatResult | ProviderCallError, waited_seconds: float
) -> Progress:
    """What a run has got of a line of a provider's batch, handed in `waited_seconds` ago, at its price."""
    waited = min(max(waited_seconds, 0.0), LONGEST_WAIT_SECONDS)
    progress = Progress(
        deadline=waited + prepared.request.timeout_seconds,
        started=time.perf_counter() - waited,
        called=True,
        target=prepared.target,
    )
    attempt = Attempt(0, round(waited * 1000), model=prepared.target.reference, kind="batch")
    if isinstance(answer, ChatResult):
        attempt, price = charge_attempt(
            attempt, prepared.target, answer.usage, prepared.created_at, processing="batch"
        )
        progress.accept(answer)
        progress.prices.append(price)
    else:
        progress.error = answer
        attempt = Attempt(
            0,
            attempt.duration_ms,
            error=answer.reason,
            status=answer.status,
            model=attempt.model,
            kind="batch",
        )
    progress.attempts.append(attempt)
    return progress
