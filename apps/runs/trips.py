"""One call's way from target to target: admission, attempts, waits, fallbacks.

A trip knows nothing of how a call is made; `calling` makes it and tells the trip how it went.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from apps.core.errors import PromptsaasError, Unavailable
from apps.prompts.serving import CallRules
from apps.providers.types import CallErrorReason, ChatRequest, ChatResult, ProviderCallError, Usage
from apps.runs.call_metrics import RETRIES_WITHHELD, count_attempt
from apps.runs.charges import clamped, price_of
from apps.runs.progress import Progress
from apps.runs.retrying import PATIENCE, RetryPolicy, falls_back
from apps.runs.types import Attempt, AttemptKind, RunRequest, Target, TargetSource

UNAVAILABLE: Final = (
    "The provider has been failing, so it is not called for a moment. Try again later, or add a fallback."
)
BUSY: Final = "The connection has as many calls under way as it may have, and none ended in time."
RESTING: Final = "rate_limited"
BUSY_RETRY_SECONDS: Final = 1.0
LEAST_SECONDS: Final = 0.02
"""What must be left of the deadline for another attempt to make sense."""


@dataclass(slots=True)
class Route:
    """Where a run's calls go: its own target, and fallbacks that are opened only when they are needed."""

    target: Target
    chat: ChatRequest
    rules: CallRules
    policy: RetryPolicy
    request: RunRequest
    targets: TargetSource
    priced_at: datetime

    def asking(self, chat: ChatRequest, target: Target | None = None) -> "Route":
        """The same way for another question, beginning at the target that answered before."""
        if target is None or target is self.target:
            return replace(self, chat=chat)
        asked = target.provider.adapt(replace(chat, model=target.model))
        return replace(self, chat=asked, target=target)


@dataclass(slots=True)
class Trip:
    """The state of one call. `kind` is what its first attempt is for."""

    route: Route
    progress: Progress
    kind: AttemptKind
    target: Target = field(init=False)
    chat: ChatRequest = field(init=False)
    _left: list[str] = field(init=False)
    _number: int = 0
    _began: int = 0
    _holds: bool = False
    _passed_over: tuple[Target, ChatRequest, AttemptKind] | None = None

    def __post_init__(self) -> None:
        self.target, self.chat = self.route.target, self.route.chat
        fallbacks = self.route.rules.fallbacks
        self._left = [each for each in fallbacks if each != self.target.reference] if fallbacks else []

    async def enter(self) -> bool:
        """Whether the target may be called now: then an attempt has begun, else progress says why not."""
        while not await self._admitted():
            if not await self._fall_back() and not self._return():
                if self.progress.error is not None:
                    self._wait_for_provider(self.progress.error)
                return False
        self.progress.called = True
        self.progress.target = self.target
        self._began = self.progress.elapsed_ms()
        return True

    def seconds(self) -> float:
        """How long the call, or the wait for a stream's next piece, may take."""
        return max(0.0, min(self.route.rules.timeout_seconds, self.progress.remaining()))

    def succeeded(self, answer: ChatResult) -> None:
        """The attempt has brought an answer: it is charged by the price of the model that gave it."""
        self._leave(None)
        progress = self.progress
        progress.error = None
        usage = clamped(answer.usage)
        price = price_of(self.target, usage, self.route.priced_at)
        self._note("", usage=usage, cost=price.amount)
        progress.prices.append(price)

    def abandoned(self) -> None:
        """The attempt was broken off by the caller, or by a fault of ours."""
        health = self.target.health
        if health is not None and self._holds:
            self._holds = False
            health.slots.give()
            health.abandoned()
        self._note("cancelled")

    async def failed(self, error: ProviderCallError) -> bool:
        """Whether there is to be another attempt: the wait before it is over then. Else the error stands.

        Raises Unavailable where the run can wait for its provider and is better made later.
        """
        self._leave(error)
        self._note(error.reason, error.status)
        self.progress.error = error
        if self.progress.parts or self.progress.remaining() < LEAST_SECONDS:
            return False
        self._wait_for_provider(error)
        return await self._retry(error) or (falls_back(error) and await self._fall_back())

    async def _admitted(self) -> bool:
        health = self.target.health
        if health is None:
            return True
        if self._left and health.rests(self.target.model):
            self._note(RESTING, refused=True)
            self._passed_over = self._passed_over or (self.target, self.chat, self.kind)
            return False
        if not health.slots.take_now() and not await health.slots.take(self._patience()):
            self._refuse("busy", BUSY, BUSY_RETRY_SECONDS)
            return False
        wait = health.admit()
        if wait:
            health.slots.give()
            self._refuse("breaker_open", UNAVAILABLE, wait)
            return False
        self._holds = True
        return True

    def _patience(self) -> float:
        remaining = self.progress.remaining()
        return min(remaining, PATIENCE) if self._left else remaining

    def _refuse(self, reason: CallErrorReason, message: str, retry_after: float) -> None:
        self._note(reason, refused=True)
        # What a provider said tells more than that it was not asked again.
        if self.progress.error is None or self.progress.error.reason in ("breaker_open", "busy"):
            self.progress.error = ProviderCallError(
                message, reason=reason, retryable=True, retry_after=retry_after
            )

    def _leave(self, error: ProviderCallError | None) -> None:
        health = self.target.health
        if health is None or not self._holds:
            return
        self._holds = False
        health.slots.give()
        health.ended(error)
        if error is not None and error.reason == "rate_limited" and error.retry_after:
            health.rest_model(self.target.model, error.retry_after)

    def _wait_for_provider(self, error: ProviderCallError) -> None:
        """A row of a batch is not lost for a provider that wants fewer calls, or none for a moment.

        Once something was answered there is a cost to record, and the run goes on as any other.
        """
        waits = error.retryable and error.reason in ("rate_limited", "breaker_open", "busy")
        if waits and self.route.request.source == "batch" and not self._left and not self.progress.prices:
            raise Unavailable(
                "The provider takes no further calls for the moment; this one is made later.",
                code="provider_busy",
                retry_after=error.retry_after,
            )

    async def _retry(self, error: ProviderCallError) -> bool:
        rules, policy, health = self.route.rules, self.route.policy, self.target.health
        if not error.retryable or self._number >= policy.most(rules.retries):
            return False
        if self._left and (error.retry_after or 0.0) > PATIENCE:
            return False
        wait = policy.wait(self._number, error.retry_after)
        if wait >= self.progress.remaining():
            return False
        if health is not None and not health.may_retry():
            RETRIES_WITHHELD.inc()
            return False
        await asyncio.sleep(wait)
        self._number += 1
        self.kind = "retry"
        return True

    async def _fall_back(self) -> bool:
        """Go on to the next fallback that can be asked this at all."""
        while self._left:
            reference = self._left.pop(0)
            try:
                target = await self.route.targets.open(self.route.request, reference)
                self._adopt(target)
            except PromptsaasError as refused:
                self._note(refused.code, model=reference, kind="fallback", refused=True)
                continue
            self._number, self.kind = 0, "fallback"
            return True
        return False

    def _return(self) -> bool:
        """Go back to the model that was passed over for its pause: no fallback could be asked instead."""
        if self._passed_over is None:
            return False
        self.target, self.chat, self.kind = self._passed_over
        self._number, self._passed_over = 0, None
        return True

    def _adopt(self, target: Target) -> None:
        """Make a target the next one. Raises PromptsaasError for one that can't stand in."""
        if target.sandbox != self.route.target.sandbox:
            # Made-up answers for real ones, or real costs for a trial.
            message = "The sandbox and real models don't stand in for each other."
            raise PromptsaasError(message, code="fallback_refused")
        chat = target.provider.adapt(replace(self.route.chat, model=target.model))
        target.provider.check(chat)
        self.target, self.chat = target, chat

    def _note(
        self,
        error: str,
        status: int | None = None,
        *,
        model: str = "",
        kind: AttemptKind | None = None,
        refused: bool = False,
        usage: Usage | None = None,
        cost: Decimal | None = None,
    ) -> None:
        """Write down the attempt that has ended; one that was refused took no time."""
        now = self.progress.elapsed_ms()
        began = now if refused else self._began
        self.progress.attempts.append(
            Attempt(
                start_ms=began,
                duration_ms=now - began,
                error=error,
                status=status,
                model=model or self.target.reference,
                kind=kind or self.kind,
                usage=usage,
                cost=cost,
            )
        )
        count_attempt(self.target.kind, self.target.sandbox, kind or self.kind, error)
