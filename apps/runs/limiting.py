"""Limits of a run: of its key, its organization, its prompt and its end user, all of them or none.

Requests and runs at a time are counted as they are. Tokens are taken by an estimate before the call (the
input's length and what this prompt has answered so far) and settled to the provider's figures after it.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from apps.core import rate_limits
from apps.core.chat_content import attachments_of, text_of
from apps.core.errors import Unavailable
from apps.core.limit_bounds import Bounds, Rate, Slots, Take, Verdict, bounds_of
from apps.core.limit_groups import GroupedLimits
from apps.core.scope import organization_scope
from apps.prompts.serving import LimitRules
from apps.providers.types import ChatRequest
from apps.runs.blocking import BlockingCalls
from apps.runs.caches import ReadThroughCache
from apps.runs.limit_refusals import limit_refusal
from apps.runs.types import PreparedRun, RunResult
from apps.tenants import queries as tenant_queries

USUAL_OUTPUT: Final = 256
"""What is expected of an answer as long as nothing is known of its like."""
CHARACTERS_A_TOKEN: Final = 4
ATTACHMENT_TOKENS: Final = 1_000
WEIGHT: Final = 0.1
REMEMBERED: Final = 10_000
PATIENCE_SECONDS: Final = 30.0
"""How long a run that nobody waits for is held back before it goes to the end of its queue."""
LONGEST_PAUSE_SECONDS: Final = 5.0


class Hold(NamedTuple):
    """What a run has taken and must settle: an estimate of tokens, slots for as long as it runs."""

    tokens: tuple[Rate, ...]
    slots: tuple[Take, ...]
    estimate: int
    kind: tuple[UUID, str]


class RunLimits:
    """Admits runs of one event loop."""

    def __init__(self, calls: BlockingCalls) -> None:
        self._calls = calls
        self._outputs = _Outputs()
        self._rules: dict[UUID, tuple[LimitRules, Bounds]] = {}
        self._grouped: GroupedLimits | None = None
        self.organizations: ReadThroughCache[UUID, Bounds] = ReadThroughCache(
            lambda organization_id, _: (("organization", str(organization_id)),)
        )

    async def admit(self, prepared: PreparedRun) -> Hold | None:
        """Take all that the run needs, or nothing; None where nothing has to be settled.

        A run of a batch or in the background waits its turn. Raises RateLimited, naming the limit, or
        Unavailable where a run that can wait has waited for long.
        """
        request = prepared.request
        bounds = request.limits
        if bounds is None:
            bounds = await self._organization(request.organization_id)
        own = self._bounds_of_rules(prepared)
        takes = [*bounds.requests, *own.requests]
        tokens, runs = bounds.tokens + own.tokens, bounds.runs + own.runs
        hold = None
        if tokens or runs:
            hold = self._hold(prepared, tokens, runs)
            takes += [Take(rate, hold.estimate) for rate in tokens]
            takes += hold.slots
        elif not takes:
            return None
        if self._grouped is None:
            self._grouped = rate_limits.grouped()
        verdict = await self._grouped.take(takes)
        if not verdict.allowed and (request.source == "batch" or request.background):
            verdict = await _wait_for(takes, verdict)
        if request.tell_limits is not None:
            request.tell_limits(verdict)
        if not verdict.allowed:
            raise limit_refusal(verdict)
        return hold

    def settle(self, hold: Hold, result: RunResult | None) -> None:
        """Settle to what the run has used; None: it was never called, all is given back."""
        grouped = self._grouped
        assert grouped is not None
        for take in hold.slots:
            assert not isinstance(take.bound, Rate)
            grouped.free(take.bound, take.holder)
        if not hold.tokens:
            return
        used = 0 if result is None else _tokens_of(result)
        if used is None:
            return
        if result is not None and result.usage_origin == "provider":
            self._outputs.learn(hold.kind, result.usage.output_tokens or 0)
        for rate in hold.tokens:
            more = used - min(hold.estimate, rate.limit)
            if more:
                grouped.settle(rate, more)

    def leave(self, hold: Hold) -> None:
        """Give the slots back of a run whose call others make; its tokens stay counted as estimated."""
        assert self._grouped is not None
        for take in hold.slots:
            assert not isinstance(take.bound, Rate)
            self._grouped.free(take.bound, take.holder)

    def _hold(self, prepared: PreparedRun, tokens: tuple[Rate, ...], runs: tuple[Slots, ...]) -> Hold:
        kind = (_place(prepared), prepared.target.model)
        estimate = 0
        if tokens:
            estimate = input_tokens(prepared.chat) + self._outputs.expected(kind, prepared.chat)
        holder = prepared.request.run_id.bytes
        slots = tuple(Take(each, 1, holder) for each in runs)
        return Hold(tokens, slots, estimate, kind)

    def _bounds_of_rules(self, prepared: PreparedRun) -> Bounds:
        """The prompt's, made once, and the end user's."""
        rules, place = prepared.rules.limits, _place(prepared)
        known = self._rules.get(place)
        if known is None or known[0] is not rules:
            if len(self._rules) >= REMEMBERED:
                self._rules.clear()
            is_prompt = prepared.prompt is not None and prepared.prompt.prompt_id is not None
            bounds = bounds_of(
                "prompt" if is_prompt else "project",
                str(place),
                requests=rules.requests_per_minute,
                tokens=rules.tokens_per_minute,
                runs=rules.concurrent_runs,
            )
            known = self._rules[place] = (rules, bounds)
        if prepared.request.user and (rules.user_requests_per_minute or rules.user_tokens_per_minute):
            return known[1] + _bounds_of_user(prepared, rules)
        return known[1]

    async def _organization(self, organization_id: UUID) -> Bounds:
        """The organization's own, for a run that no key asked for."""

        def load() -> Bounds:
            with organization_scope(organization_id):
                return tenant_queries.bounds_of_organization(organization_id)

        return await self.organizations.get(organization_id, lambda: self._calls.run(load))


def input_tokens(chat: ChatRequest) -> int:
    """About how many tokens a call sends: by length, which costs nothing; the real figure comes later."""
    characters = attached = 0
    for message in chat.messages:
        characters += len(text_of(message)) + 4 * CHARACTERS_A_TOKEN
        if isinstance(message.get("content"), list):
            attached += len(attachments_of(message))
    return characters // CHARACTERS_A_TOKEN + attached * ATTACHMENT_TOKENS


class _Outputs:
    """How long the answers of a prompt and model have been, as a moving average."""

    def __init__(self) -> None:
        self._average: dict[tuple[UUID, str], float] = {}

    def expected(self, kind: tuple[UUID, str], chat: ChatRequest) -> int:
        expected = int(self._average.get(kind, USUAL_OUTPUT))
        most = _most_output(chat.parameters)
        return expected if most is None else min(expected, most)

    def learn(self, kind: tuple[UUID, str], tokens: int) -> None:
        before = self._average.get(kind)
        if before is None:
            if len(self._average) >= REMEMBERED:
                self._average.clear()
            before = float(tokens)
        self._average[kind] = before + WEIGHT * (tokens - before)


def _most_output(parameters: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        most = parameters.get(name)
        if isinstance(most, int):
            return most
    return None


def _bounds_of_user(prepared: PreparedRun, rules: LimitRules) -> Bounds:
    # Whose end user it is stays in the database: Redis gets a digest.
    user = hashlib.sha256(prepared.request.user.encode()).hexdigest()[:32]
    return bounds_of(
        "user",
        f"{_place(prepared)}:{user}",
        requests=rules.user_requests_per_minute,
        tokens=rules.user_tokens_per_minute,
    )


def _place(prepared: PreparedRun) -> UUID:
    """What a run's prompt is counted under: the prompt, or the project where there is none."""
    prompt_id = prepared.prompt.prompt_id if prepared.prompt else None
    return prompt_id or prepared.request.project_id


def _tokens_of(result: RunResult) -> int | None:
    """What a run has used; None where the provider did not say, so that the estimate stands."""
    if result.usage_origin in ("none", "cache"):
        return 0
    given, written = result.usage.input_tokens, result.usage.output_tokens
    return None if given is None or written is None else given + written


async def _wait_for(takes: list[Take], verdict: Verdict) -> Verdict:
    """Ask again until all limits let a patient run pass."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (refused := verdict.refused()) is not None:
        if time.monotonic() + refused.retry_after > until:
            raise Unavailable(
                "A limit holds this run back; it goes on later.",
                code="rate_limit_exceeded",
                retry_after=refused.retry_after,
                limit=refused.name,
            )
        pause = min(refused.retry_after, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause * random.uniform(1.0, 1.3) + 0.01)  # noqa: S311 - spreads those who wait
        verdict = await rate_limits.take_all(takes)
    return verdict
